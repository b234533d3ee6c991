"""The campaign's own parts: that they see what they are there to see."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import bounds
from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.studies.torture import damages, fuzz, fuzz_files, tables, trials
from arm_jax.studies.torture.fuzz import EITHER, RIGHT, WRONG, Given
from arm_jax.studies.torture.trials import Outcome, Part
from arm_jax.workdir import JsonLines

ROOT = Path(__file__).parent.parent.parent.parent


def test_a_short_campaign(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "arm_jax.studies.torture"]
        + [f"--workdir={tmp_path}", "--parts=prepare=5"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "| kill -9 of a preparation | 5 | 0 |" in " ".join(
        done.stdout.split()
    )
    (line,) = JsonLines(tmp_path / "prepare.jsonl").read()
    assert line["times"] == 5
    assert not list((tmp_path / "prepare").glob("0_*/*"))


def test_odd_inputs_are_refused_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "INPUTS", 60)
    # Without those that compile.
    slow = (fuzz._interval, fuzz._posteriors)
    kinds = tuple(k for k in fuzz.KINDS if k not in slow) + fuzz_files.KINDS
    found = fuzz.check(kinds, tmp_path, 0, np.random.default_rng(0))
    assert found.wrong == []
    assert found.counts["results"] > 5
    assert found.counts["sentences"] > 20


@pytest.mark.parametrize(
    ("known", "error", "found"),
    [
        (RIGHT, None, ""),
        (WRONG, None, "accepted"),
        (EITHER, None, ""),
        (RIGHT, InputError("x is odd"), "refused: x is odd"),
        (WRONG, InputError("x is odd"), ""),
        (EITHER, KeyError("inside"), "KeyError: 'inside'"),
    ],
)
def test_outcomes_that_are_wrong(known, error, found):
    def call():
        if error is not None:
            raise error
        return ""

    text, refused = fuzz._outcome(Given(known, call, None))
    assert (found in text) if found else not text
    assert refused == isinstance(error, InputError)


def test_a_command_that_ends_with_a_traceback():
    error = "error: no file x\n"
    trace = 'Traceback (most recent call last):\n  File "%s", line 1\nE: x'
    assert fuzz_files._judged(2, error, "c.py") == ""
    assert fuzz_files._judged(2, error * 2, "c.py") == "status 2"
    assert fuzz_files._judged(3, trace % "c.py", "c.py") == ""
    assert fuzz_files._judged(1, trace % "b.py", "c.py") == "status 1"


def test_claims_that_contradict_a_table():
    p = tables.random(np.random.default_rng(0), 8, (3, 2, 2))
    with tables._witnesses() as states:
        claimed = bounds.pid(p)
    hints = [
        np.concatenate([np.asarray(getattr(s, name)) for s in states])
        for name in ("lam", "mu", "r")
    ]
    exact = p.astype(np.longdouble)
    truth = tables.interval(exact, *hints)
    assert (truth.lower <= truth.upper + 1e-15).all()
    assert (truth.upper - truth.lower < 1e-8).sum() > 5

    def contradicted(**changes):
        bad, _ = tables.contradictions(
            claimed._replace(**changes), exact, truth
        )
        return sum(rows.sum() for rows in bad.values())

    assert contradicted() == 0
    assert contradicted(unique1=claimed.unique1 + 1e-6) > 5
    assert contradicted(synergy=claimed.synergy - 1e-6) > 5
    assert contradicted(total=claimed.total + 1e-9) == 8
    assert contradicted(gap=claimed.gap * np.nan) == 8


def test_trials_are_done_once(tmp_path):
    begun = []

    def trial(folder, number, rng):
        begun.append(number)
        return Outcome(2, ["odd"] if number == 1 else [], {"seen": 1})

    part = Part("things", trial, times=2)
    with ThreadPoolExecutor(1) as pool:
        lines = list(
            trials._until(
                pool, part, tmp_path, iter((1, 2, 5)), 5, float("inf"), 0
            )
        )
        late = trials._until(pool, part, tmp_path, iter([7]), 1, -1.0, 0)
        assert list(late) == []
    assert sorted(begun) == [1, 2, 5]
    found = trials.summary(part, lines)
    assert (found["times"], found["failures"]) == (6, 1)
    assert " 3 seen |" in trials.table([found])


@pytest.mark.parametrize("name", [".", "a..b", "a.b\x00", "..joint"])
def test_names_that_no_module_has(name):
    with pytest.raises(InputError, match="no module .* for the method"):
        methods.create(name, {})


def test_damage_is_of_one_place(tmp_path):
    file, content = tmp_path / "x", bytes(range(100))
    for seed in range(10):
        file.write_bytes(content)
        how = damages.damage(file, np.random.default_rng(seed))
        found = file.read_bytes()
        if how.startswith("cut"):
            assert content.startswith(found)
            assert len(found) < 100
        else:
            a, b = (np.frombuffer(x, np.uint8) for x in (content, found))
            assert np.bitwise_count(a ^ b).sum() == 1
