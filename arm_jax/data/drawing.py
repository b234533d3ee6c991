"""Splits that a file does not give: parts drawn at random."""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

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
    """Returns the split of each row; parts that are not given are drawn."""
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
    if units < FOLDS:
        raise InputError(
            f"{name}: too few {what} ({units}) to draw a part of one in "
            f"{FOLDS}; give a split array"
        )
    parts = folds(FOLDS, shuffle=True, random_state=seed)
    _, drawn = next(parts.split(rows, labels, groups))
    return rows[drawn]
