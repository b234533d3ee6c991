"""Tables of counts, and what resampling makes of them.

Samples come in units that are independent of each other: each sample its own
unit, or groups such as all windows of one recording. Everything here is about
tables of one shape `[*alphabets]`, of any rank, in one file because it rests on
one layout by unit.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
import scipy.stats

from bounds import inputs
from bounds.errors import InputError

# Units that are kept apart at most. Beyond, random batches of them take their
# place: their number, not their kind, is what the noise of a resample has.
_MOST_UNITS = 20_000
# Cells of a table, 2 GB of counts; what resamples it needs several times that.
_MOST_CELLS = 2**28


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
    symbols: Sequence[Any],
    shape: Sequence[int],
    *,
    names: Sequence[str] | None = None,
    units: Any = None,
    seed: int = 0,
) -> Samples:
    """Counts how often each combination of symbols occurs.

    Args:
      symbols: One vector `[n]` of integers per variable.
      shape: Sizes of the variables' alphabets.
      names: Names of the variables, for messages.
      units: Vector `[n]` of any type that can be sorted, such as names of
        recordings, equal for samples that are not independent; None if all
        are.
      seed: Seed of the batches that take the place of more than 20,000 units.

    Raises:
      InputError: What `bounds.inputs.integers` refuses, masks and fractions
        among it; no samples; lengths that differ; a symbol outside its
        alphabet; a missing unit; or more cells than fit into memory.
    """
    symbols, shape = _listed("symbols", symbols), _listed("shape", shape)
    if len(symbols) != len(shape) or not symbols:
        raise InputError(
            f"symbols and shape must have one entry per variable, got "
            f"{len(symbols)} and {len(shape)}"
        )
    shape = tuple(
        inputs.integer(f"shape[{i}]", size, 1) for i, size in enumerate(shape)
    )
    if names is None:
        names = [f"symbols[{i}]" for i in range(len(symbols))]
    elif len(names) != len(symbols):
        raise InputError(
            f"names must have one entry per variable, {len(symbols)}, got "
            f"{len(names)}"
        )
    seed = inputs.seed("seed", seed)
    arrays = [
        inputs.integers(name, s) for name, s in zip(names, symbols, strict=True)
    ]
    n = len(arrays[0])
    if any(len(a) != n for a in arrays):
        lengths = zip(names, map(len, arrays), strict=True)
        raise InputError(
            "samples must be paired vectors, got lengths "
            + ", ".join(f"{name}: {length}" for name, length in lengths)
        )
    if not n:
        raise InputError(f"{names[0]} has no samples")
    for name, a, size in zip(names, arrays, shape, strict=True):
        bad = (a < 0) | (a >= size)
        if bad.any():
            at = int(bad.argmax())
            raise InputError(f"{name}[{at}] is {a[at]}, outside 0..{size - 1}")
    cells = math.prod(shape)
    if cells > _MOST_CELLS:
        raise InputError(
            f"a table of shape {shape} has {cells:,} cells, more than "
            f"{_MOST_CELLS:,}: use fewer symbols"
        )
    flat = np.ravel_multi_index(tuple(arrays), shape)
    counts = np.bincount(flat, minlength=cells).reshape(shape)
    if units is None:
        return Samples(counts, None)
    unit = inputs.codes("units", units)
    if len(unit) != n:
        raise InputError(
            f"units has {len(unit)} entries, {names[0]} has {n} samples"
        )
    unit = batches(unit, seed)
    return Samples(counts, _by_unit(np.ones(n), unit, flat, cells))


def batches(unit: np.ndarray, seed: int) -> np.ndarray:
    """Joins units 0 to K-1 at random if there are more than 20,000."""
    found = int(unit.max()) + 1
    if found <= _MOST_UNITS:
        return unit
    order = np.random.default_rng(seed).permutation(found)
    return order[unit] % _MOST_UNITS


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
    if not isinstance(counts, np.ndarray) or counts.dtype.kind not in "iu":
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
    for axis in _listed("axes", axes):
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
    by_unit = samples.by_unit
    if by_unit is not None:
        at = np.unravel_index(by_unit.indices, shape)
        flat = np.ravel_multi_index(tuple(at[i] for i in kept), counts.shape)
        unit = np.repeat(np.arange(samples.units), np.diff(by_unit.indptr))
        by_unit = _by_unit(by_unit.data, unit, flat, counts.size)
    return Samples(counts, by_unit)


def _by_unit(
    many: np.ndarray, unit: np.ndarray, cell: np.ndarray, cells: int
) -> scipy.sparse.csr_array:
    """Sparse counts `[units, cells]`."""
    shape = (int(unit.max()) + 1, cells)
    by_unit = scipy.sparse.csr_array((many, (unit, cell)), shape=shape)
    by_unit.sum_duplicates()
    return by_unit


def design_effect(samples: Samples) -> float:
    """How many times noisier the table is than one of independent samples.

    The mean of the cells' design effects, Rao and Scott's first-order factor
    for chi-squared statistics: an information's bias grows by it, and
    `size / design_effect` is the number of samples that count.

    Returns:
      1 for independent samples, or if there are fewer than two units.
    """
    samples = checked("samples", samples)
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

    Replicates are drawn one after the other: those of several calls are those
    of one.

    Args:
      samples: Counts of samples.
      replicates: Number of replicates.
      rng: Source of randomness.

    Returns:
      Counts, int64 `[replicates, *alphabets]`.
    """
    samples, rng = checked("samples", samples), _checked_rng(rng)
    replicates = inputs.integer("replicates", replicates)
    flat = samples.counts.ravel()
    out = np.zeros((replicates, flat.size), np.int64)
    if samples.by_unit is None:
        n = samples.size
        # Only what occurs takes time and memory. The last cell takes what is
        # left, so it has to be there for the numbers to be those of the whole
        # table.
        there = flat > 0
        there[-1] = True
        out[:, there] = rng.multinomial(n, flat[there] / n, replicates)
    else:
        units = samples.units
        chances = np.full(units, 1 / units)
        for row in out:
            weights = rng.multinomial(units, chances).astype(np.float64)
            row[:] = np.rint(samples.by_unit.T @ weights)
    return out.reshape(replicates, *samples.counts.shape)


