"""Tables of counts, the layout by unit that everything else rests on."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from bounds import inputs
from bounds.errors import InputError


class Samples(NamedTuple):
    """Counts of samples, and by unit if samples are not independent.

    Attributes:
      counts: int64 `[*alphabets]`; of weighted samples float64, sums of weights
        of mean 1.
      by_unit: sparse counts `[units, cells]`; None if each sample is a unit
        and has no weight.
      unjoined: those of the units that were joined in the batches that are
        `by_unit`; None if none were. A batch has more than one label where its
        units have one each.
    """

    counts: np.ndarray
    by_unit: Any
    unjoined: Any = None

    @property
    def weighted(self) -> bool:
        """Whether the samples have weights."""
        return self.counts.dtype.kind == "f"

    @property
    def mass(self) -> float:
        """Sum of the counts."""
        return float(self.counts.sum())

    @property
    def size(self) -> int:
        """Number of samples; of weighted ones their mass, rounded."""
        return round(self.mass)

    @property
    def units(self) -> int:
        """Number of independent units."""
        return self.size if self.by_unit is None else self.by_unit.shape[0]


def checked(name: str, samples: Any, rank: int | None = None) -> Samples:
    """Returns counts of samples, such as `count` makes.

    Raises:
      InputError: Another type; a table of another rank; counts that are not
        counts; no samples.
    """
    if not isinstance(samples, Samples):
        raise InputError(
            f"{name} must be what samples.count returns, got "
            f"{type(samples).__name__}"
        )
    counts = samples.counts
    kinds = "iu" if samples.by_unit is None else "iuf"
    if not isinstance(counts, np.ndarray) or counts.dtype.kind not in kinds:
        raise InputError(f"{name}.counts must be an array of integers")
    if rank is not None and counts.ndim != rank:
        raise InputError(
            f"{name} must count {rank} variables, got a table of shape "
            f"{counts.shape}"
        )
    if counts.min(initial=0) < 0:
        index = inputs.first(counts < 0)
        raise InputError(
            f"{name}.counts{inputs.subscript(index)} is {counts[index]}"
        )
    if not counts.any():
        raise InputError(f"{name} has no samples")
    return samples


def marginal(samples: Samples, axes: Iterable[int]) -> Samples:
    """Sums variables away.

    Args:
      samples: Counts of samples.
      axes: Axes of the variables.

    Raises:
      InputError: An axis that the table does not have, or has been given
        twice; or every axis.
    """
    samples = checked("samples", samples)
    shape = samples.counts.shape
    gone = set()
    for axis in inputs.listed("axes", axes):
        axis = inputs.integer("axes", axis, -len(shape))
        if axis >= len(shape) or axis % len(shape) in gone:
            raise InputError(
                f"axes must be different axes of a table of shape {shape}, "
                f"got {axis}"
            )
        gone.add(axis % len(shape))
    kept = [i for i in range(len(shape)) if i not in gone]
    if not kept:
        raise InputError("axes must leave a variable")
    counts = samples.counts.sum(tuple(gone))

    def summed(by_unit: Any) -> Any:
        if by_unit is None:
            return None
        at = np.unravel_index(by_unit.indices, shape)
        flat = np.ravel_multi_index(tuple(at[i] for i in kept), counts.shape)
        unit = np.repeat(np.arange(by_unit.shape[0]), np.diff(by_unit.indptr))
        return by_units(by_unit.data, unit, flat, counts.size)

    return Samples(counts, summed(samples.by_unit), summed(samples.unjoined))


def by_units(
    many: np.ndarray, unit: np.ndarray, cell: np.ndarray, cells: int
) -> scipy.sparse.csr_array:
    """Sparse counts `[units, cells]`."""
    shape = (int(unit.max()) + 1, cells)
    by_unit = scipy.sparse.csr_array((many, (unit, cell)), shape=shape)
    by_unit.sum_duplicates()
    return by_unit
