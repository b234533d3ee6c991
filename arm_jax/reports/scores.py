"""Tables beyond accuracy, of one training and of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arm_jax.analysis.scores import FUSED
from arm_jax.data.outputs import SEPARATOR
from arm_jax.probing import LEVELS
from arm_jax.reports.pieces import (
    fixed,
    markdown_table,
    mean_and_sd,
    percent,
)

# More subsets than those of so many modalities are told by their sizes.
_MOST = 4
_GAP = "gap"
# Titles of what is read off the predictions, by key.
_TITLES = {
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
ABOUT = (
    "AUROC: one class against the rest, mean over classes. ECE: expected "
    "calibration error in 15 bins, in %. Without: accuracy when the modality "
    "is missing at test. Noise: Gaussian, in the inputs of one modality, of so "
    "many deviations of the channel; accuracy, mean over the modality that has "
    "it. Gap: mean difference of the modalities' phi_CMI, in bits."
)


# Those that are no shares of 1, and decimals of what is not in %.
_PLAIN = ("rmse", "mae", "correlation")
_DIGITS = dict.fromkeys((_TITLES[key] for key in _PLAIN), 3) | {_GAP: 2}


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
    names = results.get("label_names", ())
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
    lines = [f"## Beyond {measure}", "", _scores(runs), ""]
    if len(modalities) > 1:
        lines += [
            f"{measure.capitalize()} in % by the modalities that are there at "
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
    return (
        f"Warning: the fused prediction is below {name} alone, by "
        f"{fixed(loss, 1)} points of test {word(results)} in the mean. Fusing "
        "costs more than it gives here."
    )


def best_alone(results: Mapping[str, Any]) -> tuple[str, float] | None:
    """The best modality alone, where the fused prediction is below it.

    Returns:
      Its name and by how many points, in the mean over runs at the last epoch;
      None if the fused prediction is no worse, to a tenth of a point.
    """
    if len(results["modalities"]) < 2:
        return None
    alone = {
        m: percent(results, f"accuracy_{m}").mean()
        for m in results["modalities"]
    }
    # Of a modality that no example has it is NaN.
    best = max(alone, key=lambda m: np.nan_to_num(alone[m], nan=-np.inf))
    loss = float(alone[best] - percent(results, "accuracy").mean())
    # What rounds to nothing is no warning.
    return (best, loss) if loss >= 0.05 else None


def comparison(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns the lines of a comparison's table, and its warnings.

    Args:
      results: By label: `modalities` and `runs`.
    """
    told = {
        label: one
        for label, one in results.items()
        if all("scores" in run for run in one["runs"])
    }
    lines = []
    if told:
        lines += [_about(told), "", _by_method(told), ""]
    found = {label: best_alone(one) for label, one in results.items()}
    below = [
        f"{label} ({best[0]} alone, by {fixed(best[1], 1)} points)"
        for label, best in found.items()
        if best is not None
    ]
    if below:
        lines += [
            "Warning: fused predictions below the best modality alone: "
            + ", ".join(below)
            + ".",
            "",
        ]
    return lines


def _about(results: Mapping[str, Mapping[str, Any]]) -> str:
    """What the columns of a comparison are."""
    first = next(iter(results.values()))
    keys = first["runs"][0]["scores"][FUSED]
    of_auroc, of_ece, others = ABOUT.split(". ", 2)
    if "rmse" in keys:
        return (
            "RMSE, MAE: in the number's unit. Correlation: Pearson's. "
            + others.replace("accuracy", "R^2")
        )
    if "exact_match" in keys:
        of_auroc = "mAP, AUROC: means over the labels"
    return f"{of_auroc}. {of_ece}. {others}"


def kept(run: Mapping[str, Any], modalities: Sequence[str]) -> dict[str, Any]:
    """Returns what `comparison` needs of a run."""
    if "scores" not in run:
        return {}
    missing = {SEPARATOR.join(_others(modalities, m)) for m in modalities}
    # More digits than any table has.
    return {
        "scores": {
            name: {key: round(_number(x), 5) for key, x in of.items()}
            for name, of in run["scores"].items()
        },
        "subsets": {
            name: round(_number(x), 5)
            for name, x in run["subsets"].items()
            if name in missing
        },
        "noise": {
            name: [round(x, 5) for x in of] for name, of in run["noise"].items()
        },
        "contribution_gap": round(_number(run["contribution_gap"]), 5),
    }


def _by_method(results: Mapping[str, Mapping[str, Any]]) -> str:
    rows: list[list[str]] = []
    columns: dict[str, list[float]] = {}
    for label, one in results.items():
        told = [_beyond(run, one["modalities"]) for run in one["runs"]]
        columns = {name: [x[name] for x in told] for name in told[0]}
        cells = [
            mean_and_sd(values, _DIGITS.get(name, 1))
            for name, values in columns.items()
        ]
        rows.append([label, *cells])
    return markdown_table(["method", *columns], rows)


def _beyond(
    run: Mapping[str, Any], modalities: Sequence[str]
) -> dict[str, float]:
    """What the table of a comparison has of a run, by column."""
    found = {
        title: (1 if key in _PLAIN else 100)
        * _number(run["scores"][FUSED][key])
        for key, title in _TITLES.items()
        # It has a column of the table before.
        if key in run["scores"][FUSED] and key != "macro_f1"
    }
    several = modalities if len(modalities) > 1 else ()
    for m in several:
        rest = SEPARATOR.join(_others(modalities, m))
        found[f"without {m}"] = 100 * _number(run["subsets"][rest])
    if run["noise"]:
        mean = np.mean(list(run["noise"].values()), axis=0)
        for level, x in zip(LEVELS, mean, strict=True):
            found[f"noise {level:g}"] = 100 * float(x)
    if several:
        found[_GAP] = _number(run["contribution_gap"])
    return found


def _scores(runs: Sequence[Mapping[str, Any]]) -> str:
    keys = [key for key in _TITLES if key in runs[0]["scores"][FUSED]]
    rows = [
        [
            name if name == FUSED else f"{name} alone",
            *(
                _of(runs, "scores", name, key, digits=3)
                if key in _PLAIN
                else _of(runs, "scores", name, key, scale=100)
                for key in keys
            ),
        ]
        for name in runs[0]["scores"]
    ]
    unit = "in its unit" if keys[0] in _PLAIN else "in %"
    header = [unit, *(_TITLES[key] for key in keys)]
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
        values.append(_number(found))
    return np.asarray(values)


def _number(value: float | None) -> float:
    """JSON keeps null in the place of what is not finite."""
    return np.nan if value is None else value


def _others(modalities: Sequence[str], name: str) -> list[str]:
    return [m for m in modalities if m != name]
