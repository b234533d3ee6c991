"""Quantifies the interactions of a data set's modalities, with error bars.

    python -m experiments.quantify my.npz
    python -m experiments.quantify --config=configs/watch.py \
        --workdir=runs/quantify_watch

A file alone is one of the config `npz`, into runs/quantify_NAME.

The workdir holds config.json, record.jsonl, results.json, report.md and
report.html, one file that needs no network. The same command again makes the
reports from the results.
"""

from collections.abc import Sequence
from pathlib import Path

from arm_jax.reports import answers
from arm_jax.reports import quantify as report
from arm_jax.reports.pieces import markdown_table
from arm_jax.studies.quantify import quantify

from . import cli


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    file = argv[1] if len(argv) > 1 else ""
    workdir = cli.WORKDIR.value
    if workdir is None and file:
        workdir = f"runs/quantify_{Path(file).stem}"
    workdir = workdir or cli.required(cli.WORKDIR)
    config, allow = cli.config("quantify", file), cli.ALLOW.value
    results = quantify(config, workdir, allow=allow)
    for table in (report.posteriors_table, report.table):
        header, rows = table(results)
        if rows:
            print(f"\n{markdown_table(header, rows)}")
    print(f"\n{answers.of_interactions(results)}")
    print(f"\nreport: {Path(workdir) / 'report.html'}")
    return 0


if __name__ == "__main__":
    cli.run(main, takes_file=True, exclusive=True)
