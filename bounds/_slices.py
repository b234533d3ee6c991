"""Lower bounds on the entropy of joints in a box, by linear programs.

A box restricts every cell of the joint to a range. In one cell (x1, x2) the
joint is a slice over y with the sum p12(x1, x2): a point of a small polytope.
On it the entropy of the slice, concave, is at least its envelope, the
interpolation between the vertices, and the sum of the envelopes is minimised
by a linear program whose atoms are the vertices. The chord of each single cell
ignores the sum of its slice and is never above the envelope.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _linear, _normal, _rounding

entr = jax.scipy.special.entr

# A slice over ny symbols has up to ny 2^(ny - 1) vertices.
MOST_SYMBOLS = 5
_SWEEPS = 3
# Step limits and tolerances (nats) of the linear programs.
_MAX_STEPS = 50
_TOL = 1e-9
_DESCENTS = 12
# Improvement, in nats, below which the local search stops.
_PROGRESS = 1e-9


def widest(
    p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The box that no single marginal excludes: lower and upper corner."""
    upper = jnp.minimum(p12[..., None], jnp.minimum(p1y[:, None], p2y[None]))
    return jnp.zeros_like(upper), upper


def tighten(
    lower: jax.Array,
    upper: jax.Array,
    p12: jax.Array,
    p1y: jax.Array,
    p2y: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Shrinks a box by what the rest of each line has to add up to."""
    noise = _rounding.noise(p12, p1y, p2y)
    for _ in range(_SWEEPS):
        for axis, line in ((2, p12), (1, p1y), (0, p2y)):
            total = jnp.expand_dims(line, axis)
            rest_low = jnp.sum(lower, axis, keepdims=True) - lower
            rest_high = jnp.sum(upper, axis, keepdims=True) - upper
            lower, upper = (
                jnp.maximum(lower, total - rest_high - noise),
                jnp.minimum(upper, total - rest_low + noise),
            )
    return lower, upper


def envelope_program(
    lower: jax.Array,
    upper: jax.Array,
    p12: jax.Array,
    p1y: jax.Array,
    p2y: jax.Array,
) -> _linear.Program:
    """Mixtures of the vertices of each slice, and the entropy of a vertex.

    In a vertex all symbols but one, the free one, are at an end of their
    range. A point that rounding puts just outside the box may be taken for a
    vertex: it only lowers the bound.
    """
    ny = p1y.shape[1]
    others = list(itertools.product((False, True), repeat=ny - 1))
    at_upper = np.array(
        [(*o[:y], False, *o[y:]) for y in range(ny) for o in others]
    )
    free = np.repeat(np.arange(ny), len(others))
    is_free = np.eye(ny, dtype=bool)[free]
    ends = jnp.where(at_upper, upper[:, :, None], lower[:, :, None])
    fixed = jnp.where(is_free, 0, ends)
    rest = p12[..., None] - fixed.sum(-1)
    noise = _rounding.noise(p12, p1y, p2y)
    free_lower, free_upper = (
        jnp.repeat(x, len(others), axis=-1) for x in (lower, upper)
    )
    valid = (rest >= free_lower - noise) & (rest <= free_upper + noise)
    vertices = jnp.where(is_free, jnp.maximum(rest, 0)[..., None], fixed)
    mass = jnp.where(p12 > 0, p12, 1)[..., None]
    cost = jnp.sum(entr(vertices), -1) / mass
    return _linear.Program(
        vertices / mass[..., None], cost, valid, p12, p1y, p2y
    )


def linear_program(
    slope: jax.Array, p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> _linear.Program:
    """The joint r that minimises <slope, r>; an infinite slope forbids."""
    ny = slope.shape[-1]
    atoms = jnp.broadcast_to(jnp.eye(ny, dtype=slope.dtype), (*slope.shape, ny))
    valid = jnp.isfinite(slope)
    return _linear.Program(
        atoms, jnp.where(valid, slope, 0), valid, p12, p1y, p2y
    )


def chord_bound(p12: jax.Array, p1y: jax.Array, p2y: jax.Array) -> jax.Array:
    """Min H >= min <r, -log u>, u the upper corner of the box; nats."""
    _, upper = widest(p12, p1y, p2y)
    lp = linear_program(-jnp.log(upper), p12, p1y, p2y)
    return _linear.solve(lp, tol=_TOL, max_steps=_MAX_STEPS).bound


def envelope_bound(
    p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Min H >= min of the envelope, nats; also the joint that attains it."""
    box = tighten(*widest(p12, p1y, p2y), p12, p1y, p2y)
    lp = envelope_program(*box, p12, p1y, p2y)
    solution = _linear.solve(lp, tol=_TOL, max_steps=_MAX_STEPS)
    return solution.bound, joint_of(lp, solution)


def joint_of(lp: _linear.Program, solution: _linear.Solution) -> jax.Array:
    """The joint that the weights of the atoms add up to."""
    return jnp.sum(solution.weights[..., None] * lp.atoms, 2)


def descend(
    r: jax.Array, p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Local minimum of the entropy: a vertex from r on, its entropy (nats).

    The entropy is below its tangent plane, so the vertex that minimises the
    plane has less entropy than r, unless r is such a vertex. Without a joint
    that fits the marginals, returns r and what no entropy exceeds.
    """
    noise = _rounding.noise(p12, p1y, p2y)

    def step(state):  # type: ignore[no-untyped-def]
        count, r, least, _ = state
        # Beyond this slope a zero is as good as a forbidden cell.
        slope = -jnp.log(jnp.maximum(r, 1e-12))
        lp = linear_program(slope, p12, p1y, p2y)
        solution = _linear.solve(lp, tol=1e-8, max_steps=_MAX_STEPS)
        found = joint_of(lp, solution)
        found, misfit = _normal.polished(found, p12, p1y, p2y)
        entropy = jnp.where(misfit <= 64 * noise, jnp.sum(entr(found)), jnp.inf)
        progress = entropy < least - _PROGRESS
        better = entropy < least
        r = jnp.where(better, found, r)
        return count + 1, r, jnp.minimum(entropy, least), progress

    largest = jnp.asarray(math.log(r.size), r.dtype)
    state = (0, r, largest, jnp.asarray(True))
    _, r, least, _ = jax.lax.while_loop(
        lambda s: (s[0] < _DESCENTS) & s[3], step, state
    )
    return r, least


def segment(
    p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The two ends of the segment of 2x2x2 joints with these marginals."""
    ends = []
    lower, upper = tighten(*widest(p12, p1y, p2y), p12, p1y, p2y)
    for t in (lower[0, 0, 0], upper[0, 0, 0]):
        rows = p12[0, 0] - t, p1y[0, 0] - t
        opposite = p2y[0, 0] - t
        r = jnp.array(
            [
                [[t, rows[0]], [rows[1], p12[0, 1] - rows[1]]],
                [
                    [opposite, p12[1, 0] - opposite],
                    [p1y[1, 0] - opposite, p2y[1, 1] - p12[0, 1] + rows[1]],
                ],
            ]
        )
        ends.append(jnp.maximum(r, 0))
    return ends[0], ends[1]
