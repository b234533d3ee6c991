"""Estimates of information from counts: bias, error bars, null.

The plug-in value of an information is too large by about
(parameters) / (2 n ln 2) bits. Miller and Madow subtract that; the jackknife
measures it, for anything that can be computed from a table, on tables that
lack a block of the samples.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.special

from bounds import inputs
from bounds.errors import InputError

# Blocks of the jackknife.
BLOCKS = 20

# Cells that `with_unseen` tries one by one, at most.
_MOST_EMPTY = 64


class Estimate(NamedTuple):
    """A number from samples, in bits.

    Attributes:
      value: corrected for bias, not below 0.
      lower: end of the confidence interval.
      upper: end of the confidence interval.
      plug_in: uncorrected.
      deviation: Deviation of the plug-in value over bootstrap replicates.
      null: the value that 95 % of permutations, which have no information on
        the label, stay below; NaN without permutations.
      p_value: share of permutations that reach the plug-in value, itself
        counted; NaN without permutations.
      enough: whether there are enough samples to say; if not, all other
        fields but `plug_in` are NaN.
      needed: how many (independent) samples would be enough.
    """

    value: float
    lower: float
    upper: float
    plug_in: float
    deviation: float
    null: float
    p_value: float
    enough: bool
    needed: int


def miller_madow(counts: Any, *, size: Any = None) -> np.ndarray:
    """Mutual information in bits, corrected by Miller and Madow.

    Args:
      counts: Tables of counts, `[..., x, y]`.
      size: Number of independent samples, if not the sum of the counts.

    Returns:
      I(X;Y) - (K_xy - K_x - K_y + 1) / (2 n ln 2), `[...]`, where K are the
      numbers of symbols that occur; it may be negative.

    Raises:
      InputError: No counts; a table without samples; a size that is not
        positive.

    References:
      Miller, Note on the bias of information estimates, 1955.
    """
    return plug_in(counts) - miller_madow_bias(counts, size=size)


def miller_madow_bias(counts: Any, *, size: Any = None) -> np.ndarray:
    """What `miller_madow` subtracts; arguments as there."""
    counts = checked_counts("counts", counts, 2)
    n = counts.sum((-2, -1)) if size is None else _size(size)
    there = counts > 0
    parameters = (
        there.sum((-2, -1)) - there.any(-1).sum(-1) - there.any(-2).sum(-1) + 1
    )
    return parameters / (2 * n * math.log(2))


def miller_madow_pid_bias(
    counts: Any, *, size: Any = None
) -> dict[str, np.ndarray]:
    """Biases of a decomposition from those of its informations.

    T_min = redundancy + unique1 + unique2 is an information too, of a joint
    that is not observed; it is given the larger one of the two modalities'
    biases. That is a guess, which experiments/coverage.py checks.

    Args:
      counts: Tables of counts, `[..., x1, x2, y]`.
      size: Number of independent samples, as in `miller_madow`.

    Returns:
      Bits to subtract from redundancy, unique1, unique2, synergy, total,
      information1, information2, `[...]`.
    """
    counts = checked_counts("counts", counts, 3)
    first = miller_madow_bias(counts.sum(-2), size=size)
    second = miller_madow_bias(counts.sum(-3), size=size)
    joint = counts.reshape(*counts.shape[:-3], -1, counts.shape[-1])
    total = miller_madow_bias(joint, size=size)
    t_min = np.maximum(first, second)
    return {
        "redundancy": first + second - t_min,
        "unique1": t_min - second,
        "unique2": t_min - first,
        "synergy": total - t_min,
        "total": total,
        "information1": first,
        "information2": second,
    }


def plug_in(counts: Any) -> np.ndarray:
    """Mutual information in bits of tables of counts `[..., x, y]`.

    Raises:
      InputError: No counts, or a table without samples.
    """
    counts = checked_counts("counts", counts, 2).astype(np.float64)
    p = counts / counts.sum((-2, -1), keepdims=True)

    def negative_entropy(q: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        return np.sum(q * np.log2(np.where(q > 0, q, 1)), axes)

    return (
        negative_entropy(p, (-2, -1))
        - negative_entropy(p.sum(-1), (-1,))
        - negative_entropy(p.sum(-2), (-1,))
    )


def jackknife_bias(full: Any, left_out: Any, kept: Any) -> np.ndarray:
    """Bias of a statistic by the jackknife with blocks of unequal size.

    Args:
      full: The statistic of all samples, `[...]`.
      left_out: The statistic without each block, `[blocks, ...]`.
      kept: Share of the samples that is left, `[blocks]`.

    Returns:
      Its bias to the order 1/n, `[...]`.

    Raises:
      InputError: Shapes that do not agree; fewer than two blocks; NaN.

    References:
      Busing, Meijer, van der Leeden, Delete-m jackknife for unequal m, 1999.
    """
    full = inputs.finite("full", full)
    left_out = inputs.finite("left_out", left_out)
    kept = inputs.finite("kept", kept)
    if kept.ndim != 1 or left_out.shape != (*kept.shape, *full.shape):
        raise InputError(
            "left_out must be [blocks, ...], with kept [blocks] and full "
            f"[...], got shapes {left_out.shape}, {kept.shape} and {full.shape}"
        )
    if len(kept) < 2:
        raise InputError(f"blocks must be at least 2, got {len(kept)}")
    kept = kept.reshape((-1,) + (1,) * full.ndim)
    return np.sum(kept * left_out, 0) - (len(left_out) - 1) * full


def interval(
    plug_in: Any,
    bias: Any,
    replicates: Any,
    *,
    unseen: Any = 0.0,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence interval of a non-negative number.

    Its ends are the outer ones of several, because no single one holds where
    informations are small, minima have kinks and events are rare:

    - the normal interval around the corrected value with the bootstrap
      deviation, and the same for the square root: near 0 an information is
      about the square of a normal variable;
    - both again around the value moved twice as far as the bootstrap's bias is
      from `bias`: the two agree on what is smooth, at a kink they do not;
    - up to the upper quantile of the replicates.

    experiments/coverage.py says how often it covers.

    Args:
      plug_in: The uncorrected value, `[...]`.
      bias: What the corrected value has less, `[...]`.
      replicates: Plug-in values of the bootstrap, `[replicates, ...]`.
      unseen: How far events that no sample happened to show could move the
        value at most, `[...]`; see `with_unseen`. It widens the deviation.
      level: Level of confidence, 0.95 for 95 %.

    Returns:
      Lower and upper end, not below 0.

    Raises:
      InputError: Fewer than two replicates; shapes that do not agree; a level
        outside 0 to 1; NaN.
    """
    level = inputs.real("level", level, above=0, below=1)
    plug_in = inputs.finite("plug_in", plug_in)
    bias = inputs.finite("bias", bias)
    unseen = inputs.finite("unseen", unseen)
    replicates = inputs.finite("replicates", replicates)
    if replicates.shape[1:] != plug_in.shape or replicates.ndim < 1:
        raise InputError(
            f"replicates must be [replicates, ...] for plug_in [...], got "
            f"shapes {replicates.shape} and {plug_in.shape}"
        )
    for name, x in (("bias", bias), ("unseen", unseen)):
        if not _fills(x, plug_in):
            raise InputError(
                f"{name} must be [...] for plug_in [...], got shapes {x.shape} "
                f"and {plug_in.shape}"
            )
    if len(replicates) < 2:
        raise InputError(
            f"replicates must be at least 2, got {len(replicates)}"
        )
    z = scipy.special.ndtri((1 + level) / 2)
    deviation = np.hypot(z * replicates.std(0, ddof=1), unseen)
    spread = z * np.sqrt(np.maximum(replicates, 0)).std(0, ddof=1)
    value = plug_in - bias
    other = value + 2 * (bias - (replicates.mean(0) - plug_in))
    lower, upper = value, np.quantile(replicates, (1 + level) / 2, axis=0)
    for centre in (value, other):
        root = np.sqrt(np.maximum(centre, 0))
        down = root - np.sqrt(np.maximum(root**2 - unseen, 0))
        below = np.maximum(root - np.hypot(spread, down), 0) ** 2
        lower = np.minimum.reduce([lower, centre - deviation, below])
        up = np.sqrt(root**2 + unseen) - root
        above = (root + np.hypot(spread, up)) ** 2
        upper = np.maximum.reduce([upper, centre + deviation, above])
    return np.maximum(lower, 0), np.maximum(upper, 0)


