"""Linear programs over the joints with given pairwise marginals, certified.

In each cell (x1, x2) the joint is a mixture of given atoms, conditional
distributions over y, each with a cost per unit of mass; the mixtures have to
add up to the marginals p1y and p2y: a linear program, and its dual lives on
tables b[x1, y], c[x2, y]. For any such tables

  sum_x p12(x) min_k { cost_k(x) - <b + c, atom_k(x)> } + <b, p1y> + <c, p2y>

is at most the optimum, so whatever the interior-point iterations did, the
value returned is a lower bound. A chunk of programs is solved at once, which
no simplex code does.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from bounds import _normal, _rounding

# Fraction of the way to the boundary that one step may go.
_TO_BOUNDARY = 0.99


class Program(NamedTuple):
    """One linear program.

    Attributes:
      atoms: `[n1, n2, k, ny]`, each a distribution over y.
      cost: `[n1, n2, k]`, per unit of mass.
      valid: `[n1, n2, k]`, which atoms exist.
      p12: `[n1, n2]`.
      p1y: `[n1, ny]`.
      p2y: `[n2, ny]`.
    """

    atoms: jax.Array
    cost: jax.Array
    valid: jax.Array
    p12: jax.Array
    p1y: jax.Array
    p2y: jax.Array


class Solution(NamedTuple):
    """What the iterations reached.

    Attributes:
      bound: proven lower bound on the optimum, for marginals that agree to
        within `noise`.
      b: `[n1, ny]`, the dual point that proves it.
      c: `[n2, ny]`, likewise.
      weights: `[n1, n2, k]`, masses of the atoms, primal feasible up to the
        accuracy of the iterations.
      steps: number of iterations.
    """

    bound: jax.Array
    b: jax.Array
    c: jax.Array
    weights: jax.Array
    steps: jax.Array


class _State(NamedTuple):
    weights: jax.Array
    slack: jax.Array
    a: jax.Array
    b: jax.Array
    c: jax.Array
    best: Solution
    spread: jax.Array


def certificate(lp: Program, b: jax.Array, c: jax.Array) -> jax.Array:
    """The lower bound that the dual tables b and c prove.

    Marginals that are off by `_rounding.noise` move the optimum by at most
    this much times the largest multipliers.
    """
    reduced = jnp.where(lp.valid, lp.cost - _respond(lp, b, c), jnp.inf)
    least = jnp.min(reduced, -1)
    value = jnp.sum(jnp.where(lp.p12 > 0, lp.p12 * least, 0))
    noise = _rounding.noise(lp.p12, lp.p1y, lp.p2y)
    largest = (
        jnp.max(jnp.where(lp.p12 > 0, jnp.abs(least), 0))
        + jnp.max(jnp.where(lp.p1y > 0, jnp.abs(b), 0))
        + jnp.max(jnp.where(lp.p2y > 0, jnp.abs(c), 0))
    )
    value = value + jnp.sum(b * lp.p1y) + jnp.sum(c * lp.p2y)
    return value - noise * largest


def solve(
    lp: Program,
    *,
    tol: float,
    max_steps: int,
    target: jax.Array | float = jnp.inf,
) -> Solution:
    """Mehrotra's predictor-corrector method on one program.

    The barrier of an atom is weighted by the mass of its cell, so that cells
    of very different mass are centred alike.

    Args:
      lp: the program; a cell without mass needs no valid atom.
      tol: the iterations stop when the duality measure is below it.
      max_steps: and after this number of them.
      target: and once the bound has reached it.
    """
    dtype = lp.cost.dtype
    live = lp.valid & (lp.p12 > 0)[..., None]
    count = jnp.maximum(jnp.sum(live, -1, keepdims=True, dtype=dtype), 1)
    share = jnp.where(live, lp.p12[..., None] / count, 0)
    total = jnp.sum(lp.p12)

    def body(s: _State) -> _State:
        d = s.weights / s.slack
        d_cell = jnp.sum(d, -1)
        inverse = jnp.where(d_cell > 0, 1 / jnp.where(d_cell > 0, d_cell, 1), 0)
        mean = jnp.sum(d[..., None] * lp.atoms, 2) * inverse[..., None]
        centred = jnp.where(live[..., None], lp.atoms - mean[:, :, None], 0)
        response = jnp.sum(
            (d[..., None] * centred)[..., :, None] * centred[..., None, :], 2
        )
        # The margins' weights are of order 1/slack: near the end the largest
        # diagonal entries are huge and the pinned directions need a ridge
        # relative to them.
        newton = _normal.factor(
            response, ridge=1e3 * float(jnp.finfo(dtype).eps)
        )
        dual_residual = jnp.where(
            live,
            lp.cost - s.a[..., None] - _respond(lp, s.b, s.c) - s.slack,
            0,
        )
        r_a = lp.p12 - jnp.sum(s.weights, -1)
        mass = jnp.sum(s.weights[..., None] * lp.atoms, 2)
        r_b = lp.p1y - jnp.sum(mass, 1)
        r_c = lp.p2y - jnp.sum(mass, 0)

        def direction(complementarity: jax.Array) -> tuple[jax.Array, ...]:
            g = complementarity / s.slack - d * dual_residual
            q_a = r_a - jnp.sum(g, -1)
            pull = jnp.sum(g[..., None] * lp.atoms, 2) + mean * q_a[..., None]
            db, dc = _normal.solve(
                newton, r_b - jnp.sum(pull, 1), r_c - jnp.sum(pull, 0)
            )
            shift = _respond(lp, db, dc)
            da = inverse * (q_a - jnp.sum(d * shift, -1))
            d_slack = jnp.where(live, dual_residual - da[..., None] - shift, 0)
            d_weights = jnp.where(
                live, complementarity / s.slack - d * d_slack, 0
            )
            return d_weights, d_slack, da, db, dc

        def longest(value: jax.Array, step: jax.Array) -> jax.Array:
            ratio = jnp.where(live & (step < 0), -value / step, jnp.inf)
            return jnp.minimum(1, _TO_BOUNDARY * jnp.min(ratio))

        product = s.weights * s.slack
        mu = jnp.sum(product) / total
        d_weights, d_slack, *_ = direction(-product)
        t_primal = longest(s.weights, d_weights)
        t_dual = longest(s.slack, d_slack)
        predicted = jnp.sum(
            (s.weights + t_primal * d_weights) * (s.slack + t_dual * d_slack)
        )
        sigma = (predicted / total / mu) ** 3
        d_weights, d_slack, da, db, dc = direction(
            sigma * mu * share - product - d_weights * d_slack
        )
        t_primal = longest(s.weights, d_weights)
        t_dual = longest(s.slack, d_slack)
        b, c = s.b + t_dual * db, s.c + t_dual * dc
        weights = s.weights + t_primal * d_weights
        slack = s.slack + t_dual * d_slack
        bound = certificate(lp, b, c)
        better = bound > s.best.bound
        best = Solution(
            jnp.where(better, bound, s.best.bound),
            jnp.where(better, b, s.best.b),
            jnp.where(better, c, s.best.c),
            weights,
            s.best.steps + 1,
        )
        spread = jnp.sum(weights * slack)
        return _State(weights, slack, s.a + t_dual * da, b, c, best, spread)

    def unfinished(s: _State) -> jax.Array:
        # A NaN ends the loop too: the best bound before it stays proven.
        return (
            (s.spread > tol)
            & (s.best.steps < max_steps)
            & (s.best.bound < target)
        )

    b, c = jnp.zeros_like(lp.p1y), jnp.zeros_like(lp.p2y)
    least = jnp.min(jnp.where(live, lp.cost, jnp.inf), -1)
    a = jnp.where(jnp.isfinite(least), least, 0) - 1
    slack = jnp.where(live, lp.cost - a[..., None], 1)
    first = Solution(
        certificate(lp, b, c), b, c, share, jnp.zeros((), jnp.int32)
    )
    start = _State(share, slack, a, b, c, first, jnp.asarray(jnp.inf, dtype))
    return jax.lax.while_loop(unfinished, body, start).best


def _respond(lp: Program, b: jax.Array, c: jax.Array) -> jax.Array:
    return jnp.sum((b[:, None] + c[None])[:, :, None] * lp.atoms, -1)
