import json

import numpy as np
import pytest

from arm_jax.errors import InputError
from arm_jax.workdir import (
    JsonLines,
    open_workdir,
    read_json,
    read_results,
    write_json,
    write_results,
)


def test_returns_to_the_same_configuration(tmp_path):
    config = {"a": {"b": (1, 2)}, "c": 0.5}
    first = open_workdir(tmp_path / "x" / "run", config)
    assert open_workdir(first, config) == first
    assert read_json(first / "config.json") == {"a": {"b": [1, 2]}, "c": 0.5}


def test_another_configuration_is_refused_and_named(tmp_path):
    open_workdir(tmp_path, {"a": {"b": 1}, "c": 2})
    with pytest.raises(InputError, match=r"a\.b: 1 there, 3 now"):
        open_workdir(tmp_path, {"a": {"b": 3}, "c": 2})
    assert read_json(tmp_path / "config.json")["a"]["b"] == 1


def test_what_may_differ(tmp_path):
    open_workdir(tmp_path, {"a": {"b": 1, "c": 2}})
    for other in ({"a": {"b": 3, "c": 2}}, {"a": {"c": 2}}):
        open_workdir(tmp_path, other, ("a.b", "d.e"))
    with pytest.raises(InputError, match=r"\(a\.c: 2 there, 3 now\)"):
        open_workdir(tmp_path, {"a": {"b": 3, "c": 3}}, ("a.b",))
    assert read_json(tmp_path / "config.json")["a"]["b"] == 1


def test_workdir_that_is_a_file(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="is a file"):
        open_workdir(tmp_path / "f", {})


def test_lines_are_strict_json(tmp_path):
    lines = JsonLines(tmp_path / "m.jsonl")
    lines.append({"x": float("nan"), "y": np.float32(0.5), "z": np.arange(2)})
    text = (tmp_path / "m.jsonl").read_text()
    assert json.loads(text) == {"x": None, "y": 0.5, "z": [0, 1]}


def test_half_written_last_line_is_left_out(tmp_path):
    lines = JsonLines(tmp_path / "m.jsonl")
    for step in range(3):
        lines.append({"step": step})
    with lines.path.open("a") as file:
        file.write('{"step": 3, "lo')
    assert [r["step"] for r in lines.read()] == [0, 1, 2]
    lines.keep(lines.read()[:1])
    lines.append({"step": 9})
    assert [r["step"] for r in lines.read()] == [0, 9]


def test_a_line_after_a_torn_one_is_a_line_of_its_own(tmp_path):
    lines = JsonLines(tmp_path / "m.jsonl")
    lines.path.write_text('{"step": 1}\n{"step": 2, "lo')
    lines.append({"step": 2})
    assert [r["step"] for r in JsonLines(lines.path).read()] == [1, 2]
    lines.path.write_text('{"st')
    JsonLines(lines.path).append({"step": 3})
    assert lines.path.read_text() == '{"step": 3}\n'


def test_differences_that_are_listed_are_few_and_short(tmp_path):
    open_workdir(tmp_path, {str(i): "x" * 1000 for i in range(100)})
    with pytest.raises(InputError, match="and 92 more") as caught:
        open_workdir(tmp_path, {str(i): "y" * 1000 for i in range(100)})
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("content", [b"\xff\n{}\n", b"[1]\n{}\n"])
def test_lines_that_are_no_objects(tmp_path, content):
    (tmp_path / "m.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=r"m\.jsonl, line 1.*another workdir"):
        JsonLines(tmp_path / "m.jsonl").read()


@pytest.mark.parametrize("rest", ['{"step": 2}\n', ""])
def test_damaged_line_that_ends_is_named(tmp_path, rest):
    lines = JsonLines(tmp_path / "m.jsonl")
    lines.path.write_text('{"step": 1}\noops\n' + rest)
    with pytest.raises(InputError, match="line 2"):
        lines.read()


def test_damaged_json_file_is_named(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1})
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b'{"x": "\xff"}')
    with pytest.raises(InputError, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")


def test_results_that_were_changed_are_noticed(tmp_path):
    file, results = tmp_path / "results.json", {"a": 0.125, "b": [1, None]}
    write_results(file, {"a": np.float64(0.125), "b": (1, np.nan)})
    assert read_results(file) == results
    text = file.read_text()
    file.write_text(text.replace("0.125", "0.135"))
    with pytest.raises(InputError, match="results.json is not as it was"):
        read_results(file)
    # Of before there were digests.
    write_json(file, results)
    assert read_results(file) == results
    write_json(file, [results])
    with pytest.raises(InputError, match="is not as it was"):
        read_results(file)


def test_sealed_lines_that_were_changed_are_noticed(tmp_path):
    lines = JsonLines(tmp_path / "m.jsonl", sealed=True)
    records = [{"step": n, "x": 0.5} for n in range(3)]
    for record in records:
        lines.append(record)
    assert lines.read() == records
    lines.keep(records[:2])
    assert lines.read() == records[:2]
    text = lines.path.read_text()
    lines.path.write_text(
        text.replace('{"step": 1, "x": 0.5', '{"step": 1, "x": 0.7')
    )
    with pytest.raises(InputError, match="m.jsonl, line 2 is not as it was"):
        lines.read()
    # A torn line is no damage.
    lines.path.write_text(text[:-9])
    assert lines.read() == records[:1]
