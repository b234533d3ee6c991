"""Splits that a file does not give: parts drawn at random."""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from arm_jax.data import stratification
from arm_jax.data.dataset import SPLITS
from arm_jax.errors import InputError

# A drawn validation or test part is one fold of this many.
FOLDS = 5


def split_codes(
    name: str,
    given: np.ndarray | None,
    labels: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> np.ndarray:
    """Returns the split of each row; parts that are not given are drawn.

    Args:
      name: name of the file.
      given: split of each row, `[n]`, if there is one.
      labels: what parts are to have their share of: classes `[n]`, or a table
        of labels `[n, labels]`.
      groups: rows of one group stay together, `[n]`; None for no groups.
      seed: random seed.

    Raises:
      InputError: too few rows, groups, or rows of a class.
    """
    train, validation, test = range(len(SPLITS))
    if given is None:
        codes = np.full(len(labels), train)
        codes[_drawn(name, codes == train, labels, groups, seed)] = test
    else:
        codes = given
    if (codes == train).any() and not (codes == validation).any():
        codes[_drawn(name, codes == train, labels, groups, seed)] = validation
    return codes


def _drawn(
    name: str,
    candidates: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> np.ndarray:
    """Returns one in FOLDS of the candidates, as row numbers."""
    rows = np.flatnonzero(candidates)
    labels = labels[rows]
    if labels.ndim > 1:
        of_row = np.arange(len(rows)) if groups is None else groups[rows]
        number = len(np.unique(of_row))
        _check_enough(name, number, "rows" if groups is None else "groups")
        rng = np.random.default_rng(seed)
        return rows[stratification.drawn(labels, of_row, 1 / FOLDS, rng)]
    if groups is None:
        values, counts = np.unique(labels, return_counts=True)
        what = f"rows of class {values[counts.argmin()]}"
        units = int(counts.min())
        if len(values) == 1:
            what = "rows"
        folds = StratifiedKFold
    else:
        groups = groups[rows]
        units, what = len(np.unique(groups)), "groups"
        folds = StratifiedGroupKFold
    _check_enough(name, units, what)
    parts = folds(FOLDS, shuffle=True, random_state=seed)
    _, drawn = next(parts.split(rows, labels, groups))
    return rows[drawn]


def _check_enough(name: str, units: int, what: str) -> None:
    if units < FOLDS:
        raise InputError(
            f"{name}: too few {what} ({units}) to draw a part of one in "
            f"{FOLDS}; give a split array"
        )
