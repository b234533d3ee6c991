"""One tuning budget for all methods of a comparison.

Each method has a small grid, declared in its file (`arm_jax.methods.grid`). All
points are trained with all seeds. For each seed by itself, the point is chosen
that is most accurate on validation at the last epoch (of several, the one of
the smallest loss there, then the first); the seed's result is that of its
point.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.workdir import JsonLines


def points(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the training configs of a method's grid, by what they change.

    Args:
      config: Training config of a run; it is the first point.
    """
    method, optimizer = config["method"], config["optimizer"]
    # With the defaults of what is not given: a point is named by what it
    # changes of these.
    own = {**methods.default_options(method["name"]), **method["options"]}
    found: dict[str, dict[str, Any]] = {}
    for point in methods.grid(method["name"], method["options"]):
        options = {k: x for k, x in point.items() if k != methods.RATE}
        rate = point.get(methods.RATE, 1.0)
        words = [
            f"{key}={value}"
            for key, value in options.items()
            if value != own[key]
        ]
        if rate != 1:
            words.append(f"learning rate x{rate:g}")
        found[", ".join(words) or "as configured"] = {
            **config,
            "method": {**method, "options": {**method["options"], **options}},
            "optimizer": {
                **optimizer,
                "learning_rate": rate * optimizer["learning_rate"],
            },
        }
    return found


def choose(accuracy: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Returns the number of the best point for each run.

    Args:
      accuracy: On validation, `[points, runs]`.
      loss: Likewise.
    """
    # One that is not finite is not the best.
    best = accuracy == np.fmax.reduce(accuracy, axis=0)
    least = np.fmin.reduce(np.where(best, loss, np.inf), axis=0)
    # An infinite loss is the smallest, too, where the best have no other.
    return (best & (loss == least)).argmax(axis=0)


def on_validation(
    folder: Path, seeds: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns accuracy and loss of each run at its last epoch.

    Args:
      folder: The folder of one training.
      seeds: Those of its runs.

    Raises:
      InputError: The folder's metrics lack them.
    """
    last: dict[int, dict[str, Any]] = {}
    log = JsonLines(folder / "metrics.jsonl")
    for line in log.read():
        if line["split"] == "validation":
            last[line["seed"]] = line
    if not last.keys() >= set(seeds):
        raise InputError(f"{log.path} lacks the validation of some seeds")
    lines = [last[seed] for seed in seeds]
    # JSON keeps null in the place of what is not finite.
    accuracy = np.asarray([x["accuracy"] for x in lines], float)
    loss = np.asarray([x["loss"] for x in lines], float)
    return accuracy, np.nan_to_num(loss, nan=np.inf)


def gather(
    found: Mapping[str, Mapping[str, Any]], folders: Mapping[str, Path]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Chooses a point for each seed.

    The metrics of what is chosen are written beside the points, one file per
    run, as `chosen(folder)` has them.

    Args:
      found: Results of the points' trainings, by what they change.
      folders: Their folders likewise, in one folder.

    Returns:
      The runs that are chosen; and what was chosen from, for the report: of
      each run `point`, and by point accuracies on `validation` and `test`.
    """
    names = list(found)
    seeds = [run["seed"] for run in found[names[0]]["runs"]]
    scores = [on_validation(folders[name], seeds) for name in names]
    accuracy, loss = (np.stack(x) for x in zip(*scores, strict=True))
    runs, choices = [], []
    for k, best in enumerate(choose(accuracy, loss)):
        name = names[best]
        runs.append(found[name]["runs"][k] | {"point": name})
        choices.append(
            {
                "seed": seeds[k],
                "point": name,
                "validation": dict(
                    zip(names, accuracy[:, k].tolist(), strict=True)
                ),
                "test": {
                    p: found[p]["runs"][k]["test"]["last"]["accuracy"]
                    for p in names
                },
            }
        )
        lines = [
            line
            for line in JsonLines(folders[name] / "metrics.jsonl").read()
            if line["seed"] == seeds[k]
        ]
        JsonLines(chosen(folders[name].parent, seeds[k])).keep(lines)
    return runs, choices


def chosen(folder: Path, seed: int) -> Path:
    """Returns the file of the metrics of what was chosen for a seed."""
    return folder / f"chosen_{seed}.jsonl"
