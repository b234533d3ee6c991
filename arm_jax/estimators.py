"""Informations of paired samples, from histograms.

Real samples are cut into bins of equal width between their smallest and their
largest value; integers 0 to k-1 keep apart in k bins, so that labels can be
passed as they are. All are pure functions of flat arrays, for jit and vmap.

The plug-in estimates are biased upwards: for independent variables the mean of
`mutual_information` is about (bins_x - 1) (bins_y - 1) / (2 n ln 2) bits
(Miller 1955).
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from bounds import information

Bins = int | Sequence[int]

# What the released code divides by where no sample is.
_RELEASED_FLOOR = 1e-10


def histogram(*samples: jax.Array, bins: Bins) -> jax.Array:
    """Relative frequencies of paired samples on a grid of equal-width bins.

    Args:
      *samples: one array `[n]` a variable.
      bins: of all variables, or of each.

    Returns:
      A table with one axis a variable, of sum 1.

    Raises:
      ValueError: samples that are not paired, or too few numbers of bins.
    """
    sizes = (bins,) * len(samples) if isinstance(bins, int) else tuple(bins)
    shapes = [x.shape for x in samples]
    if len(set(shapes)) != 1 or len(shapes[0]) != 1 or not shapes[0][0]:
        raise ValueError(f"samples must be paired arrays [n], got {shapes}")
    if len(sizes) != len(samples) or min(sizes) < 1:
        raise ValueError(
            f"bins must be positive, one for each of {len(samples)} variables; "
            f"got {bins}"
        )
    symbols = [_bin_of(x, k) for x, k in zip(samples, sizes, strict=True)]
    flat = jnp.zeros_like(symbols[0])
    for symbol, size in zip(symbols, sizes, strict=True):
        flat = flat * size + symbol
    counts = jnp.bincount(flat, length=math.prod(sizes))
    dtype = jnp.result_type(float)
    return counts.reshape(sizes).astype(dtype) / len(flat)


def mutual_information(
    x: jax.Array, y: jax.Array, *, bins: Bins = 8
) -> jax.Array:
    """Plug-in I(X;Y) in bits; arguments as `histogram`."""
    p = histogram(x, y, bins=bins)
    return information.mutual_information_nats(p) / math.log(2)


def conditional_mutual_information(
    x: jax.Array, y: jax.Array, z: jax.Array, *, bins: Bins = 8
) -> jax.Array:
    """Plug-in I(X;Y|Z) in bits; arguments as `histogram`."""
    p = histogram(x, y, z, bins=bins)
    return information.conditional_mutual_information_nats(p) / math.log(2)


def normalized_mutual_information(
    x: jax.Array, y: jax.Array, *, bins: Bins = 30
) -> jax.Array:
    """2 I(X;Y) / (H(X) + H(Y)), between 0 and 1; 0 where both are constant.

    With 30 bins what the released code of ARM (Gao et al., AAAI 2025) uses.
    """
    p = histogram(x, y, bins=bins)
    shared = information.mutual_information_nats(p)
    total = information.entropy_nats(p.sum(1)) + information.entropy_nats(
        p.sum(0)
    )
    return 2 * _ratio(shared, total)


def normalized_conditional_mutual_information(
    x: jax.Array, y: jax.Array, z: jax.Array, *, bins: Bins = 2
) -> jax.Array:
    """2 I(X;Y|Z) / (H(X|Z) + H(Y|Z)), between 0 and 1; 0 for 0 / 0."""
    p = histogram(x, y, z, bins=bins)
    shared = information.conditional_mutual_information_nats(p)
    given = information.entropy_nats(p.sum((0, 1)))
    total = (
        information.entropy_nats(p.sum(1), event_rank=2)
        + information.entropy_nats(p.sum(0), event_rank=2)
        - 2 * given
    )
    return 2 * _ratio(shared, total)


def released_conditional_information(
    x: jax.Array, y: jax.Array, z: jax.Array, *, bins: int = 2
) -> jax.Array:
    """What the released code of ARM calls normalised conditional information.

    No information measure, and kept only to show what that code does. With
    c(.) = p(.) / p(z) and h(c) = -sum c log c over all cells, it is

        (h(xz) + h(yz) - h(xyz)) / (h(xz) + h(yz)),

    where the sums lack the weight p(z), p(z) is laid along the first axis
    although z is the last one, and the tables of two variables are thereby
    counted once for each bin of z. The denominator lacks the 2 of
    `normalized_mutual_information`. Independent variables in balanced bins
    give 0.5, copies 0.75.
    """
    p = histogram(x, y, z, bins=bins)
    p_z = p.sum((0, 1))
    divisor = jnp.where(p_z > 0, p_z, _RELEASED_FLOOR)[:, None, None]

    def h(table: jax.Array) -> jax.Array:
        c = table / divisor
        return -jnp.sum(information.p_log_ratio(c, jnp.ones_like(c)))

    total = h(p.sum(1)) + h(p.sum(0))
    return (total - h(p)) / total


def _bin_of(x: jax.Array, bins: int) -> jax.Array:
    """Number of each sample's bin; the last bin has both its ends."""
    x = x.astype(jnp.result_type(float))
    low, high = x.min(), x.max()
    constant = high == low
    low = jnp.where(constant, low - 0.5, low)
    width = jnp.where(constant, 1, high - low)
    number = jnp.floor((x - low) / width * bins).astype(jnp.int32)
    return jnp.clip(number, 0, bins - 1)


def _ratio(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)
