"""Compares methods on one data set, with several seeds each.

    python -m experiments.compare --config=configs/avdigits.py \
        --workdir=runs/compare_avdigits [--only=joint,arm]

Finished runs are skipped, an interrupted one is resumed, so that the command
can be stopped and repeated at any time. The workdir holds results.jsonl,
table.md, figures/ and the runs.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from arm_jax import processes
from arm_jax.studies.comparison import compare

from . import cli

_ONLY = flags.DEFINE_list(
    "only", None, "Labels of runs to do now, beside those done; else all."
)


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = Path(cli.required(cli.WORKDIR)).expanduser()
    config = cli.config("compare")
    results = compare(config, workdir, only=_ONLY.value, allow=cli.ALLOW.value)
    if results is None:
        print("interrupted; the same command goes on")
        return 130
    if processes.leads():
        print("\n" + (workdir / "table.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    cli.run(main, exclusive=True)
