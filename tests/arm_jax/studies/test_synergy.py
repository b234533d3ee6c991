import types

import numpy as np
import pytest

import bounds
from arm_jax.errors import InputError
from arm_jax.reports import synergy as report
from arm_jax.studies import synergy
from arm_jax.workdir import open_workdir
from experiments import cli, overrides
from tests.bounds import synergy_helpers as helpers


def config(name, **changes):
    given = overrides.load(f"synergy:{name}", command="synergy")
    return cli.to_dict(given) | changes


def test_random_study_and_resume(tmp_path, capsys):
    small = config("random", tables=40, block=16)
    whole = synergy.synergy(small, tmp_path / "whole", progress=False)
    assert "| redundancy" in whole
    assert "\n\nA violation is a bound on the wrong side" in whole
    assert (tmp_path / "whole" / "figures" / "lower_bounds.svg").exists()
    lines = (
        (tmp_path / "whole" / "blocks.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    assert len(lines) == 3
    cut = tmp_path / "cut"
    open_workdir(cut, small)
    (cut / "blocks.jsonl").write_text(
        lines[0] + "\n" + lines[1][:50], encoding="utf-8"
    )
    resumed = synergy.synergy(small, cut, progress=False)
    # All but the times.
    assert resumed.split("Intervals")[1] == whole.split("Intervals")[1]


def test_violations_are_on_the_wrong_side(monkeypatch):
    p = np.stack([synergy.gate("XOR", noise) for noise in (0.0, 0.25)])
    truth = bounds.pid(p).synergy
    near = {"lower": -0.1, "upper": 0.1}
    off = {"lower": {"chernoff": 0.25}, "upper": {"chord": -0.5}}

    def interval(p12, p1y, p2y, **options):
        sides = {"lower": report.LOWER, "upper": report.UPPER}
        found = {
            side: {
                name: truth + off[side].get(name, near[side]) for name in names
            }
            for side, names in sides.items()
        }
        return types.SimpleNamespace(
            by_bound=found, lower=truth - 0.1, upper=truth + 0.1,
            achieved=truth, gap=np.zeros(2),
        )  # fmt: skip

    monkeypatch.setattr(synergy.bounds, "synergy_interval", interval)
    found = synergy.measure(p, synergy.SynergyConfig())
    counts = {k: n for k, n in found["violations"].items() if n}
    assert counts == {"chernoff": 2, "chord": 2}
    assert found["worst"]["chernoff"] == pytest.approx(0.25, abs=1e-5)
    assert found["worst"]["chord"] == pytest.approx(0.5, abs=1e-5)


def test_logic_study(tmp_path, capsys):
    report = synergy.synergy(
        config("logic", noise=(0.0, 0.1)), tmp_path, progress=False
    )
    assert "![gates](figures/gates.svg)" in report


def test_released_formulas():
    rows = [
        r
        for r in helpers.golden("released_bounds.json")
        if r["shape"] == [2, 2, 2] and None not in r["bounds"].values()
    ]
    p = np.array([r["P"] for r in rows])
    ours = synergy.released_lower(*helpers.marginals(p))
    theirs = {
        k: np.array([r["bounds"][k] for r in rows]) for k in rows[0]["bounds"]
    }
    np.testing.assert_allclose(
        ours["released_difference"], theirs["lower_diff"], atol=1e-6
    )
    # Theirs take the best of several relaxations, never below this one; the
    # shift by the swapped U1 and U2 is the same.
    shift = ours["released_unique1"] - ours["released_redundancy"]
    for name, sign in (("lower_R", 0), ("lower_U1", 1), ("lower_U2", -1)):
        unshifted = theirs[name] - sign * shift
        assert (unshifted >= ours["released_redundancy"] - 1e-6).all()
        assert (unshifted <= [r["exact_lower"] + 1e-6 for r in rows]).all()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("logic", {"gates": ("NAND",)}, "config.gates must be one of AND, OR,"),
        ("logic", {"gates": ()}, "must not be empty"),
        (
            "logic",
            {"noise": (0.1, 2.0)},
            "config.noise must hold probabilities",
        ),
        ("logic", {"noise": 0.1}, "config noise must be a tuple, got 0.1"),
        ("random", {"kind": "x"}, "config.kind must be one of logic, random"),
        ("random", {"block": 0}, "config.block must be at least 1, got 0"),
        ("random", {"tables": 1e3}, "config tables must be of type int"),
        ("random", {"shape": (2, 2)}, "config.shape must be three sizes"),
        ("random", {"shape": (2, 1, 2)}, "config.shape must be at least 2"),
        ("random", {"concentration": 0.0}, "concentration must be positive"),
        ("random", {"effort": "slow"}, "config.effort must be one of bounds,"),
        ("random", {"seconds": 0}, "config.seconds must be positive"),
        ("random", {"seed": -1}, "config.seed must be at least 0"),
    ],
)
def test_bad_config(tmp_path, name, changes, message):
    workdir = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        synergy.synergy(config(name, **changes), workdir)
    assert not workdir.exists()


def test_unknown_keys_are_named(tmp_path):
    with pytest.raises(InputError, match="unknown config key 'table'"):
        synergy.synergy(config("random", table=3), tmp_path / "run")
