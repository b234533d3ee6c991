"""Tables of counts, and what resampling makes of them.

Samples come in units that are independent of each other: each sample its own
unit, or groups such as all windows of one recording. Everything here is about
tables of one shape `[*alphabets]`, of any rank.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import scipy.stats

from bounds.errors import InputError

# Units that are kept apart at most. Beyond, random batches of them take their
# place: their number, not their kind, is what the noise of a resample has.
_MOST_UNITS = 20_000


class Samples(NamedTuple):
    """Counts of samples, and by unit if samples are not independent.

    Attributes:
      counts: int64 `[*alphabets]`.
      by_unit: sparse counts `[units, cells]`; None if each sample is a unit.
    """

    counts: np.ndarray
    by_unit: Any

    @property
    def size(self) -> int:
        """Number of samples."""
        return int(self.counts.sum())

    @property
    def units(self) -> int:
        """Number of independent units."""
        return self.size if self.by_unit is None else self.by_unit.shape[0]


def count(
    symbols: Sequence[np.ndarray],
    shape: Sequence[int],
    *,
    names: Sequence[str] | None = None,
    units: np.ndarray | None = None,
    seed: int = 0,
) -> Samples:
    """Counts how often each combination of symbols occurs.

    Args:
      symbols: integer arrays `[n]`, one a variable.
      shape: sizes of their alphabets.
      names: of the variables, for messages.
      units: integer `[n]`, equal for samples that are not independent, such
        as windows of one recording; None if all are.
      seed: of the batches that take the place of more than 20,000 units.

    Raises:
      InputError: no samples; lengths that differ; no integers; or a symbol
        outside its alphabet.
    """
    if names is None:
        names = [f"symbols[{i}]" for i in range(len(symbols))]
    arrays = [np.asarray(s) for s in symbols]
    lengths = [a.shape[0] if a.ndim == 1 else a.shape for a in arrays]
    if len({str(n) for n in lengths}) > 1 or not isinstance(lengths[0], int):
        raise InputError(
            "samples must be paired vectors, got lengths "
            + ", ".join(
                f"{n}: {k}" for n, k in zip(names, lengths, strict=True)
            )
        )
    if not lengths[0]:
        raise InputError(f"{names[0]} has no samples")
    for name, a, size in zip(names, arrays, shape, strict=True):
        if a.dtype.kind not in "iub":
            raise InputError(f"{name} must be integers, got {a.dtype}")
        bad = np.flatnonzero((a < 0) | (a >= size))
        if len(bad):
            raise InputError(
                f"{name}[{bad[0]}] is {a[bad[0]]}, outside 0..{size - 1}"
            )
    cells = math.prod(shape)
    flat = np.ravel_multi_index(tuple(arrays), tuple(shape))
    counts = np.bincount(flat, minlength=cells).reshape(tuple(shape))
    if units is None:
        return Samples(counts, None)
    units = np.asarray(units)
    if units.shape != flat.shape:
        raise InputError(
            f"units has shape {units.shape}, {names[0]} has {len(flat)} samples"
        )
    unit = batches(np.unique(units, return_inverse=True)[1], seed)
    found = int(unit.max()) + 1
    by_unit = scipy.sparse.csr_array(
        (np.ones(len(flat)), (unit, flat)), shape=(found, cells)
    )
    by_unit.sum_duplicates()
    return Samples(counts, by_unit)


def batches(unit: np.ndarray, seed: int) -> np.ndarray:
    """Joins units 0 to K-1 at random if there are more than 20,000."""
    found = int(unit.max()) + 1
    if found <= _MOST_UNITS:
        return unit
    order = np.random.default_rng(seed).permutation(found)
    return order[unit] % _MOST_UNITS


def marginal(samples: Samples, axes: tuple[int, ...]) -> Samples:
    """Sums `axes` away."""
    shape = samples.counts.shape
    axes = tuple(a % len(shape) for a in axes)
    by_unit = samples.by_unit
    if by_unit is not None:
        at = list(np.unravel_index(np.arange(math.prod(shape)), shape))
        kept = [i for i in range(len(shape)) if i not in axes]
        small = tuple(shape[i] for i in kept)
        to = np.ravel_multi_index(tuple(at[i] for i in kept), small)
        projection = scipy.sparse.csr_array(
            (np.ones(len(to)), (np.arange(len(to)), to)),
            shape=(len(to), math.prod(small)),
        )
        by_unit = by_unit @ projection
    return Samples(samples.counts.sum(axes), by_unit)


def design_effect(samples: Samples) -> float:
    """How many times noisier the table is than one of independent samples.

    The mean of the cells' design effects, Rao and Scott's first-order factor
    for chi-squared statistics: an information's bias grows by it, and
    `size / design_effect` is the number of samples that count.

    Returns:
      1 for independent samples, or if there are fewer than two units.
    """
    if samples.by_unit is None or samples.units < 2:
        return 1.0
    n, units = samples.size, samples.units
    p = samples.counts.ravel() / n
    # Variance of a ratio estimate of p: residuals are counts - p * unit size.
    of_unit = samples.by_unit.sum(1)
    squares = samples.by_unit.multiply(samples.by_unit).sum(0)
    cross = samples.by_unit.T @ of_unit
    residual = squares - 2 * p * cross + p**2 * (of_unit**2).sum()
    clustered = residual * units / (units - 1) / n**2
    there = (p > 0) & (p < 1)
    if not there.any():
        return 1.0
    # Sum over cells of var / p against that of independent samples.
    alone = (1 - p[there]) / n
    effect = (clustered[there] / p[there]).sum() / alone.sum()
    return float(max(effect, 1.0))


def effective_size(samples: Samples) -> float:
    """Number of independent samples that would be as good."""
    return samples.size / design_effect(samples)


def bootstrap(
    samples: Samples, replicates: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws units with replacement.

    Returns:
      Counts `[replicates, *alphabets]`.
    """
    shape = (replicates, *samples.counts.shape)
    if samples.by_unit is None:
        n = samples.size
        p = samples.counts.ravel() / n
        return rng.multinomial(n, p, replicates).reshape(shape)
    units = samples.units
    weights = rng.multinomial(units, np.full(units, 1 / units), replicates)
    drawn = (samples.by_unit.T @ weights.T.astype(np.float64)).T
    return np.rint(drawn).astype(np.int64).reshape(shape)


