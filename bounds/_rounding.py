"""What finite precision can do to a proven bound.

Marginals in floating point never agree exactly, so no joint fits them
exactly. A proof about "the joints with these marginals" therefore means the
joints that fit them to within `noise`, and a bound is widened by what such a
change can do to it.
"""

import math

import jax
import jax.numpy as jnp


def noise(p12: jax.Array, p1y: jax.Array, p2y: jax.Array) -> jax.Array:
    """Total disagreement of the marginals of one triple, and rounding."""
    return (
        jnp.sum(jnp.abs(p12.sum(1) - p1y.sum(1)))
        + jnp.sum(jnp.abs(p12.sum(0) - p2y.sum(1)))
        + jnp.sum(jnp.abs(p1y.sum(0) - p2y.sum(0)))
        + 64 * jnp.finfo(p12.dtype).eps
    )


def entropy_change(noise: jax.Array, cells: int) -> jax.Array:
    """The most that the entropy of a table moves, in nats.

    Audenaert's sharp form of Fannes' inequality for a change of `noise` in
    the sum of absolute differences, with a factor of 4 for the arithmetic.
    """
    t = jnp.minimum(noise / 2, 0.5)
    entr = jax.scipy.special.entr
    return 4 * (t * math.log(max(cells, 2)) + entr(t) + entr(1 - t))
