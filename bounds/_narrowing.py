"""What float32 does to channels of numbers, and differences without loss."""

from typing import Any

import numpy as np

# Largest rounding error that a cast may make, in deviations of the channel.
_ROUNDING = 1e-3
# Rows in which the distinct values of a channel are counted.
_COUNTED_ROWS = 512
# Fewer distinct values than these are no sample of a continuous one.
_CONTINUOUS = 16
# Numbers that are compared with what they become at a time.
_COMPARED = 2**20


def difference(x: np.ndarray, origin: Any) -> np.ndarray:
    """Returns x - origin in float64, rounded once; infinite if too large.

    Integers of 64 bits may be far from 0 and close together: their difference
    is exact where that of their float64 values is not.

    Args:
      x: Numbers, see `numbers`.
      origin: Numbers that broadcast against x.
    """
    origin = np.asarray(origin)
    if all(a.dtype.kind in "iu" and a.dtype.itemsize == 8 for a in (x, origin)):
        half = lambda a: ((a >> 32).astype(np.int64), (a & 0xFFFFFFFF))
        (high, low), (high0, low0) = half(x), half(origin)
        low_difference = low.astype(np.int64) - low0.astype(np.int64)
        return (high - high0) * 2.0**32 + low_difference
    wide = np.result_type(x.dtype, origin.dtype, np.float64)
    with np.errstate(over="ignore"):
        return np.subtract(x, origin, dtype=wide).astype(np.float64, copy=False)


def loses(x: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    """Whether float32 blurs what tells the values of a channel apart.

    Args:
      x: `[n, channels]`, finite.
      rounded: x in float32.

    Returns:
      `[channels]`.
    """
    n, channels = x.shape
    low, high = x.min(0), x.max(0)
    lost = ~np.isfinite(rounded.min(0)) | ~np.isfinite(rounded.max(0))
    # Deviations are of distances from the smallest value, in units of the
    # largest: squares of very small or large numbers are no numbers.
    largest = difference(high, low)
    unit = np.where(largest > 0, largest, 1)
    error, mean, square = np.zeros((3, channels))
    rows = max(1, _COMPARED // channels)
    for start in range(0, n, rows):
        part = x[start : start + rows]
        small = np.where(lost, 0, rounded[start : start + rows])
        distance = difference(part, low) / unit
        mean += distance.sum(0) / n
        square += (distance**2).sum(0) / n
        error = np.maximum(error, _errors(part, small).max(0))
    deviation = np.sqrt(np.maximum(square - mean**2, 0)) * unit
    lost |= (error > _ROUNDING * deviation) & (largest > 0)
    step = max(1, -(-n // _COUNTED_ROWS))
    columns = max(1, _COMPARED // _COUNTED_ROWS)
    for start in range(0, channels, columns):
        block = np.s_[::step, start : start + columns]
        before, after = _distinct(x[block]), _distinct(rounded[block])
        lost[block[1]] |= (before >= _CONTINUOUS) & (2 * after <= before)
    return lost


def _errors(x: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    """Returns how far finite numbers were moved by rounding."""
    if x.dtype.kind == "f" or x.dtype.itemsize < 8:
        return np.abs(difference(x, rounded))
    # 2**63 or 2**64 is no number of this type, and may be off by a spacing.
    inside = rounded < float(np.iinfo(x.dtype).max)
    back = np.where(inside, rounded, 0).astype(x.dtype)
    return np.where(inside, np.abs(difference(x, back)), np.spacing(rounded))


def _distinct(x: np.ndarray) -> np.ndarray:
    """Number of distinct values of each column."""
    ordered = np.sort(x, axis=0)
    return 1 + (ordered[1:] != ordered[:-1]).sum(0)
