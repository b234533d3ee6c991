"""Estimators on problems whose answer is known, as Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from arm_jax.reports.pieces import fixed, markdown_table

_METHODS = {"batch": "BATCH", "symbols": "symbols", "posteriors": "posteriors"}


def several(values: Any, digits: int = 3) -> str:
    """Returns numbers, such as R, U1, U2, S, in one cell."""
    return " ".join(fixed(v, digits) for v in values)


def table(results: Mapping[str, Any]) -> str:
    """One row per problem and method: means, error, time and memory."""
    rows = []
    for one in results["rows"]:
        estimates, exact = np.array(one["estimates"]), np.array(one["truth"])
        error = estimates - exact
        rows.append(
            [
                one["problem"],
                _METHODS[one["method"]],
                several(exact, 2),
                several(estimates.mean(0), 2),
                several(np.sqrt((error**2).mean(0))),
                fixed(np.abs(error).max(), 2),
                fixed(np.mean(one["seconds"]), 1),
                fixed(one["megabytes"], 0),
            ]
        )
    header = [
        "problem", "method", "truth R U1 U2 S", "mean", "rms error", "worst",
        "s", "MB",
    ]  # fmt: skip
    return markdown_table(header, rows)


def answer(results: Mapping[str, Any]) -> str:
    """What came out, in one sentence."""
    errors: dict[str, list[float]] = {}
    for one in results["rows"]:
        error = np.array(one["estimates"]) - np.array(one["truth"])
        squares = errors.setdefault(_METHODS[one["method"]], [])
        squares.append(float((error**2).mean()))
    said = [
        f"{fixed(np.sqrt(np.mean(squares)), 2)} bits from {name}"
        for name, squares in errors.items()
    ]
    count = len({one["problem"] for one in results["rows"]})
    return (
        f"On {count} problems whose answer is known, estimates are wrong by "
        f"{', '.join(said)} (root mean square)."
    )


def markdown(results: Mapping[str, Any]) -> str:
    """Returns the report."""
    return (
        "# Estimators on problems whose answer is known\n\n"
        f"{results['samples']:,} samples, {results['draws']} draws; bits.\n\n"
        f"{table(results)}\n"
    )
