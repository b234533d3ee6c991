"""Joint training against ARM on real sensors, three seeds each.

    python -m experiments.demo --workdir=runs/demo

Joint training lets the stronger sensor do the work and leaves the other one
unused; the tables show by how much, and what ARM changes. Run again, it
resumes; finished runs are not repeated.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from arm_jax.errors import InputError
from arm_jax.reports.pieces import markdown_table
from arm_jax.reports.training import (
    EPOCHS,
    accuracy,
    accuracy_keys,
    interactions_table,
)
from arm_jax.studies.training import fit
from arm_jax.workdir import read_json

from . import cli, overrides

_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds per method.")

METHODS = ("joint", "arm")


def comparison_table(
    results: Mapping[str, Mapping[str, Any]],
) -> str:
    """Test accuracy in %, mean and deviation over seeds, methods side by side.

    Args:
      results: Method name to its results.
    """
    columns = accuracy_keys(next(iter(results.values())))
    rows = [
        [epoch, name, *(accuracy(r, epoch, key) for r in results.values())]
        for epoch in EPOCHS
        for name, key in columns.items()
    ]
    return markdown_table(["epoch", "prediction", *results], rows)


def text(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns what the demo prints.

    Args:
      results: Method name to its results.
    """
    first = results[METHODS[0]]
    return "\n".join(
        [
            f"Test accuracy in % on {first['dataset']} "
            f"({first['examples']['test']} windows of unseen subjects), mean "
            f"+- sd over {len(first['runs'])} seeds:",
            "",
            comparison_table(results),
            "",
            "Information about the exercise in the two sensors, in bits "
            "(plug-in estimates from clusters; their sum is biased upwards):",
            "",
            interactions_table(first["interactions"]),
        ]
    )


def read(workdir: Path) -> dict[str, dict[str, Any]]:
    """Returns the results of a finished demo, by method."""
    return {m: read_json(workdir / m / "results.json") for m in METHODS}


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = Path(cli.required(cli.WORKDIR)).expanduser()
    if _SEEDS.value < 1:
        raise InputError(f"--seeds must be at least 1, got {_SEEDS.value}")
    results = {}
    for method in METHODS:
        print(f"{method}: {_SEEDS.value} seeds side by side", flush=True)
        config = overrides.load(f"watch:{method}")
        config.train.seeds = _SEEDS.value
        trained = fit(cli.to_dict(config), workdir / method)
        if trained is None:
            print("interrupted; the same command resumes")
            return 130
        results[method] = trained
    table = text(results)
    print(f"\n{table}\n")
    (workdir / "report.md").write_text(
        f"# joint and arm\n\n{table}\n", encoding="utf-8"
    )
    print(f"this table: {workdir / 'report.md'}; each run has its own report")
    return 0


if __name__ == "__main__":
    cli.run(main, takes_config=False)