def subsample(
    samples: Samples, fraction: float, rng: np.random.Generator
) -> Samples:
    """Draws a fraction of the units without replacement, at least two."""
    keep = min(max(2, round(fraction * samples.units)), samples.units)
    shape = samples.counts.shape
    if samples.by_unit is None:
        counts = rng.multivariate_hypergeometric(
            samples.counts.ravel(), keep, method="marginals"
        )
        return Samples(counts.reshape(shape), None)
    rows = samples.by_unit[rng.choice(samples.units, keep, replace=False)]
    counts = np.rint(rows.sum(0)).astype(np.int64)
    return Samples(counts.reshape(shape), rows)


class LeftOut(NamedTuple):
    """Tables that each lack one block of units.

    Attributes:
      counts: `[blocks, *alphabets]`.
      kept: share of the samples that each table kept, `[blocks]`.
    """

    counts: np.ndarray
    kept: np.ndarray


def leave_out(
    samples: Samples, blocks: int, rng: np.random.Generator
) -> LeftOut:
    """Divides the units at random into blocks and leaves out one at a time."""
    blocks = min(blocks, samples.units)
    flat = samples.counts.ravel()
    sizes = np.bincount(np.arange(samples.units) % blocks)
    if samples.by_unit is None:
        there = np.flatnonzero(flat)
        table = scipy.stats.random_table(sizes, flat[there]).rvs(
            random_state=rng
        )
        out = np.zeros((blocks, flat.size))
        out[:, there] = table
    else:
        block = rng.permutation(np.arange(samples.units) % blocks)
        member = scipy.sparse.csr_array(
            (np.ones(samples.units), (block, np.arange(samples.units))),
            shape=(blocks, samples.units),
        )
        out = (member @ samples.by_unit).toarray()
    kept = 1 - out.sum(1) / samples.size
    counts = np.rint(flat - out).astype(np.int64)
    # A block that is all there is cannot be left out.
    usable = kept > 0
    return LeftOut(
        counts[usable].reshape(-1, *samples.counts.shape), kept[usable]
    )


def permute_last(
    samples: Samples, replicates: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws tables with the last variable permuted: independent of the rest.

    Whole units change place if each unit has one value of the last variable,
    as a recording has one label; samples do otherwise.

    Returns:
      Counts `[replicates, *alphabets]` with the margins of `samples`; where
      units change place, only the margin of the rest is kept exactly.
    """
    shape = samples.counts.shape
    out_shape = (replicates, *shape)
    if samples.by_unit is not None:
        units = samples.units
        of_unit = marginal(samples, tuple(range(len(shape) - 1))).by_unit
        if (of_unit.indptr[1:] - of_unit.indptr[:-1] == 1).all():
            rest = marginal(samples, (-1,)).by_unit
            value = of_unit.indices
            member = np.eye(shape[-1])[value]
            tables = [
                rest.T @ member[rng.permutation(units)]
                for _ in range(replicates)
            ]
            return np.rint(tables).astype(np.int64).reshape(out_shape)
    table = samples.counts.reshape(-1, shape[-1])
    rows, columns = np.flatnonzero(table.sum(1)), np.flatnonzero(table.sum(0))
    out = np.zeros((replicates, *table.shape), np.int64)
    drawn = scipy.stats.random_table(
        table.sum(1)[rows], table.sum(0)[columns]
    ).rvs(replicates, random_state=rng)
    out[:, rows[:, None], columns] = drawn
    return out.reshape(out_shape)
