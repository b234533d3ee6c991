"""The map of a screening: which pairs of many modalities interact."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.reports.pieces import figure, fixed, markdown_table, plainly

# Inches of one modality, and of what is around the map.
_CELL, _AROUND = 0.32, 2.2
_WORDS = {
    "redundancy": "redundancy R",
    "synergy": "synergy S",
    "total": "total information",
}


def table(results: Mapping[str, Any], most: int = 30) -> str:
    """The pairs by adjusted p-value, the smallest first, as Markdown.

    Args:
      results: fields of `bounds.estimation.screening.Screening`.
      most: rows at most; discoveries are all shown.
    """
    names, adjusted = results["names"], np.asarray(results["adjusted"])
    value = np.asarray(results["value"])
    order = np.lexsort((-value, adjusted))
    found = adjusted <= results["level"]
    rows = [
        [
            names[results["first"][i]],
            names[results["second"][i]],
            fixed(value[i], 3),
            fixed(results["plug_in"][i], 3),
            f"{results['p_value'][i]:.2g}",
            f"{adjusted[i]:.2g}",
            "yes" if found[i] else "no",
        ]
        for i in order[: max(most, int(found.sum()))]
    ]
    header = [
        "first", "second", f"{results['quantity']}, bits", "plug-in", "p",
        "adjusted p", "found",
    ]  # fmt: skip
    return markdown_table(header, rows)


def sentence(results: Mapping[str, Any]) -> str:
    """What was tested, and how many pairs were found."""
    found = int((np.asarray(results["adjusted"]) <= results["level"]).sum())
    kind = {"by": "Benjamini and Yekutieli", "bh": "Benjamini and Hochberg"}
    return (
        f"{len(results['adjusted']):,} pairs of {len(results['names'])} "
        f"modalities; {found} have {_WORDS[results['quantity']]} at a false "
        f"discovery rate of {results['level']:g} ({kind[results['method']]})."
    )


answer = sentence


def map_figure(results: Mapping[str, Any], path: Path) -> None:
    """Draws the quantity of every pair; a dot marks those that were found.

    Args:
      results: fields of `bounds.estimation.screening.Screening`.
      path: the file, of any type that matplotlib writes.
    """
    names = list(results["names"])
    number = len(names)
    square = np.full((number, number), np.nan)
    marks = np.zeros((number, number), bool)
    first, second = (np.asarray(results[k]) for k in ("first", "second"))
    found = np.asarray(results["adjusted"]) <= results["level"]
    # Each pair once.
    square[second, first], marks[second, first] = results["value"], found
    side = _AROUND + _CELL * number
    with figure(path, figsize=(side, side - 0.6)) as (_, axis):
        image = axis.imshow(square, cmap="cividis", vmin=0)
        row, column = np.nonzero(marks)
        axis.plot(column, row, ".", color="white", markeredgecolor="black")
        axis.set_xticks(range(number), names, rotation=90)
        axis.set_yticks(range(number), names)
        axis.grid(False)
        axis.figure.colorbar(image, ax=axis, label="bits", shrink=0.7)
        axis.set_title(_WORDS[results["quantity"]], loc="left")


def markdown(results: Mapping[str, Any]) -> str:
    """Returns the report."""
    results = plainly(results)
    return (
        f"# Screening of {results['dataset']}\n\n{sentence(results)}\n\n"
        f"{table(results)}\n\n![map](map.svg)\n"
    )
