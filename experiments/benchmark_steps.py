"""Time of a training step by method, beside that of `joint`.

    python -m experiments.benchmark_steps --config=configs/avdigits.py

Model, batch and data are those of the config, its method does not matter;
methods that are not defined for its number of modalities are left out. The
methods take turns, so that all see the same machine; a time is the least of
several rounds. A method that takes several optimiser turns per batch (mla) has
them all in its time. `--methods=joint,arm` times a part, or a method of your
own by its dotted path; the first one is what the others are compared with.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from absl import flags

from arm_jax import data, loop, methods
from arm_jax.config import Config, from_mapping
from arm_jax.reports.pieces import markdown_table

from . import cli

_METHODS = flags.DEFINE_list(
    "methods", None, "Methods to time; all if not given."
)
_BATCHES, _ROUNDS = 20, 15
# As long as any method needs; only the first one is timed.
_EPOCHS = 100


def defined_methods(config: Mapping[str, Any]) -> list[str]:
    """Returns the methods that allow the data's modalities, `joint` first."""
    modalities = len(
        data.load(config["data"]["name"], config["data"]["options"]).modalities
    )
    return [
        name
        for name in sorted(methods.names(), key=lambda name: name != "joint")
        if methods.create(name, {}).allows(modalities)
    ]


def step_seconds(
    config: Mapping[str, Any], names: Sequence[str], seeds: Sequence[int]
) -> dict[str, dict[int, float]]:
    """Returns seconds per step, by method and number of seeds side by side."""
    timed = {
        (name, count): _rounds(config, name, count)
        for name in names
        for count in seeds
    }
    least = dict.fromkeys(timed, np.inf)
    for _ in range(_ROUNDS):
        for case, of_round in timed.items():
            least[case] = min(least[case], of_round())
    return {
        name: {count: least[name, count] for count in seeds} for name in names
    }


def _rounds(
    config: Mapping[str, Any], name: str, seeds: int
) -> Callable[[], float]:
    """Returns a function that trains on and returns the seconds per step."""
    train = {**config["train"], "seeds": seeds, "epochs": _EPOCHS}
    run = loop.prepare(
        from_mapping(
            Config, {**config, "method": {"name": name}, "train": train}
        )
    )
    snapshot = run.initial()
    state = snapshot.state
    phase = run.method.phase(0, len(run.model.modalities))
    first_epoch = loop.batches_of(run, snapshot.copies, epoch=0, start=0)
    batches = list(itertools.islice(first_epoch, _BATCHES))

    def of_round() -> float:
        nonlocal state
        start = time.perf_counter()
        for batch in batches:
            state, metrics = run.train_step(state, batch, phase)
            jax.block_until_ready(metrics)
        return (time.perf_counter() - start) / len(batches)

    of_round()  # compiles
    return of_round


def steps_table(seconds: Mapping[str, Mapping[int, float]]) -> str:
    """One row per method: milliseconds, ratios to the first and one seed."""
    name_of_first, baseline = next(iter(seconds.items()))
    one, many = baseline
    rows = [
        [
            name,
            f"{1e3 * times[one]:.2f}",
            f"{times[one] / baseline[one]:.2f}",
            f"{1e3 * times[many]:.2f}",
            f"{times[many] / baseline[many]:.2f}",
            f"{times[many] / times[one]:.2f}",
        ]
        for name, times in seconds.items()
    ]
    header = [
        "method", "ms/step", f"/ {name_of_first}", f"ms/step, {many} seeds",
        f"/ {name_of_first}", f"{many} seeds / {one}",
    ]  # fmt: skip
    return markdown_table(header, rows)


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    config = cli.config()
    names = _METHODS.value or defined_methods(config)
    seconds = step_seconds(config, names, (1, 5))
    print(steps_table(seconds))
    return 0


if __name__ == "__main__":
    cli.run(main)