def with_unseen(counts: Any, size: Any) -> np.ndarray:
    """Probabilities, with the mass that may have gone unseen.

    What none of n samples shows has a probability of at most 3 / n, at 95 %
    confidence (the rule of three). Where it is, nobody knows: in the first
    distribution that mass goes to the product of the table's own marginals, in
    each of the others to one empty cell whose symbols occur. Of more than 64
    such cells those are taken that the product thinks likeliest.

    Args:
      counts: Table of counts, of any rank.
      size: Number of independent samples.

    Returns:
      Distributions `[k, *shape of counts]`, k from 1 to 65.

    Raises:
      InputError: No counts; no samples; a size that is not positive.
    """
    size = inputs.real("size", size, above=0)
    counts = inputs.finite("counts", counts)
    p = checked_counts("counts", counts, counts.ndim).astype(np.float64)
    p = p / p.sum()
    axes = range(p.ndim)
    product = np.ones(())
    for axis in axes:
        own = p.sum(tuple(a for a in axes if a != axis))
        product = np.multiply.outer(product, own)
    empty = np.flatnonzero((p == 0) & (product > 0))
    likeliest = np.argsort(-product.ravel()[empty], kind="stable")
    places = np.zeros((1 + min(len(empty), _MOST_EMPTY), p.size))
    places[0] = product.ravel()
    at = np.arange(1, len(places))
    places[at, empty[likeliest[: len(at)]]] = 1
    share = min(3 / size, 1.0)
    places *= share
    places += (1 - share) * p.ravel()
    return places.reshape(-1, *p.shape)


def checked_counts(name: str, counts: Any, rank: int) -> np.ndarray:
    """Returns counts, or probabilities, in the last `rank` axes.

    Raises:
      InputError: No finite numbers; fewer axes; a negative entry; a table
        without samples.
    """
    counts = inputs.finite(name, counts)
    if counts.ndim < rank or not rank:
        raise InputError(
            f"{name} must have {max(rank, 1)} axes or more, got shape "
            f"{counts.shape}"
        )
    if counts.min(initial=0) < 0:
        index = inputs.first(counts < 0)
        raise InputError(
            f"{name}{inputs.subscript(index)} is {counts[index]}, negative"
        )
    empty = np.asarray(~counts.any(tuple(range(-rank, 0))))
    if empty.any():
        index = inputs.first(empty)
        raise InputError(f"{name}{inputs.subscript(index)} has no samples")
    return counts


def _size(size: Any) -> np.ndarray:
    size = inputs.finite("size", size)
    if size.min(initial=1) <= 0:
        raise InputError(f"size must be positive, got {size.min():g}")
    return size


def _fills(x: np.ndarray, other: np.ndarray) -> bool:
    """Whether one array is broadcast to the shape of the other."""
    try:
        return np.broadcast_shapes(x.shape, other.shape) == other.shape
    except ValueError:
        return False
