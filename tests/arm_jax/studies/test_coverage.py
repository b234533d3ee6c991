import numpy as np
import pytest

from arm_jax.errors import InputError
from arm_jax.studies import coverage
from arm_jax.studies.coverage import coverage as run
from arm_jax.workdir import JsonLines, open_workdir
from configs import coverage as config_file
from experiments import cli


def small_config(**changes):
    config = config_file.coverage()
    config.each, config.cells = 1, 8
    config.sizes = (200,)
    config.repetitions, config.replicates = 20, 20
    for key, value in changes.items():
        config[key] = value
    return cli.to_dict(config)


def test_study_resumes_and_reports(tmp_path):
    records = run(small_config(), tmp_path / "run", progress=False)
    # Two concentrations and the gates.
    assert len(records) == 3
    for record in records:
        assert record["enough"] == [True] * 4
        assert np.mean(record["cover"]["jackknife"]) > 0.7
    lines = (
        (tmp_path / "run" / "cells.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    (tmp_path / "run" / "cells.jsonl").write_text(lines[0] + "\n")
    assert run(small_config(), tmp_path / "run", progress=False) == records
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "| cells |" in report


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tables": "my"}, "tables must be one of drawn, golden, got 'my'"),
        ({"sizes": ()}, "config sizes is empty"),
        ({"sizes": (200, 0)}, "config sizes must be at least 2, got 0"),
        ({"repetitions": 1}, "config repetitions must be at least 2, got 1"),
        ({"replicates": 1}, "config replicates must be at least 2, got 1"),
        ({"each": 0}, "config each must be at least 1, got 0"),
        ({"cells": 7}, "config cells must be at least 8, got 7"),
        ({"seed": -1}, "config seed must be at least 0, got -1"),
        (
            {"tables": "golden", "path": "nowhere.npz"},
            r"no file .*nowhere\.npz",
        ),
    ],
)
def test_bad_configuration_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        run(small_config(**changes), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


RECORD = {
    "table": "gate:xor", "shape": [2, 2, 2], "size": 200,
    "truth": [0.0, 0.0, -1e-9, 1.0], "deviation": [0.1] * 4,
    "cover": {name: [0.5] * 4 for name in coverage.ESTIMATORS},
    "bias": {name: [-1e-9] * 3 + [0.0] for name in coverage.ESTIMATORS},
    "width": {name: [0.1] * 4 for name in coverage.ESTIMATORS},
    "enough": [True] * 4, "per_cell": 25.0,
}  # fmt: skip


def finished(tmp_path):
    """A workdir that lacks nothing but what is made of its numbers."""
    config = small_config()
    chosen = [coverage.Table("gate:xor", np.ones((2, 2, 2)) / 8, np.zeros(4))]
    folder = open_workdir(tmp_path / "run", config)
    JsonLines(folder / "cells.jsonl").append(RECORD)
    return config, chosen, folder


def test_results_come_before_the_report(monkeypatch, tmp_path):
    config, chosen, folder = finished(tmp_path)
    monkeypatch.setattr(coverage, "tables", lambda config: chosen)
    with monkeypatch.context() as patch:
        patch.delattr(coverage, "report")
        with pytest.raises(NameError):
            run(config, folder, progress=False)
    assert (folder / "results.json").exists()
    run(config, folder, progress=False)
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "-0.0000" not in report
    assert "no bias" in report


def test_tables_that_are_all_too_large(monkeypatch):
    large = coverage.Table("drawn:x", np.ones((3, 3, 3)) / 27, np.zeros(4))
    monkeypatch.setattr(coverage, "_drawn", lambda seed: [large])
    config = coverage.CoverageConfig(cells=8)
    with pytest.raises(InputError, match="none of the tables has 8 cells"):
        coverage.tables(config)
