import numpy as np
import pytest

from arm_jax.errors import InputError
from arm_jax.reports import coverage as report
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
    # What the others take off is some of what plug-in has too much, or too
    # little.
    bias = {
        name: np.abs([record["bias"][name] for record in records]).mean()
        for name in coverage.ESTIMATORS
    }
    assert bias["jackknife"] < 0.8 * bias["plug_in"]
    assert bias["miller_madow"] < 0.8 * bias["plug_in"]
    lines = (
        (tmp_path / "run" / "cells.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    (tmp_path / "run" / "cells.jsonl").write_text(lines[0] + "\n")
    assert run(small_config(), tmp_path / "run", progress=False) == records
    text = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "| cells |" in text


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


def test_tables_of_the_report_by_hand():
    def record(name, size, cover, bias, enough=True):
        return RECORD | {
            "table": name, "size": size, "enough": [enough] * 4,
            "cover": {"jackknife": [1.0, 0.95, cover, cover]},
            "bias": {
                "plug_in": [0.0] * 3 + [2 * bias],
                "miller_madow": [0.0] * 3 + [4 * bias],
                "jackknife": [0.0, 0.0, 0.25, bias],
            },
        }  # fmt: skip

    records = [
        record("a", 1000, 0.85, 0.01),
        record("b", 1000, 0.97, 0.03),
        record("c", 200, 0.5, 0.01, enough=False),
    ]
    cells = lambda table: [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in table.splitlines()[2:]
    ]
    few = ["too few samples"] * 4
    low = "91.0 / 85.0 (1 of 2)"
    assert cells(report.coverage_table(records, "jackknife")) == [
        ["8", "200", *few],
        ["8", "1,000", "100.0 / 100.0 (0 of 2)", "95.0 / 95.0 (0 of 2)",
         low, low],
    ]  # fmt: skip
    assert cells(report.misses_table(records)) == [
        ["a", "1,000", "unique2", "85.0", "0.0000", "0.2500", "0.1000"],
        ["a", "1,000", "synergy", "85.0", "1.0000", "0.0100", "0.1000"],
    ]
    assert cells(report.bias_table(records)) == [
        ["2x2x2", "200", "0.0200", "0.0400", "0.0100", "0.50"],
        ["2x2x2", "1,000", "0.0400", "0.0800", "0.0200", "0.50"],
    ]


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
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "-0.0000" not in text
    assert "no bias" in text


def test_tables_that_are_all_too_large(monkeypatch):
    large = coverage.Table("drawn:x", np.ones((3, 3, 3)) / 27, np.zeros(4))
    monkeypatch.setattr(coverage, "_drawn", lambda seed: [large])
    config = coverage.CoverageConfig(cells=8)
    with pytest.raises(InputError, match="none of the tables has 8 cells"):
        coverage.tables(config)
