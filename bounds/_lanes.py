"""Arrays of one table, or of many with one more axis, the lanes, last.

Arrays of the interior point are those of one table, `[x1, x2, y]`, or of many,
`[x1, x2, y, lanes]`. Numbers of a lane, `[lanes]`, go with anything by axes of
size 1 in front (`beside`), so one code serves both. Lanes are an explicit axis
because `vmap` moves its axis to the front at the first broadcast, and with
alphabets of 2 or 3 symbols innermost nothing vectorises. Large tables are
vmapped as usual: there the work is in matrix products.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import TypeVar

import jax
import jax.numpy as jnp

# Sums over at most this many terms are written out: XLA's reductions over an
# axis that is not the last cost several times as much on the CPU.
UNROLL = 16
T = TypeVar("T")


def select(which: jax.Array, new: T, old: T) -> T:
    """The new state in the lanes `which`, elsewhere the old one."""
    return jax.tree.map(
        lambda a, b: jnp.where(beside(which, a), a, b), new, old
    )


def beside(number: jax.Array, x: jax.Array) -> jax.Array:
    """A number of each lane, shaped to go with `x`."""
    return number.reshape((1,) * (x.ndim - number.ndim) + number.shape)


# Indices are int32: under `vmap` these become gathers and scatters, whose
# lowering fails for int64 inside a float32 trace.
def row(x: jax.Array, k: jax.Array) -> jax.Array:
    """Row k, an index of the trace."""
    return jax.lax.dynamic_index_in_dim(
        x, k.astype(jnp.int32), 0, keepdims=False
    )


def set_row(x: jax.Array, value: jax.Array, k: jax.Array) -> jax.Array:
    """Puts a value in the place of row k."""
    return jax.lax.dynamic_update_index_in_dim(x, value, k.astype(jnp.int32), 0)


def spread(x: jax.Array, lanes: tuple[int, ...]) -> jax.Array:
    """Appends an axis of size 1 for each lane axis."""
    return x.reshape(x.shape + (1,) * len(lanes))


def label_first(x: jax.Array) -> jax.Array:
    """`[x1, x2, y]` as `[y, x1, x2]`."""
    return jnp.moveaxis(x, 2, 0)


def once(x: jax.Array) -> jax.Array:
    """Keeps XLA from computing `x` again in each of its uses."""
    return jax.lax.optimization_barrier(x)


def iota(x: jax.Array) -> jax.Array:
    """Indices along the first axis, in the shape of `x`."""
    return jax.lax.broadcasted_iota(jnp.int32, x.shape, 0)


def _along(
    operation: Callable, reduction: Callable, x: jax.Array, axis: int
) -> jax.Array:
    if x.shape[axis] > UNROLL:
        return reduction(x, axis)
    parts = range(x.shape[axis])
    index = partial(jax.lax.index_in_dim, x, axis=axis, keepdims=False)
    return reduce(operation, [index(i) for i in parts])


total = partial(_along, jax.lax.add, jnp.sum)
largest = partial(_along, jax.lax.max, jnp.max)


def sum_all(x: jax.Array) -> jax.Array:
    """Sum over the first two axes."""
    return total(total(x, 0), 0)


def max_all(x: jax.Array) -> jax.Array:
    """Maximum over the first two axes."""
    return largest(largest(x, 0), 0)
