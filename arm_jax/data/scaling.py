"""Channels at mean 0 and deviation 1, whatever their offset and type.

Time stamps, pressures and counters are far from 0 for their spread: as float32
they would be one number. All is therefore computed before that, in float64, and
block by block, so that little memory is needed beside the result.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from arm_jax.errors import InputError
from bounds import inputs

# Entries that are standardised at once: 128 MiB in float64.
_BLOCK = 2**24
# Integers up to here are exact in float64.
_EXACT = 2**53
# Deviations whose squares float64 holds with all digits.
_LEAST = 1e-140
# Rows in which the distinct values of a channel are counted.
_COUNTED_ROWS = 512
# Fewer distinct values than these are no sample of a continuous one.
_CONTINUOUS = 16


def standardized_parts(
    name: str, parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[np.ndarray]:
    """Brings channels to mean 0 and deviation 1 before they become float32.

    All is computed in float64, block by block, so that beside the result
    little memory is needed. Of integers that float64 does not hold, the least
    one of the channel is subtracted first.

    Args:
      name: name of the modality, for messages.
      parts: arrays `[n, ..., channels]` of finite numbers, and the rows of
        each that are meant; mean and deviation are those of the first part.

    Returns:
      float32 `[rows, ..., channels]` of each part.

    Raises:
      InputError: a channel whose deviation float64 cannot hold, or which has
        outliers so far that float32 blurs the others.
    """
    if parts[0][0].ndim < 2:
        raise InputError(
            f"{name} must have rows and channels, got shape {parts[0][0].shape}"
        )
    offset = _exact_offset([x for x, _ in parts])
    scale = _scale(name, *parts[0], offset)
    return [_scaled(name, x, rows, scale) for x, rows in parts]


class _Scale(NamedTuple):
    """How channels are centred and scaled; arrays of one entry per channel.

    Attributes:
      offset: what is subtracted first, in the type of the data; or None.
      mean: their mean, as far as its sum was exact.
      rest: what it lacks.
      deviation: their deviation, 1 for a constant channel.
    """

    offset: np.ndarray | None
    mean: np.ndarray
    rest: np.ndarray
    deviation: np.ndarray

    def centred(self, block: np.ndarray) -> np.ndarray:
        """Subtracts what is exact first; a new array in float64."""
        out = _minus(block, self.offset)
        out = np.subtract(out, self.mean, dtype=np.float64)
        return np.subtract(out, self.rest, out=out) if self.rest.any() else out


def _scale(
    name: str, x: np.ndarray, rows: np.ndarray, offset: np.ndarray | None
) -> _Scale:
    axes = tuple(range(x.ndim - 1))
    count = len(rows) * math.prod(x.shape[1:-1])
    if not count:
        raise InputError(f"{name}: no training rows to standardise on")
    lows, highs, total = [], [], np.zeros(x.shape[-1])
    squares, rest = np.zeros_like(total), np.zeros_like(total)
    with np.errstate(over="ignore", invalid="ignore"):
        for _, block in blocks(x, rows):
            block = _minus(block, offset)
            lows.append(block.min(axes))
            highs.append(block.max(axes))
            total += block.sum(axes, dtype=np.float64)
        low = np.min(lows, axis=0).astype(np.float64)
        high = np.max(highs, axis=0).astype(np.float64)
        constant = high - low <= _tolerance(x.dtype, low, high)
        mean = np.where(high == low, low, total / count)
        first = _Scale(offset, mean, np.zeros_like(mean), np.ones_like(mean))
        for _, block in blocks(x, rows):
            centred = first.centred(block)
            rest += centred.sum(axes) / count
            np.multiply(centred, centred, out=centred)
            squares += centred.sum(axes) / count
        deviation = np.sqrt(squares)
        # Sums of far values are rounded; where float32 does not show it, it
        # does not matter.
        rest = np.where(np.abs(rest) > 2**-24 * deviation, rest, 0)
        exact = np.sqrt(np.maximum(squares - rest**2, 0))
        deviation = np.where(rest == 0, deviation, exact)
    bad = ~constant & ~(np.isfinite(deviation) & (deviation > _LEAST))
    if bad.any():
        raise InputError(
            f"{name}: {_channel(bad, low, high, offset)}, cannot be "
            "standardised in float64: bring it near 1 by a factor first"
        )
    scale = _Scale(offset, mean, rest, np.where(constant, 1.0, deviation))
    lost = ~constant & _joined(x, rows, scale)
    if lost.any():
        raise InputError(
            f"{name}: {_channel(lost, low, high, offset)}, has outliers so far "
            "that float32 blurs its other values: drop or clip them, or take "
            "logarithms"
        )
    return scale


def _channel(
    chosen: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    offset: np.ndarray | None,
) -> str:
    """Names the first chosen channel and its least and largest value."""
    at = int(np.flatnonzero(chosen)[0])
    base = 0.0 if offset is None else float(offset[at])
    return f"channel {at}, {base + low[at]:.9g} to {base + high[at]:.9g}"


def _joined(x: np.ndarray, rows: np.ndarray, scale: _Scale) -> np.ndarray:
    """Whether float32 joins most values of each channel, once it is scaled."""
    most = min(_COUNTED_ROWS, _BLOCK // max(1, math.prod(x.shape[1:])))
    sample = x[rows[:: -(-len(rows) // max(1, most))]]
    values = np.sort(sample.reshape(-1, x.shape[-1]), axis=0)
    small = (scale.centred(values) / scale.deviation).astype(np.float32)
    distinct, left = (
        np.count_nonzero(v[1:] != v[:-1], axis=0) + 1 for v in (values, small)
    )
    return (distinct >= _CONTINUOUS) & (2 * left <= distinct)


def _scaled(
    name: str, x: np.ndarray, rows: np.ndarray, scale: _Scale
) -> np.ndarray:
    out = np.empty((len(rows), *x.shape[1:]), np.float32)
    with np.errstate(over="ignore"):
        for start, block in blocks(x, rows):
            centred = scale.centred(block)
            np.divide(centred, scale.deviation, out=centred)
            part = out[start : start + len(block)]
            part[...] = centred
            bad = ~np.isfinite(part)
            if bad.any():
                index = inputs.first(bad)
                raise InputError(
                    f"{name}: {block[index]:.9g} is {centred[index]:.3g} "
                    "deviations of the training rows from their mean, more "
                    "than float32 holds: drop or clip such outliers"
                )
    return out


def blocks(x: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yields rows of `x` in blocks of bounded size, and where each begins."""
    step = max(1, _BLOCK // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(rows), step):
        yield start, x[rows[start : start + step]]


def _exact_offset(arrays: Sequence[np.ndarray]) -> np.ndarray | None:
    """The least number of each channel if float64 does not hold them all."""
    dtype = arrays[0].dtype
    if dtype.itemsize < 8 or dtype == np.float64:
        return None
    axes = tuple(range(arrays[0].ndim - 1))
    filled = [x for x in arrays if x.size]
    low = np.min([x.min(axes) for x in filled], axis=0)
    high = np.max([x.max(axes) for x in filled], axis=0)
    if dtype.kind in "iu" and (low >= -_EXACT).all() and (high <= _EXACT).all():
        return None
    return low


def _minus(block: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """Subtracts an offset that is nowhere larger than the block."""
    if offset is None:
        return block
    if block.dtype.kind == "f":
        return block - offset
    # Exact modulo 2**64, and no difference is negative or larger than that.
    return block.astype(np.uint64) - offset.astype(np.uint64)


def _tolerance(
    dtype: np.dtype, low: np.ndarray, high: np.ndarray
) -> np.ndarray | float:
    """Range below which the numbers of a channel differ by rounding only."""
    if dtype.kind != "f":
        return 0.0
    return 4 * np.spacing(np.maximum(np.abs(low), np.abs(high)))
