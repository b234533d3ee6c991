"""Measures how often error bars cover the truth, on tables that are known.

    python -m experiments.coverage --config=configs/coverage.py:golden \
        --workdir=runs/coverage

The workdir holds config.json, record.jsonl, cells.jsonl (a line for each table
and sample size), results.json and report.md. The same command resumes.
"""

from collections.abc import Sequence
from pathlib import Path

from arm_jax.reports import coverage as report
from arm_jax.studies.coverage import coverage

from . import cli


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = Path(cli.required(cli.WORKDIR))
    config = cli.config("coverage")
    records = coverage(config, workdir, allow=cli.ALLOW.value)
    print(f"\n{report.coverage_table(records, 'jackknife')}\n")
    print(report.bias_table(records))
    print(f"\nreport: {workdir / 'report.md'}")
    return 0


if __name__ == "__main__":
    cli.run(main, exclusive=True)
