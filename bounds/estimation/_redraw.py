"""What resampling makes of counts: units drawn, left out, permuted."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation._counts import Samples, checked, marginal


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
      Counts, `[replicates, *alphabets]`, of the type of those of `samples`.
    """
    samples, rng = checked("samples", samples), _checked_rng(rng)
    replicates = inputs.integer("replicates", replicates)
    flat = samples.counts.ravel()
    out = np.zeros((replicates, flat.size), flat.dtype)
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
            many = rng.multinomial(units, chances).astype(np.float64)
            row[:] = _rounded(samples, samples.by_unit.T @ many)
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
    counts = _rounded(samples, rows.sum(0))
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
    counts = np.empty((blocks, flat.size), flat.dtype)
    counts[:] = flat
    if samples.by_unit is None:
        there = np.flatnonzero(flat)
        out = _with_margins(sizes, flat[there], 1, rng)[0]
        counts[:, there] -= np.rint(out).astype(np.int64)
    elif samples.weighted:
        # Sums of what is left: differences would leave crumbs in empty cells.
        block = rng.permutation(np.arange(samples.units) % blocks)
        left = (block[None] != np.arange(blocks)[:, None]).astype(np.float64)
        counts[:] = left @ samples.by_unit
    else:
        block = rng.permutation(np.arange(samples.units) % blocks)
        member = scipy.sparse.csr_array(
            (np.ones(samples.units), (block, np.arange(samples.units))),
            shape=(blocks, samples.units),
        )
        out = (member @ samples.by_unit).tocoo()
        counts[out.coords] -= np.rint(out.data).astype(np.int64)
    kept = 1 - (samples.mass - counts.sum(1)) / samples.mass
    usable = kept > 0
    return LeftOut(
        counts[usable].reshape(-1, *samples.counts.shape), kept[usable]
    )


def permute_last(
    samples: Samples, replicates: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws tables with the last variable permuted: independent of the rest.

    Units that have one value of the last variable, as a recording has one
    label, change place as a whole and among each other; the samples of the
    others do among those. Weights stay with the rest, so that a permutation
    would forget them of the last variable: weighted samples, or units, draw
    theirs from its weighted distribution instead.

    Args:
      samples: Counts of samples of two variables or more.
      replicates: Number of tables.
      rng: Source of randomness.

    Returns:
      Counts, `[replicates, *alphabets]`, with the margins of `samples`; where
      units change place, or samples have weights, only the margin of the rest
      is kept exactly.
    """
    samples, rng = checked("samples", samples), _checked_rng(rng)
    replicates = inputs.integer("replicates", replicates)
    shape = samples.counts.shape
    if len(shape) < 2:
        raise InputError(f"samples must count two variables, got shape {shape}")
    table = samples.counts.reshape(-1, shape[-1])
    # Batches of units would be units of several labels.
    by_unit = samples.by_unit if samples.unjoined is None else samples.unjoined
    if by_unit is None:
        out = random_tables(table, replicates, rng).astype(table.dtype)
        return out.reshape(replicates, *shape)
    units = Samples(samples.counts, by_unit)
    rest = marginal(units, (-1,)).by_unit
    labels = marginal(units, range(len(shape) - 1)).by_unit
    whole = np.diff(labels.indptr) == 1
    if samples.weighted:
        rest = _apart(rest, whole)
        chances = table.sum(0) / table.sum()
        out = np.zeros((replicates, *table.shape))
    else:
        mixed = np.rint(by_unit[~whole].sum(0)).astype(table.dtype)
        out = random_tables(mixed.reshape(table.shape), replicates, rng)
        rest, labels = rest[whole], labels[whole].indices
    member = np.eye(shape[-1])
    for row in out if rest.shape[0] else ():
        if samples.weighted:
            drawn = rng.choice(len(chances), rest.shape[0], p=chances)
        else:
            drawn = labels[rng.permutation(len(labels))]
        row += _rounded(samples, rest.T @ member[drawn])
    return out.reshape(replicates, *shape)


def random_tables(
    table: np.ndarray, replicates: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws tables `[replicates, a, b]` with the margins of one `[a, b]`."""
    out = np.zeros((replicates, *table.shape), np.int64)
    rows, columns = np.flatnonzero(table.sum(1)), np.flatnonzero(table.sum(0))
    if len(rows):
        out[:, rows[:, None], columns] = _with_margins(
            table.sum(1)[rows], table.sum(0)[columns], replicates, rng
        )
    return out


def _with_margins(
    rows: np.ndarray,
    columns: np.ndarray,
    replicates: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws tables `[replicates, a, b]` with margins that have no zeros."""
    # Patefield's method, by default that of many samples, gives a single row
    # or column negative counts; Boyett's gives the only table that there is.
    method = "boyett" if 1 in (len(rows), len(columns)) else None
    # SciPy loads its statistics when they are asked for, a second's work.
    return scipy.stats.random_table(rows, columns).rvs(
        replicates, method=method, random_state=rng
    )


def _apart(
    by_unit: scipy.sparse.csr_array, whole: np.ndarray
) -> scipy.sparse.csr_array:
    """Returns each entry of the rows that are not whole in a row of its own."""
    entries = np.diff(by_unit.indptr)
    ends = np.ones(by_unit.nnz, bool)
    ends[np.repeat(whole, entries)] = False
    ends[by_unit.indptr[1:] - 1] = True
    return scipy.sparse.csr_array(
        (by_unit.data, by_unit.indices, np.r_[0, np.flatnonzero(ends) + 1]),
        shape=(int(ends.sum()), by_unit.shape[1]),
    )


def _rounded(samples: Samples, counts: np.ndarray) -> np.ndarray:
    """Returns what has been computed in float64 in the type of the counts."""
    if samples.weighted:
        return counts
    return np.rint(counts).astype(samples.counts.dtype)


def _checked_rng(rng: Any) -> np.random.Generator:
    if not isinstance(rng, np.random.Generator):
        raise InputError(
            "rng must be a generator, such as np.random.default_rng(0), got "
            f"{type(rng).__name__}"
        )
    return rng