def subsample(
    samples: Samples, fraction: float, rng: np.random.Generator
) -> Samples:
    """Draws a fraction of the units without replacement, at least two.

    Args:
      samples: Counts of samples.
      fraction: Share of the units, at most 1.
      rng: Source of randomness.

    Raises:
      InputError: A fraction that is not positive or above 1.
    """
    samples, rng = checked("samples", samples), _checked_rng(rng)
    if inputs.real("fraction", fraction, above=0) > 1:
        raise InputError(f"fraction must be at most 1, got {fraction}")
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
    """Divides the units at random into blocks and leaves out one at a time.

    Args:
      samples: Counts of samples.
      blocks: Number of blocks; one for each unit if there are fewer.
      rng: Source of randomness.

    Returns:
      The tables; none of a block that is all there is.
    """
    samples, rng = checked("samples", samples), _checked_rng(rng)
    blocks = min(inputs.integer("blocks", blocks, 2), samples.units)
    flat = samples.counts.ravel()
    sizes = np.bincount(np.arange(samples.units) % blocks)
    counts = np.empty((blocks, flat.size), np.int64)
    counts[:] = flat
    if samples.by_unit is None:
        there = np.flatnonzero(flat)
        out = scipy.stats.random_table(sizes, flat[there]).rvs(random_state=rng)
        counts[:, there] -= np.rint(out).astype(np.int64)
    else:
        block = rng.permutation(np.arange(samples.units) % blocks)
        member = scipy.sparse.csr_array(
            (np.ones(samples.units), (block, np.arange(samples.units))),
            shape=(blocks, samples.units),
        )
        out = (member @ samples.by_unit).tocoo()
        counts[out.coords] -= np.rint(out.data).astype(np.int64)
    kept = 1 - (samples.size - counts.sum(1)) / samples.size
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

    Args:
      samples: Counts of samples of two variables or more.
      replicates: Number of tables.
      rng: Source of randomness.

    Returns:
      Counts, int64 `[replicates, *alphabets]`, with the margins of `samples`;
      where units change place, only the margin of the rest is kept exactly.
    """
    samples, rng = checked("samples", samples), _checked_rng(rng)
    replicates = inputs.integer("replicates", replicates)
    shape = samples.counts.shape
    if len(shape) < 2:
        raise InputError(f"samples must count two variables, got shape {shape}")
    table = samples.counts.reshape(-1, shape[-1])
    out = np.zeros((replicates, *table.shape), np.int64)
    if samples.by_unit is not None:
        units = samples.units
        of_unit = marginal(samples, range(len(shape) - 1)).by_unit
        if (np.diff(of_unit.indptr) == 1).all():
            rest = marginal(samples, (-1,)).by_unit
            member = np.eye(shape[-1])[of_unit.indices]
            for row in out:
                row[:] = np.rint(rest.T @ member[rng.permutation(units)])
            return out.reshape(replicates, *shape)
    rows, columns = np.flatnonzero(table.sum(1)), np.flatnonzero(table.sum(0))
    out[:, rows[:, None], columns] = scipy.stats.random_table(
        table.sum(1)[rows], table.sum(0)[columns]
    ).rvs(replicates, random_state=rng)
    return out.reshape(replicates, *shape)


def _listed(name: str, value: Any) -> list[Any]:
    try:
        return list(value)
    except TypeError as error:
        raise InputError(
            f"{name} must be a sequence, got {type(value).__name__}"
        ) from error


def _checked_rng(rng: Any) -> np.random.Generator:
    if not isinstance(rng, np.random.Generator):
        raise InputError(
            "rng must be a generator, such as np.random.default_rng(0), got "
            f"{type(rng).__name__}"
        )
    return rng
