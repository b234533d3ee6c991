"""Ranks the methods of finished comparisons over their data sets.

    python -m experiments.rank \
        --results=docs/results/compare_watch.json,runs/compare_mosi

A result is the workdir of a comparison, or a file like those of docs/results.
Counted are the methods that all of them have. The table goes to the terminal.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from arm_jax.errors import InputError
from arm_jax.reports import ranks
from arm_jax.workdir import read_json

from . import cli

_RESULTS = flags.DEFINE_list(
    "results", None, "Workdirs of comparisons, or files of docs/results."
)


def summaries(paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns what comparisons came to, by the name of folder or file.

    Raises:
      InputError: One is not there, is no comparison, or is named twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in paths:
        path = Path(text).expanduser()
        file = path / "summary.json" if path.is_dir() else path
        if not file.exists():
            raise InputError(f"no finished comparison in {text}")
        summary = read_json(file)
        if not {"groups", "accuracies", "variants"} <= set(summary):
            raise InputError(f"{text} is no comparison")
        name = path.stem.removeprefix("compare_")
        if name in found:
            raise InputError(f"two comparisons are called '{name}'")
        found[name] = summary
    return found


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    results = summaries(cli.required(_RESULTS))
    print(ranks.markdown(ranks.of_summaries(results)))
    return 0


if __name__ == "__main__":
    cli.run(main, takes_config=False)
