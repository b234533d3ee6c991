"""The campaign's own parts: that it sees what it is there to see."""

import json
import shutil

import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.studies.torture import damages, fuzz, kills

CONFIG = {
    "data": {"name": "npz", "options": {"path": "nowhere.npz"}},
    "train": {"epochs": 1},
}


def test_odd_inputs_are_refused_in_a_sentence(tmp_path):
    rng = np.random.default_rng(0)
    assert fuzz.inputs(CONFIG, tmp_path, 60, rng) == []


def test_what_is_no_sentence_is_reported(tmp_path, monkeypatch):
    def broken(*_):
        raise KeyError("inside")

    monkeypatch.setattr(fuzz, "from_mapping", broken)
    wrong = fuzz.inputs(CONFIG, tmp_path, 5, np.random.default_rng(0))
    assert len(wrong) == 1
    assert "KeyError: 'inside'" in wrong[0]


@pytest.mark.parametrize("name", [".", "a..b", "a.b\x00", "..joint"])
def test_names_that_no_module_has(name):
    with pytest.raises(InputError, match="no module .* for the method"):
        methods.create(name, {})


def test_damage_is_of_one_place(tmp_path):
    file, content = tmp_path / "x", bytes(range(100))
    for seed in range(10):
        file.write_bytes(content)
        how = damages._damage(file, np.random.default_rng(seed))
        found = file.read_bytes()
        if how.startswith("cut"):
            assert content.startswith(found)
            assert len(found) < 100
        else:
            a, b = (np.frombuffer(x, np.uint8) for x in (content, found))
            assert np.bitwise_count(a ^ b).sum() == 1


def test_two_trainings_that_differ(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "_state", lambda folder: {})
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    (a / "metrics.jsonl").write_text("{}\n")
    results = {"training_seconds": 1.0, "steps": 3}
    (a / "results.json").write_text(json.dumps(results))
    shutil.copytree(a, b)
    (b / "results.json").write_text(
        json.dumps(results | {"training_seconds": 2})
    )
    assert kills.differences(a, b) == []
    (b / "results.json").write_text(json.dumps(results | {"steps": 4}))
    (b / "metrics.jsonl").write_text("{}\n{}\n")
    assert kills.differences(a, b) == [
        f"{b}: other metrics",
        f"{b}: other results",
    ]
