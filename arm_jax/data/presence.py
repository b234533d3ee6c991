"""Which modalities examples have, where some of them lack some."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arm_jax.data import packed
from arm_jax.errors import InputError

# Begins the name of the array that says which rows have a modality.
PREFIX = "present_"


def read(
    archive: packed.Archive, chosen: Sequence[str], rows: int
) -> dict[str, np.ndarray]:
    """Returns which rows have a modality, bool `[n]`, where the file says it.

    Raises:
      InputError: No vector of True and False, or 1 and 0, of all rows; or a
        row without any modality.
    """
    found: dict[str, np.ndarray] = {}
    for key in chosen:
        if PREFIX + key not in archive.names:
            continue
        x = archive.read(PREFIX + key)
        where = f"{archive.path.name}: '{packed.shown(PREFIX + key)}'"
        if x.shape != (rows,) or x.dtype.kind not in "biu":
            raise InputError(
                f"{where} must be a vector of True and False, one of each of "
                f"the {rows} rows, got {x.dtype} {x.shape}"
            )
        other = np.flatnonzero((x != 0) & (x != 1))
        if len(other):
            at = other[0]
            raise InputError(f"{where}[{at}] is {x[at]}, neither 1 nor 0")
        found[key] = x != 0
    if len(found) == len(chosen):
        none = np.flatnonzero(~np.any(list(found.values()), axis=0))
        if len(none):
            raise InputError(
                f"{archive.path.name}: row {none[0]} has no modality at all, "
                f"and so {len(none)} of {rows} rows: drop them"
            )
    return found


def stacked(
    present: Mapping[str, np.ndarray], chosen: Sequence[str], rows: np.ndarray
) -> np.ndarray | None:
    """Returns what the rows have, `[rows, modalities]`; None for everything."""
    if not present:
        return None
    columns = [
        present[key][rows] if key in present else np.ones(len(rows), bool)
        for key in sorted(chosen)
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def blanked(
    where: str, x: np.ndarray, present: np.ndarray, train: np.ndarray
) -> np.ndarray:
    """Returns a modality with 0 in the rows that lack it.

    Args:
      where: What `x` is, for messages.
      x: `[n, ...]`.
      present: Bool `[n]`.
      train: Rows of the training split.

    Raises:
      InputError: None of those has it.
    """
    if not present[train].any():
        raise InputError(f"{where}: no training row has it")
    x = x.copy()
    x[~present] = 0
    return x


def of(split: Any, modality: str) -> Any:
    """Returns the rows of a split that have a modality, as an index."""
    if split.present is None:
        return slice(None)
    return split.present[:, split.modalities.index(modality)] > 0


def check(where: str, present: np.ndarray, shape: tuple[int, int]) -> None:
    """Checks an array of presence `[n, modalities]`.

    Raises:
      InputError: Another shape or type than float32 `shape`, an entry other
        than 0 and 1, or an example without any modality.
    """
    if present.shape != shape or present.dtype != np.float32:
        raise InputError(
            f"{where}: present must be float32 {shape}, got {present.dtype} "
            f"{present.shape}"
        )
    bad = np.flatnonzero(~np.isin(present, (0, 1)).all(1) | ~present.any(1))
    if len(bad):
        raise InputError(
            f"{where}: present[{bad[0]}] is {present[bad[0]].tolist()}; it must"
            " be 1 for what an example has, one modality at least, and else 0"
        )
