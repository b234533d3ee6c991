"""The second table of a comparison: what is beyond accuracy, by method."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arm_jax.analysis.scores import FUSED
from arm_jax.data.outputs import SEPARATOR
from arm_jax.probing import LEVELS
from arm_jax.reports.pieces import fixed, markdown_table, mean_and_sd
from arm_jax.reports.scores import (
    PLAIN,
    TITLES,
    best_alone,
    lack_modalities,
    number,
)

_GAP = "gap"
# Decimals of what is not in %.
_DIGITS = dict.fromkeys((TITLES[key] for key in PLAIN), 3) | {_GAP: 2}
_ABOUT = (
    "AUROC: one class against the rest, mean over classes. ECE: expected "
    "calibration error in 15 bins, in %. Without: accuracy when the modality "
    "is missing at test. Noise: Gaussian, in the inputs of one modality, of so "
    "many deviations of the channel; accuracy, mean over the modality that has "
    "it. Gap: mean difference of the modalities' phi_CMI, in bits."
)


def table(
    results: Mapping[str, Mapping[str, Any]], *, several: bool = False
) -> list[str]:
    """Returns the lines of a comparison's table, and its warnings.

    Args:
      results: By label: `modalities` and `runs`.
      several: Whether an example has several labels, or numbers.
    """
    told = {
        label: one
        for label, one in results.items()
        if all("scores" in run for run in one["runs"])
    }
    lines = []
    if told:
        lines += [_about(told, several=several), "", _by_method(told), ""]
    found = {label: best_alone(one) for label, one in results.items()}
    below = [
        f"{label} ({best[0]} alone, by {fixed(best[1], 1)} points)"
        for label, best in found.items()
        if best is not None
    ]
    if below:
        first = next(iter(results.values()))
        of = ", on the examples that have it" * lack_modalities(first)
        lines += [
            f"Warning: fused predictions below the best modality alone{of}: "
            + ", ".join(below)
            + ".",
            "",
        ]
    return lines


def _about(results: Mapping[str, Mapping[str, Any]], *, several: bool) -> str:
    """What the columns of a comparison are."""
    first = next(iter(results.values()))
    keys = first["runs"][0]["scores"][FUSED]
    of_auroc, of_ece, others = _ABOUT.split(". ", 2)
    if lack_modalities(first):
        others += (
            " Examples lack modalities: without one, and with one alone, are "
            "those counted that have all that is left."
        )
    if "rmse" in keys:
        unit = "the number's unit"
        if several:
            unit = "deviations in training, means over the numbers"
        return (
            f"RMSE, MAE: in {unit}. Correlation: Pearson's. "
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
            name: {key: round(number(x), 5) for key, x in of.items()}
            for name, of in run["scores"].items()
        },
        "subsets": {
            name: round(number(x), 5)
            for name, x in run["subsets"].items()
            if name in missing
        },
        "noise": {
            name: [round(number(x), 5) for x in of]
            for name, of in run["noise"].items()
        },
        "contribution_gap": round(number(run["contribution_gap"]), 5),
        **({"patterns": run["patterns"]} if "patterns" in run else {}),
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
        title: (1 if key in PLAIN else 100) * number(run["scores"][FUSED][key])
        for key, title in TITLES.items()
        # It has a column of the table before.
        if key in run["scores"][FUSED] and key != "macro_f1"
    }
    several = modalities if len(modalities) > 1 else ()
    for m in several:
        rest = SEPARATOR.join(_others(modalities, m))
        found[f"without {m}"] = 100 * number(run["subsets"][rest])
    if run["noise"]:
        mean = np.mean(list(run["noise"].values()), axis=0)
        for level, x in zip(LEVELS, mean, strict=True):
            found[f"noise {level:g}"] = 100 * float(x)
    if several:
        found[_GAP] = number(run["contribution_gap"])
    return found


def _others(modalities: Sequence[str], name: str) -> list[str]:
    return [m for m in modalities if m != name]
