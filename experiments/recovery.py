"""Measures what is recovered of problems whose answer is known.

    python -m experiments.recovery --config=configs/recovery.py:fitted \
        --workdir=runs/recovery_fitted

The workdir holds config.json, record.jsonl, draws.jsonl (a line for each draw),
results.json and report.md. The same command resumes.
"""

from collections.abc import Sequence
from pathlib import Path

from arm_jax.reports.recovery import report
from arm_jax.studies.recovery import recovery

from . import cli


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = Path(cli.required(cli.WORKDIR))
    results = recovery(cli.config("recovery"), workdir, allow=cli.ALLOW.value)
    print(f"\n{report(results)}\nreport: {workdir / 'report.md'}")
    return 0


if __name__ == "__main__":
    cli.run(main, exclusive=True)
