"""What tuning chose, and by how much it matters."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from arm_jax.reports.pieces import difference, fixed, markdown_table

# Of each run: `point`, and by point accuracies on `validation` and `test`.
Choices = Sequence[Mapping[str, Any]]

ABOUT = (
    "Each method was tuned among the points of its grid, at most six, on "
    "validation and for each seed by itself. `chosen` counts the seeds. "
    "`range` is the accuracy of the best point on validation less that of the "
    "worst, both in the mean over runs; `gained` is what the chosen points "
    "have on the test split more than the one as configured, paired by run, "
    "with its 95 % interval."
)


def table(
    tuning: Mapping[str, Choices],
    *,
    on_test: bool = True,
    variants: Sequence[str] = (),
) -> str:
    """One row per method.

    Args:
      tuning: Choices by label.
      on_test: Whether to say what was gained on the test split.
      variants: The variant of each run, if there are several.
    """
    rows = []
    for label, choices in tuning.items():
        points = list(choices[0]["validation"])
        counts = Counter(run["point"] for run in choices)
        # The commonest first, of equal ones in the order of the grid.
        order = sorted(counts, key=lambda p: (-counts[p], points.index(p)))
        mean = [
            100 * np.mean(_floats(run["validation"][p] for run in choices))
            for p in points
        ]
        row = [
            label,
            str(len(points)),
            "; ".join(f"{p}: {counts[p]}" for p in order),
            fixed(max(mean) - min(mean), 1),
        ]
        if on_test:
            taken = _floats(run["test"][run["point"]] for run in choices)
            first = _floats(run["test"][points[0]] for run in choices)
            gained = 100 * taken, 100 * first
            row.append(difference(*gained, variants))
        rows.append(row)
    header = ["method", "points", "chosen", "range"]
    return markdown_table([*header, "gained"] if on_test else header, rows)


def _floats(values: Iterable[float | None]) -> np.ndarray:
    # JSON keeps null in the place of what is not finite.
    return np.asarray(list(values), float)
