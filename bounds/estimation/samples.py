"""Tables of counts, and what resampling makes of them.

Samples come in units that are independent of each other: each sample its own
unit, or groups such as all windows of one recording. Everything here is about
tables of one shape `[*alphabets]`, of any rank, and rests on one layout by
unit (`_counts`, `_redraw`).

Samples may have weights, such as inverse probabilities of being observed. They
are divided by their mean, so that a table still sums to the number of samples;
each sample is a unit then, unless units are given, and what is resampled are
units with their weights.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation._counts import Samples as Samples
from bounds.estimation._counts import by_units
from bounds.estimation._counts import checked as checked
from bounds.estimation._counts import marginal as marginal
from bounds.estimation._redraw import LeftOut as LeftOut
from bounds.estimation._redraw import bootstrap as bootstrap
from bounds.estimation._redraw import leave_out as leave_out
from bounds.estimation._redraw import permute_last as permute_last
from bounds.estimation._redraw import subsample as subsample
from bounds.estimation.calibration import weights_of

# Units that are kept apart at most. Beyond, random batches of them take their
# place: their number, not their kind, is what the noise of a resample has.
_MOST_UNITS = 20_000
# Cells of a table, 2 GB of counts; what resamples it needs several times that.
_MOST_CELLS = 2**28


def count(
    symbols: Sequence[Any],
    shape: Sequence[int],
    *,
    names: Sequence[str] | None = None,
    units: Any = None,
    weights: Any = None,
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
      weights: Vector `[n]` of numbers from 0 on, such as the inverse of the
        probability that a sample is observed; only their ratios matter. Samples
        of weight 0 are left out. None if all count the same.
      seed: Seed of the batches that take the place of more than 20,000 units.

    Raises:
      InputError: What `bounds.inputs.integers` refuses, masks and fractions
        among it; no samples; lengths that differ; a symbol outside its
        alphabet; a missing unit; weights that are negative, missing or all
        zero; or more cells than fit into memory.
    """
    symbols = inputs.listed("symbols", symbols)
    shape = inputs.listed("shape", shape)
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
    if units is None:
        if weights is None:
            counts = np.bincount(flat, minlength=cells)
            return Samples(counts.reshape(shape), None)
        unit = np.arange(n)
    else:
        unit = inputs.codes("units", units)
        if len(unit) != n:
            raise InputError(
                f"units has {len(unit)} entries, {names[0]} has {n} samples"
            )
    each = None
    if weights is not None:
        each = weights_of("weights", weights, n)
        flat, unit, each = (x[each > 0] for x in (flat, unit, each))
        each = each / each.mean()
        unit = np.unique(unit, return_inverse=True)[1]
    counts = np.bincount(flat, each, cells).reshape(shape)
    joined = batches(unit, seed)
    many = np.ones(n) if each is None else each
    return Samples(
        counts,
        by_units(many, joined, flat, cells),
        None if joined is unit else by_units(many, unit, flat, cells),
    )


def batches(unit: np.ndarray, seed: int) -> np.ndarray:
    """Joins units 0 to K-1 at random if there are more than 20,000."""
    found = int(unit.max()) + 1
    if found <= _MOST_UNITS:
        return unit
    order = np.random.default_rng(seed).permutation(found)
    return order[unit] % _MOST_UNITS


def design_effect(samples: Samples) -> float:
    """How many times noisier the table is than one of independent samples.

    The mean of the cells' design effects, Rao and Scott's first-order factor
    for chi-squared statistics: an information's bias grows by it, and
    `size / design_effect` is the number of samples that count.

    Returns:
      1 for independent samples; for those of a single unit, whose noise nobody
      knows, their number, so that they count as one.
    """
    samples = checked("samples", samples)
    if samples.by_unit is None:
        return 1.0
    if samples.units < 2:
        return samples.mass
    n, units = samples.mass, samples.units
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
    return samples.mass / design_effect(samples)


def occurrences(samples: Samples, axis: int) -> np.ndarray:
    """Number of samples, of weighted ones of units, that have each symbol.

    Args:
      samples: Counts of samples.
      axis: Axis of the variable.

    Returns:
      int64 `[alphabet of the axis]`.
    """
    shape = samples.counts.shape
    others = [a for a in range(len(shape)) if a != axis % len(shape)]
    if not samples.weighted:
        return samples.counts.sum(tuple(others))
    by_unit = (marginal(samples, others) if others else samples).by_unit
    return np.bincount(by_unit.indices, minlength=shape[axis])
