"""Tables of different samples, made to agree: iterative fitting."""

import numpy as np

from bounds.errors import InputError
from bounds.estimation import estimators

_RAKES = 100


def consistent_marginals(
    p12: np.ndarray, p1y: np.ndarray, p2y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Makes tables of different samples agree about each single variable.

    Each variable gets the mean of what its two tables say, and each table is
    raked to that (iterative proportional fitting). A symbol that one of them
    lacks is put there as if independent.

    Args:
      p12: Counts or probabilities of (x1, x2), `[batch, x1, x2]`.
      p1y: Those of (x1, y), `[batch, x1, y]`.
      p2y: Those of (x2, y), `[batch, x2, y]`.

    Returns:
      Distributions of these shapes.

    Raises:
      InputError: No counts; shapes that do not agree.
    """
    tables = []
    for name, t in (("p12", p12), ("p1y", p1y), ("p2y", p2y)):
        t = estimators.checked_counts(name, t, 2).astype(np.float64)
        tables.append(t / t.sum((-2, -1), keepdims=True))
    p12, p1y, p2y = tables
    (*batch, n1, n2), (*_, ny) = p12.shape, p1y.shape
    if p1y.shape != (*batch, n1, ny) or p2y.shape != (*batch, n2, ny):
        raise InputError(
            "alphabets differ: (x1, x2), (x1, y), (x2, y) have shapes "
            f"{p12.shape}, {p1y.shape}, {p2y.shape}"
        )
    x1 = (p12.sum(-1) + p1y.sum(-1)) / 2
    x2 = (p12.sum(-2) + p2y.sum(-1)) / 2
    y = (p1y.sum(-2) + p2y.sum(-2)) / 2
    return _rake(p12, x1, x2), _rake(p1y, x1, y), _rake(p2y, x2, y)


def _rake(p: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    rows, columns = rows[..., :, None], columns[..., None, :]
    # What one table never saw starts as independent of the other variable.
    unseen = (p.sum(-1, keepdims=True) == 0) | (p.sum(-2, keepdims=True) == 0)
    p = np.where(unseen, rows * columns, p)
    for _ in range(_RAKES):
        total = p.sum(-1, keepdims=True)
        p = p * rows / np.where(total > 0, total, 1)
        total = p.sum(-2, keepdims=True)
        p = p * columns / np.where(total > 0, total, 1)
        if np.abs(p.sum(-1, keepdims=True) - rows).max() < 1e-9:
            break
    return p / p.sum((-2, -1), keepdims=True)
