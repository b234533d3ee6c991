"""Estimators on problems whose answer is known, as Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from arm_jax.reports.pieces import fixed, markdown_table

_METHODS = {"batch": "BATCH", "symbols": "symbols", "posteriors": "posteriors"}


def four(values: Any, digits: int = 3) -> str:
    """Returns R, U1, U2, S in one cell."""
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
                four(exact, 2),
                four(estimates.mean(0), 2),
                four(np.sqrt((error**2).mean(0))),
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


def markdown(results: Mapping[str, Any]) -> str:
    """Returns the report."""
    return (
        f"{results['samples']:,} samples, {results['draws']} draws; bits.\n\n"
        f"{table(results)}\n"
    )
