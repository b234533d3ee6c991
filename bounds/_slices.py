"""Boxes of joints with given pairwise marginals, and their linear programs.

A box restricts every cell of the joint to a range. The joint in one cell
(x1, x2), a slice over y with the sum p12(x1, x2), is then in a small polytope,
and the entropy, concave, is there at least its envelope, the interpolation
between the vertices. Chords of single cells ignore the sum of the slice and
are never above the envelope.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _linear, _normal

entr = jax.scipy.special.entr

def widest(p12, p1y, p2y):
    upper = jnp.minimum(p12[..., None], jnp.minimum(p1y[:, None], p2y[None]))
    return jnp.zeros_like(upper), upper


def tighten(lower, upper, p12, p1y, p2y, sweeps):
    """Narrows the ranges by what the rest of each line has to add up to."""
    def sweep(_, box):
        lower, upper = box
        for axis, total in ((2, p12), (1, p1y), (0, p2y)):
            total = jnp.expand_dims(total, axis)
            rest_low = jnp.sum(lower, axis, keepdims=True) - lower
            rest_high = jnp.sum(upper, axis, keepdims=True) - upper
            lower, upper = (
                jnp.maximum(lower, total - rest_high - 4e-16),
                jnp.minimum(upper, total - rest_low + 4e-16),
            )
        return lower, upper
    return jax.lax.fori_loop(0, sweeps, sweep, (lower, upper))


def envelope_program(lower, upper, p12, p1y, p2y):
    ny = p1y.shape[1]
    bits, free = [], []
    for y in range(ny):
        for rest in itertools.product((0, 1), repeat=ny - 1):
            bits.append([*rest[:y], 0, *rest[y:]])
            free.append(y)
    at_upper = np.array(bits, bool)
    is_free = np.eye(ny, dtype=bool)[free]
    low, high = lower[:, :, None], upper[:, :, None]
    fixed = jnp.where(is_free, 0, jnp.where(at_upper, high, low))
    remainder = p12[..., None] - fixed.sum(-1)
    tol = 1e-15
    f_low = lower[:, :, np.array(free)]
    f_high = upper[:, :, np.array(free)]
    valid = (remainder >= f_low - tol) & (remainder <= f_high + tol)
    vertices = jnp.where(is_free, jnp.maximum(remainder, 0)[..., None], fixed)
    mass = jnp.where(p12 > 0, p12, 1)[..., None]
    cost = jnp.sum(entr(vertices), -1) / mass
    return _linear.Program(vertices / mass[..., None], cost, valid, p12, p1y, p2y)


def linear_program(slope, p12, p1y, p2y):
    """min <slope, r> over the joints; -inf... slope inf forbids."""
    n1, n2, ny = slope.shape
    atoms = jnp.broadcast_to(jnp.eye(ny, dtype=slope.dtype), (n1, n2, ny, ny))
    valid = jnp.isfinite(slope)
    return _linear.Program(atoms, jnp.where(valid, slope, 0), valid, p12, p1y, p2y)


def chord_program(p12, p1y, p2y):
    _, upper = widest(p12, p1y, p2y)
    return linear_program(-jnp.log(upper), p12, p1y, p2y)
