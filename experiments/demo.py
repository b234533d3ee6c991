"""Joint training against ARM on real sensors, three seeds each.

    python -m experiments.demo --workdir=runs/demo

Joint training lets the stronger sensor do the work and leaves the other one
unused; the report shows by how much, what ARM changes, and what the sensors
know. Run again, it resumes; finished runs are not repeated.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from arm_jax.reports import demo as report
from arm_jax.studies.quantify import quantify
from arm_jax.studies.training import fit

from . import cli, overrides

_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds per method.", lower_bound=1)
_EPOCHS = flags.DEFINE_integer("epochs", 0, "0: as configured.", lower_bound=0)


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = Path(cli.required(cli.WORKDIR)).expanduser()
    allow = cli.ALLOW.value
    results = {}
    for method in report.METHODS:
        print(f"{method}: {_SEEDS.value} seeds side by side", flush=True)
        config = overrides.load(f"watch:{method}")
        config.train.seeds = _SEEDS.value
        config.train.epochs = _EPOCHS.value or config.train.epochs
        trained = fit(cli.to_dict(config), workdir / method, allow=allow)
        if trained is None:
            print("interrupted; the same command resumes")
            return 130
        results[method] = trained
    print("what the two sensors know", flush=True)
    config = overrides.load("watch", command="quantify")
    config.symbols.when = "needed"
    known = quantify(cli.to_dict(config), workdir / "interactions", allow=allow)
    text = report.text(results, known)
    page = workdir / "report.html"
    page.write_text(report.html(results, known, workdir), encoding="utf-8")
    (workdir / "report.md").write_text(
        f"# joint and arm\n\n{text}\n", encoding="utf-8"
    )
    print(f"\n{text}\n\nreport: {page.absolute()}")
    return 0


if __name__ == "__main__":
    cli.run(main, takes_config=False)
