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
from configs import watch
from experiments import cli
from experiments.report import markdown_table, mean_and_sd
from experiments.train import interactions_table, train

_WORKDIR = cli.define_workdir()
_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds a method.")

METHODS = ("joint", "arm")


def comparison_table(
    results: Mapping[str, Sequence[Mapping[str, Any]]],
) -> str:
    """Test accuracy in %, mean and deviation over seeds, methods side by side.

    Args:
      results: method name to the results of its runs.
    """
    modalities = next(iter(results.values()))[0]["modalities"]
    rows = []
    for which, epoch in (("last", "last"), ("selected", "selected")):
        for key, name in [
            ("accuracy", "fused"),
            *((f"accuracy_{m}", f"{m} alone") for m in modalities),
        ]:
            cells = [
                mean_and_sd([100 * r["test"][which][key] for r in runs])
                for runs in results.values()
            ]
            rows.append([name, f"({epoch})", *cells])
    return markdown_table(["prediction", "epoch", *results], rows)


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = Path(cli.required(_WORKDIR))
    if _SEEDS.value < 1:
        raise InputError(f"--seeds must be at least 1, got {_SEEDS.value}")
    plan = [(m, seed) for m in METHODS for seed in range(_SEEDS.value)]
    results: dict[str, list[dict[str, Any]]] = {m: [] for m in METHODS}
    for number, (method, seed) in enumerate(plan, start=1):
        print(f"run {number} of {len(plan)}: {method}, seed {seed}", flush=True)
        config = watch.get_config(method)
        config.train.seed = seed
        found = train(cli.to_dict(config), workdir / f"{method}_{seed}")
        if found is None:
            print("interrupted; the same command resumes")
            return 130
        results[method].append(found)
    first = results[METHODS[0]][0]
    text = "\n".join(
        [
            f"Test accuracy in % on {first['dataset']} "
            f"({first['examples']['test']} windows of unseen subjects), mean "
            f"+- sd over {_SEEDS.value} seeds:",
            "",
            comparison_table(results),
            "",
            "Information about the exercise in the two sensors, in bits "
            "(plug-in estimates from clusters, biased upwards):",
            "",
            interactions_table(first),
        ]
    )
    print(f"\n{text}\n")
    (workdir / "report.md").write_text(f"# joint and arm\n\n{text}\n")
    print(f"this table: {workdir / 'report.md'}; each run has its own report")
    return 0


if __name__ == "__main__":
    cli.run(main)
