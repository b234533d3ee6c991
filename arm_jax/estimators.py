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
import numpy as np

from arm_jax.errors import InputError
from bounds import information, inputs

Array = jax.Array | np.ndarray
Bins = int | Sequence[int]

# Cells of all tables, which are counted as one with int32 indices.
_MOST_CELLS = 2**31 - 1
# What the released code divides by where no sample is.
_RELEASED_FLOOR = 1e-10


def histogram(*samples: Array, bins: Bins) -> jax.Array:
    """Relative frequencies of paired samples on a grid of equal-width bins.

    Args:
      *samples: one array `[n]` per variable.
      bins: number of bins of all variables, or of each.

    Returns:
      A table with one axis per variable, of sum 1.

    Raises:
      InputError: samples that are not paired, too few numbers of bins, more
        cells than int32 counts; outside of jit, samples that are no numbers,
        missing or infinite.
    """
    return histograms(samples, (range(len(samples)), bins))[0]


def histograms(
    samples: Sequence[Array], *tables: tuple[Sequence[int], Bins]
) -> list[jax.Array]:
    """Several histograms of some variables each, faster than one by one.

    XLA counts one sample after another, and the start costs as much as a
    thousand of them: all tables are one array while it counts.

    Args:
      samples: one array `[n]` per variable.
      *tables: the variables of each, by their positions, and its bins as
        `histogram` takes them.

    Returns:
      The tables, each of sum 1.

    Raises:
      InputError: as `histogram`.
    """
    samples = [_sample(f"samples[{i}]", x) for i, x in enumerate(samples)]
    lengths = [x.shape for x in samples]
    if len(set(lengths)) != 1 or len(lengths[0]) != 1 or not lengths[0][0]:
        raise InputError(f"samples must be paired arrays [n], got {lengths}")
    shapes = [_sizes(len(variables), bins) for variables, bins in tables]
    place = _place(
        jnp.stack([x.astype(jnp.result_type(float)) for x in samples])
    )
    sizes = [math.prod(shape) for shape in shapes]
    if sum(sizes) > _MOST_CELLS:
        raise InputError(
            f"bins make {sum(sizes)} cells, more than {_MOST_CELLS}; take fewer"
        )
    ends = np.cumsum(sizes)
    starts = [0, *ends[:-1]]
    cells = []
    for (variables, _), shape, start in zip(
        tables, shapes, starts, strict=True
    ):
        cell = jnp.zeros(lengths[0], jnp.int32)
        for variable, size in zip(variables, shape, strict=True):
            # NaN has no bin; it gets one so that the index stays valid.
            number = (place[variable] * size).astype(jnp.int32)
            cell = cell * size + jnp.clip(number, 0, size - 1)
        cells.append(cell + int(start))
    counts = _counts(jnp.concatenate(cells), int(ends[-1]))
    return [
        part.reshape(shape) / place.shape[1]
        for part, shape in zip(
            jnp.split(counts.astype(place.dtype), ends[:-1]),
            shapes,
            strict=True,
        )
    ]


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
    return normalized_mutual_information_of(histogram(x, y, bins=bins))


def normalized_mutual_information_of(p: jax.Array) -> jax.Array:
    """`normalized_mutual_information` of a table."""
    shared = information.mutual_information_nats(p)
    total = information.entropy_nats(p.sum(1)) + information.entropy_nats(
        p.sum(0)
    )
    return 2 * _ratio(shared, total)


def normalized_conditional_mutual_information(
    x: jax.Array, y: jax.Array, z: jax.Array, *, bins: Bins = 2
) -> jax.Array:
    """2 I(X;Y|Z) / (H(X|Z) + H(Y|Z)), between 0 and 1; 0 for 0 / 0."""
    return normalized_conditional_mutual_information_of(
        histogram(x, y, z, bins=bins)
    )


def normalized_conditional_mutual_information_of(p: jax.Array) -> jax.Array:
    """`normalized_conditional_mutual_information` of a table."""
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
    return released_conditional_information_of(histogram(x, y, z, bins=bins))


def released_conditional_information_of(p: jax.Array) -> jax.Array:
    """`released_conditional_information` of a table."""
    p_z = p.sum((0, 1))
    divisor = jnp.where(p_z > 0, p_z, _RELEASED_FLOOR)[:, None, None]

    def h(table: jax.Array) -> jax.Array:
        c = table.reshape((1,) * (3 - table.ndim) + table.shape) / divisor
        return -jnp.sum(information.p_log_ratio(c, jnp.ones_like(c)))

    total = h(p.sum(1)) + h(p.sum(0))
    return (total - h(p)) / total


def _sample(name: str, x: Array) -> Array:
    """Returns a sample whose differences float32 keeps."""
    if isinstance(x, jax.Array):
        return x
    x = inputs.finite(name, x)
    if x.dtype.itemsize < 8 or not x.size:
        return x
    # Bins have equal width from the least one on: where that is does not
    # matter. Integers are exact modulo 2**64.
    if x.dtype.kind in "iu":
        return x.astype(np.uint64) - x.min().astype(np.uint64)
    return x - x.min()


def _sizes(variables: int, bins: Bins) -> tuple[int, ...]:
    sizes = tuple(bins) if isinstance(bins, Sequence) else (bins,) * variables
    whole = all(
        isinstance(size, int | np.integer) and not isinstance(size, bool)
        for size in sizes
    )
    if len(sizes) != variables or not whole or min(sizes, default=1) < 1:
        raise InputError(
            f"bins must be positive, one for each of {variables} variables; "
            f"got {bins}"
        )
    return sizes


def _counts(cells: jax.Array, length: int) -> jax.Array:
    """How often each of 0 to length - 1 is in `cells`, `[length]`."""

    @jax.custom_batching.custom_vmap
    def counts(cells: jax.Array) -> jax.Array:
        zeros = jnp.zeros(length, jnp.int32)
        return zeros.at[cells].add(1, mode="promise_in_bounds")

    @counts.def_vmap
    def of_batch(
        size: int, batched: list[bool], cells: jax.Array
    ) -> tuple[jax.Array, bool]:
        # One long table: else each sample would come with the number of its
        # batch, and XLA would take twice as long to count.
        del batched
        flat = cells + length * jnp.arange(size, dtype=cells.dtype)[:, None]
        return _counts(flat.ravel(), size * length).reshape(size, length), True

    return counts(cells)


def _place(x: jax.Array) -> jax.Array:
    """Where between its least, 0, and largest value, 1, `[variables, n]`."""
    low, high = x.min(axis=1), x.max(axis=1)
    constant = high == low
    low = jnp.where(constant, low - 0.5, low)
    width = jnp.where(constant, 1, high - low)
    return (x - low[:, None]) / width[:, None]


def _ratio(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)
