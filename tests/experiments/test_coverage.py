import numpy as np
import pytest

from arm_jax.errors import InputError
from configs import coverage as config_file
from experiments import cli
from experiments.coverage import run


def small_config(**changes):
    config = config_file.get_config()
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
    lines = (tmp_path / "run" / "cells.jsonl").read_text().splitlines()
    (tmp_path / "run" / "cells.jsonl").write_text(lines[0] + "\n")
    assert run(small_config(), tmp_path / "run", progress=False) == records
    report = (tmp_path / "run" / "report.md").read_text()
    assert "| cells |" in report


def test_unknown_tables(tmp_path):
    with pytest.raises(InputError, match="unknown tables 'my'"):
        run(small_config(tables="my"), tmp_path / "run", progress=False)
