"""The study of what is recovered, on the cheapest problems."""

import numpy as np
import pytest

from arm_jax.errors import InputError
from arm_jax.reports import recovery as reports
from arm_jax.studies.recovery import recovery

CONFIG = {
    "problems": ("xor",), "posteriors": "exact", "sizes": (60,), "draws": 2,
    "replicates": 20,
}  # fmt: skip


def test_a_study_resumes_behind_its_last_line(tmp_path):
    results = recovery(CONFIG, tmp_path, progress=False)
    assert [d["seed"] for d in results["draws"]] == [0, 1]
    np.testing.assert_allclose(
        results["draws"][0]["value"], [0, 0, 0, 0.714], atol=0.15
    )
    assert results["truth"]["xor"]["family"] == "interaction"
    lines = (tmp_path / "draws.jsonl").read_text().splitlines()
    (tmp_path / "draws.jsonl").write_text(lines[0] + "\n")
    again = recovery(CONFIG, tmp_path, progress=False)
    assert again["draws"][0] == results["draws"][0]
    assert again["draws"][1]["value"] == results["draws"][1]["value"]
    assert "| xor     | 60 |" in reports.markdown(again)


def test_advice_is_counted():
    truth = {"family": "one", "modality": "first", "value": [0] * 4,
             "error": 0.0, "distance": 0.1}  # fmt: skip
    draws = [
        {"problem": "a", "size": 9, "family": f, "modality": m}
        for f, m in (("one", "first"), ("one", "second"), ("", ""))
    ]
    right, decided = reports.outcomes(truth, draws)
    np.testing.assert_array_equal(right, [True, False, False])
    np.testing.assert_array_equal(decided, [True, True, False])
    _, rows = reports.decision_table({"truth": {"a": truth}, "draws": draws})
    assert rows == [["a", 9, "one first", "0.10", "0.67", "0.50"]]


def test_what_was_learned_is_beside_what_is_missing():
    draws = [
        {
            "problem": "a", "size": 9, "value": [0.5, 0.1, 0.2, v],
            "learned": {"first": [0, 0.1], "second": [-v, v], "joint": [v, v]},
        }
        for v in (0.2, 0.4)
    ]  # fmt: skip
    draws.append({"problem": "a", "size": 9, "refused": "too few"})
    truth = {"a": {"value": [0.6, 0.2, 0.4, 0.5]}}
    results = {"truth": truth, "draws": draws}
    _, rows = reports.learned_table(results)
    assert rows == [["a", 9, "0.050 0.000 0.300", "0.200 0.300 0.600"]]
    assert reports.learned_table(results | {"draws": draws[2:]})[1] == []


def test_bias_error_and_coverage_by_hand():
    draws = [
        {
            "problem": "a", "size": 9, "value": [v, 0, 0, 0],
            "interval": [[v - 0.1, v + 0.1], [0, 0], [0, 0], [1, 2]],
            "doubts": [], "seconds": 1.0,
            "refits": {"value": [0.55] * 4, "interval": [[0, 1]] * 4},
        }
        for v in (0.5, 0.7)
    ]  # fmt: skip
    truth = {"a": {"value": [0.55, 0, 0, 0], "error": 0.0}}
    _, (row,) = reports.recovery_table({"truth": truth, "draws": draws})
    assert row[3].split()[0] == "0.050"
    assert row[4].split()[0] == "0.112"
    assert row[5] == "0.50 1.00 1.00 0.00"
    _, (row,) = reports.recovery_table(
        {"truth": truth, "draws": draws}, refits=True
    )
    assert row[3] == "0.000 0.550 0.550 0.550"
    assert row[5] == "1.00 1.00 1.00 1.00"
    # Five of the eight intervals hold it, and one of two pieces of advice.
    truth["a"] |= {"family": "one", "modality": "first"}
    for draw, family in zip(draws, ("one", "none"), strict=True):
        draw |= {"family": family, "modality": "first"}
    said = reports.answer({
        "truth": truth, "draws": draws, "config": {"posteriors": "fitted"},
    })  # fmt: skip
    assert " 62 % of the 95 % intervals hold the truth, and of 2 " in said
    assert "50 % are right" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"posteriors": "made up"}, "config posteriors"),
        ({"problems": ("nor",)}, "config problems"),
        ({"sizes": ()}, "config sizes is empty"),
        ({"margin": 0.0}, "config margin"),
        ({"refits": 3}, "config refits"),
    ],
)
def test_bad_configs_are_named(change, message, tmp_path):
    with pytest.raises(InputError, match=message):
        recovery(CONFIG | change, tmp_path)
