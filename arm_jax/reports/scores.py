"""What is beyond accuracy: of one training, and the words for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arm_jax.analysis.scores import FUSED
from arm_jax.data.outputs import SEPARATOR
from arm_jax.probing import LEVELS
from arm_jax.reports.pieces import (
    capital,
    fixed,
    markdown_table,
    mean_and_sd,
    percent,
    plain,
)

# More subsets than those of so many modalities are told by their sizes.
_MOST = 4
# Labels that have rows of their own.
_MOST_LABELS = 30
# Titles of what is read off the predictions, by key.
TITLES = {
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "exact_match": "exact match",
    "rmse": "RMSE",
    "mae": "MAE",
    "correlation": "correlation",
    "average_precision": "mAP",
    "auroc": "AUROC",
    "ece": "ECE",
}
# Those that are no shares of 1.
PLAIN = ("rmse", "mae", "correlation")


def word(results: Mapping[str, Any]) -> str:
    """Returns what `accuracy` in results is called.

    Args:
      results: With `target`, where a number is predicted.
    """
    return "R^2" if "target" in results else "accuracy"


def about(results: Mapping[str, Any]) -> str:
    """Says what scores are where no class is predicted, "" where one is.

    Args:
      results: With the names of several labels, or `target`.
    """
    names = results.get("label_names", ())
    if "target" in results and names:
        return (
            f"An example has {len(names)} numbers. R^2 (`accuracy` in "
            "results.json) is 1 less the mean squared error as a share of the "
            "variance of all examples, the mean over the numbers, and so is "
            "the correlation; RMSE and MAE are in the deviations that they "
            "have in the training split; losses and contributions are sums "
            "over the numbers."
        )
    if "target" in results:
        target = results["target"]
        of = (
            f", of mean {target['mean']:.4g} and deviation "
            f"{target['deviation']:.4g} in the training split"
        )
        # Variants have training splits of their own.
        if len(set(results.get("variants", ()))) > 1:
            of = ""
        return (
            f"The label is a number{of}. R^2 (`accuracy` in results.json) is "
            "1 less the mean squared error as a share of the variance of all "
            "examples, and below 0 where their mean does better; RMSE and MAE "
            "are in the number's unit, losses and contributions those of the "
            "standardised number's density."
        )
    if not names:
        return ""
    return (
        f"An example has {len(names)} labels, each 0 or 1, predicted at a "
        "threshold of 1/2. Accuracy is the share of all labels of all examples "
        "that is right, exact match the share of examples with no label wrong; "
        "macro-F1, mAP (average precision) and AUROC are means over the "
        "labels. Losses and contributions are sums over the labels."
    )


def section(results: Mapping[str, Any]) -> list[str]:
    """Returns the lines of a training's report, none for old results.

    Args:
      results: As in results.json.
    """
    runs = results["runs"]
    if not all("scores" in run for run in runs):
        return []
    modalities = results["modalities"]
    lacking = all("patterns" in run for run in runs)
    levels = ", ".join(f"{x:g}" for x in LEVELS)
    measure = word(results)
    lines = [f"## Beyond {measure}", "", _scores(runs, results), ""]
    names = results.get("label_names", ())
    if 0 < len(names) <= _MOST_LABELS and "labels" in runs[0]:
        lines += [*_by_label(runs, names, measure), ""]
    if len(modalities) > 1:
        lines += [
            f"{capital(measure)} in % by the modalities that are there at "
            "test, the others masked"
            + (", on the examples that have these:" if lacking else ":"),
            "",
            _subsets(runs, modalities, measure),
            "",
        ]
    if lacking:
        lines += [
            f"Fused {measure} in % of the test examples by what they have:",
            "",
            _patterns(runs, measure),
            "",
        ]
    if runs[0]["noise"]:
        lines += [
            f"Fused {measure} in % with Gaussian noise in the inputs of one "
            f"modality, of {levels} deviations of the channel:",
            "",
            _noise(runs),
            "",
        ]
    if len(modalities) > 1:
        lines += [
            "The contribution gap, the mean difference of phi_CMI, "
            f"is {_of(runs, 'contribution_gap', digits=3)} bits; the "
            f"Shapley shares in the {measure} are, in points, "
            + ", ".join(
                f"{m} {_of(runs, 'shapley', m, scale=100)}" for m in modalities
            )
            + ".",
            "",
        ]
    return lines


def warning(results: Mapping[str, Any]) -> str:
    """Says that the fused prediction is below a modality alone, "" if not."""
    below = best_alone(results)
    if below is None:
        return ""
    name, loss = below
    where = " over the examples that have it" * lack_modalities(results)
    return (
        f"Warning: the fused prediction is below {name} alone, by "
        f"{fixed(loss, 1)} points of test {word(results)} in the mean{where}. "
        "Fusing costs more than it gives here."
    )


def best_alone(results: Mapping[str, Any]) -> tuple[str, float] | None:
    """The best modality alone, where the fused prediction is below it.

    Where examples lack modalities, both are of those that have the modality.

    Returns:
      Its name and by how many points, in the mean over runs at the last epoch;
      None if the fused prediction is no worse, to a tenth of a point.
    """
    if len(results["modalities"]) < 2:
        return None
    losses = {
        m: float(
            (percent(results, f"accuracy_{m}") - _fused(results, m)).mean()
        )
        for m in results["modalities"]
    }
    # Of a modality that no example has it is NaN.
    best = max(losses, key=lambda m: np.nan_to_num(losses[m], nan=-np.inf))
    # What rounds to nothing is no warning.
    return (best, losses[best]) if losses[best] >= 0.05 else None


def lack_modalities(results: Mapping[str, Any]) -> bool:
    """Whether it is known that examples lack modalities, and which."""
    return all("patterns" in run for run in results["runs"])


def _fused(results: Mapping[str, Any], modality: str) -> np.ndarray:
    """Fused accuracy in % of each run, on the examples with a modality."""
    if not lack_modalities(results):
        return percent(results, "accuracy")
    means = []
    for run in results["runs"]:
        have = [
            (one["examples"], number(one["accuracy"]))
            for name, one in run["patterns"].items()
            if modality in name.split(SEPARATOR)
        ]
        examples = sum(count for count, _ in have)
        right = sum(count * share for count, share in have)
        means.append(right / examples if examples else np.nan)
    return 100 * np.asarray(means)


def _by_label(
    runs: Sequence[Mapping[str, Any]], names: Sequence[str], measure: str
) -> list[str]:
    told = runs[0]["labels"]
    errors = "rmse" in told[FUSED]
    rows = [
        [
            plain(name),
            *(
                _of(runs, "labels", own, "accuracy", k, scale=100)
                for own in told
            ),
            *(
                [_of(runs, "labels", FUSED, "rmse", k, digits=3)]
                if errors
                else []
            ),
        ]
        for k, name in enumerate(names)
    ]
    alone = [own if own == FUSED else f"{own} alone" for own in told]
    what = "number" if errors else "label"
    about = f"{capital(measure)} in % by {what}"
    if errors:
        about += ", and the fused RMSE in its unit"
    header = [what, *alone, *(["RMSE"] if errors else [])]
    return [f"{about}:", "", markdown_table(header, rows)]


def _scores(
    runs: Sequence[Mapping[str, Any]], results: Mapping[str, Any]
) -> str:
    keys = [key for key in TITLES if key in runs[0]["scores"][FUSED]]
    rows = [
        [
            name if name == FUSED else f"{name} alone",
            *(
                _of(runs, "scores", name, key, digits=3)
                if key in PLAIN
                else _of(runs, "scores", name, key, scale=100)
                for key in keys
            ),
        ]
        for name in runs[0]["scores"]
    ]
    unit = "in %"
    if keys[0] in PLAIN:
        unit = "in deviations" if "label_names" in results else "in its unit"
    header = [unit, *(TITLES[key] for key in keys)]
    return markdown_table(header, rows)


def _subsets(
    runs: Sequence[Mapping[str, Any]], modalities: Sequence[str], measure: str
) -> str:
    names = list(runs[0]["subsets"])
    if len(modalities) <= _MOST:
        rows = [[name, _of(runs, "subsets", name, scale=100)] for name in names]
        return markdown_table(["there", measure], rows)
    rows = []
    for size in range(len(modalities), 0, -1):
        own = [n for n in names if n.count(SEPARATOR) == size - 1]
        table = np.stack([_values(runs, "subsets", n) for n in own], axis=1)
        rows.append(
            [
                f"any {size}",
                str(len(own)),
                mean_and_sd(100 * np.mean(table, axis=1)),
                mean_and_sd(100 * np.min(table, axis=1)),
                own[int(np.argmin(np.mean(table, axis=0)))],
            ]
        )
    header = ["there", "subsets", "mean", "least", "least of"]
    return markdown_table(header, rows)


def _patterns(runs: Sequence[Mapping[str, Any]], measure: str) -> str:
    rows = [
        [
            name,
            str(found["examples"]),
            _of(runs, "patterns", name, "accuracy", scale=100),
        ]
        for name, found in runs[0]["patterns"].items()
    ]
    return markdown_table(["has", "examples", measure], rows)


def _noise(runs: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            name,
            *(
                _of(runs, "noise", name, k, scale=100)
                for k in range(len(LEVELS))
            ),
        ]
        for name in runs[0]["noise"]
    ]
    header = ["noise in", *(f"{level:g}" for level in LEVELS)]
    return markdown_table(header, rows)


def _of(
    runs: Sequence[Mapping[str, Any]],
    *keys: str | int,
    scale: float = 1.0,
    digits: int = 1,
) -> str:
    """Mean and deviation over runs of what is under the keys."""
    return mean_and_sd(scale * _values(runs, *keys), digits)


def _values(runs: Sequence[Mapping[str, Any]], *keys: str | int) -> np.ndarray:
    values = []
    for run in runs:
        found: Any = run
        for name in keys:
            found = found[name]
        values.append(number(found))
    return np.asarray(values)


def number(value: float | None) -> float:
    """JSON keeps null in the place of what is not finite."""
    return np.nan if value is None else value
