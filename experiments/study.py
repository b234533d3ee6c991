"""Runs the study that a config names, and prints its tables.

    python -m experiments.study --config=configs/published.py \
        --workdir=runs/published

The workdir holds config.json, record.jsonl, results.json, report.md and
report.html. The same command again makes the reports from the results.
"""

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path

from arm_jax.reports import page

from . import cli


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    config = cli.config("study")
    workdir = Path(cli.required(cli.WORKDIR)).expanduser()
    name = config.pop("study")
    study = importlib.import_module(f"arm_jax.studies.{name}")
    report = importlib.import_module(f"arm_jax.reports.{name}")
    function = getattr(study, name)
    # Of those that go on where they were interrupted.
    takes = "allow" in inspect.signature(function).parameters
    more = {"allow": cli.ALLOW.value} if takes else {}
    results = function(config, workdir, **more)
    text = report.markdown(results)
    (workdir / "report.md").write_text(text, encoding="utf-8")
    whole = page.of_markdown(text, workdir, [report.answer(results)])
    (workdir / "report.html").write_text(whole, encoding="utf-8")
    print(f"{text}\nreport: {workdir / 'report.html'}")
    return 0


if __name__ == "__main__":
    cli.run(main, exclusive=True)
