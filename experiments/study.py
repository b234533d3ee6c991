"""Runs the study that a config names, and prints its tables.

    python -m experiments.study --config=configs/published.py \
        --workdir=runs/published

The workdir holds config.json, record.jsonl, results.json and report.md. The
same command again makes the report from the results.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path

from . import cli


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    config, workdir = cli.config("study"), Path(cli.required(cli.WORKDIR))
    name = config.pop("study")
    study = importlib.import_module(f"arm_jax.studies.{name}")
    report = importlib.import_module(f"arm_jax.reports.{name}")
    text = report.markdown(getattr(study, name)(config, workdir))
    (workdir / "report.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    cli.run(main, exclusive=True)
