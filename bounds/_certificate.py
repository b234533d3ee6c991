"""The convex problem behind the PID, and what proves an answer to it.

  T_min = min I_q(X1,X2;Y)  over q with q(x1,y) = p(x1,y), q(x2,y) = p(x2,y)

Its dual (nats) is to maximise <lam, p1y> + <mu, p2y> + H(Y) subject to
sum_y exp(lam(x1,y) + mu(x2,y)) <= 1 for every pair (x1, x2). Whatever an
iteration says, its point is rounded to a feasible q, and lam and mu are shifted
to feasible ones: by weak duality the difference of the two objectives bounds
the error of either. Arrays are laid out as `_lanes` has it.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from bounds import _lanes


class Problem(NamedTuple):
    """A pair of marginals with its structural zeros.

    Attributes:
      p1y: p(x1, y), `[x1, y]`.
      p2y: p(x2, y), `[x2, y]`.
      dropped: mass that either has outside its support.
      support1: where p1y counts as positive, and likewise `support2`.
      support2: see `support1`.
      free2: `support2` less one symbol of x2 for each y; a constant added to
        lam(., y) and taken from mu(., y) changes nothing, so one is fixed.
      offset: 0 where (x1, x2, y) is allowed, else a large negative number.
      live: pairs (x1, x2) that some y allows.
      weight: p(x1) p(x2) on live pairs: the shape of the central path, r s =
        weight times the barrier, so that rare symbols keep their own scale.
    """

    p1y: jax.Array
    p2y: jax.Array
    dropped: jax.Array
    support1: jax.Array
    support2: jax.Array
    free2: jax.Array
    offset: jax.Array
    live: jax.Array
    weight: jax.Array


def prepare(p1y: jax.Array, p2y: jax.Array, tol: jax.Array) -> Problem:
    """Finds the support of the marginals `[x1, y]` and `[x2, y]`."""
    p1y, p2y, dropped = significant(p1y, p2y, tol)
    support1, support2 = p1y > 0, p2y > 0
    # Not argmax: its lowering takes the dtype of the scope that it is lowered
    # in, and fails for float64 inside a float32 trace.
    index = _lanes.iota(p2y)
    heaviest = p2y == _lanes.largest(p2y, 0)[None]
    last_heaviest = _lanes.largest(jnp.where(heaviest, index, -1), 0)
    free2 = support2 & (index != last_heaviest[None])
    allowed = support1[:, None] & support2[None]
    offset = jnp.where(allowed, 0, -1e6).astype(p1y.dtype)
    live = _lanes.largest(offset, 2) == 0
    weight = jnp.where(
        live, _lanes.total(p1y, 1)[:, None] * _lanes.total(p2y, 1)[None], 0
    )
    return Problem(
        p1y, p2y, dropped, support1, support2, free2, offset, live, weight
    )


def significant(
    p1y: jax.Array, p2y: jax.Array, tol: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Marginals without the masses that round-off drowns, and the loss.

    They are zeros to the solvers; `lost_nats` is what that costs.
    """
    count = p1y.shape[1] * (p1y.shape[0] + p2y.shape[0])
    floor = jnp.maximum(1e-3 * tol / count, jnp.finfo(p1y.dtype).eps / 64)
    size = max(p1y.shape[0], p2y.shape[0])
    # A label heavier than this has an entry above the floor on either side.
    label = (
        jnp.minimum(_lanes.total(p1y, 0), _lanes.total(p2y, 0)) > size * floor
    )
    total = jnp.maximum(_lanes.sum_all(p1y), _lanes.sum_all(p2y))
    given = _lanes.total(p1y, 0), _lanes.total(p2y, 0)
    p1y = jnp.where((p1y > floor) & label[None], p1y, 0)
    p2y = jnp.where((p2y > floor) & label[None], p2y, 0)
    # No table has marginals with different masses of a label, and scalings or
    # multipliers would run away: what both have left is kept.
    left = _lanes.total(p1y, 0), _lanes.total(p2y, 0)
    lost = (left[0] < given[0]) | (left[1] < given[1])
    least = jnp.minimum(*left)
    p1y, p2y = (
        p * jnp.where(lost & (x > 0), least / jnp.where(x > 0, x, 1), 1)[None]
        for p, x in zip((p1y, p2y), left, strict=True)
    )
    dropped = total - jnp.minimum(_lanes.sum_all(p1y), _lanes.sum_all(p2y))
    return p1y, p2y, dropped


def lost_nats(dropped: jax.Array, ny: int) -> jax.Array:
    """The most that dropped mass changes the minimum, in nats.

    Continuity of H(Y|X) (Alicki and Fannes 2004; Winter 2016, lemma 2).
    """
    lost = jnp.maximum(dropped, jnp.finfo(dropped.dtype).eps ** 2)
    return 2 * lost * (math.log(ny) + 1 - jnp.log(lost))


def softmax(
    problem: Problem, lam: jax.Array, mu: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """pi(y|x1,x2) and log sum_y exp(lam + mu), 0 on pairs without a label."""
    z = lam[:, None] + mu[None] + problem.offset
    top = _lanes.largest(z, 2)
    e = _lanes.once(jnp.exp(z - top[:, :, None]))
    total = _lanes.total(e, 2)
    log_sum = jnp.where(problem.live, top + jnp.log(total), 0)
    return e * (1 / total)[:, :, None], log_sum


def certificate(
    problem: Problem,
    lam: jax.Array,
    mu: jax.Array,
    r: jax.Array,
    pi: jax.Array,
    log_sum: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Objectives at a feasible q and a feasible (lam, mu), and the round-off.

    q = r pi is rounded to the transport polytope of each label (Altschuler,
    Weed and Rigollet 2017, algorithm 2), lam lowered by the worst violation.
    """
    p1y, p2y, live = problem.p1y, problem.p2y, problem.live

    def shrink(p: jax.Array, q: jax.Array) -> jax.Array:
        return jnp.minimum(1, p / jnp.where(q > 0, q, 1))

    q = r[:, :, None] * pi
    q = q * shrink(p1y, _lanes.total(q, 1))[:, None]
    q = q * shrink(p2y, _lanes.total(q, 0))[None]
    missing1 = jnp.maximum(p1y - _lanes.total(q, 1), 0)
    missing2 = jnp.maximum(p2y - _lanes.total(q, 0), 0)
    missing = _lanes.total(missing2, 0)
    # Shares are at most 1; said in so many words, because what is missing may
    # be all round-off, and then XLA's copies of it need not even agree.
    share2 = missing2 / jnp.where(missing > 0, missing, 1)[None]
    share2 = jnp.minimum(share2, 1)[None]
    q = _lanes.once(q + missing1[:, None] * share2)
    pair = _lanes.total(q, 2)[:, :, None]
    positive = q > 0
    ratio = jnp.where(positive, q, 1) / jnp.where(pair > 0, pair, 1)
    terms = q * jnp.log(ratio)
    upper = _lanes.sum_all(_lanes.total(terms, 2))

    # The lighter symbol of a pair pays for its violation, then every x1 for
    # what is left (or gains what is not used).
    p1, p2 = _lanes.total(p1y, 1), _lanes.total(p2y, 1)
    lighter2 = live & (p2[None] < p1[:, None])
    shift2 = _lanes.largest(jnp.where(lighter2, jnp.maximum(log_sum, 0), 0), 0)
    shift1 = _lanes.largest(
        jnp.where(live, log_sum - shift2[None], -jnp.inf), 1
    )
    shift1 = jnp.where(p1 > 0, shift1, 0)
    term1, term2 = lam * p1y, mu * p2y
    lower = _lanes.sum_all(term1) + _lanes.sum_all(term2)
    lower = lower - _lanes.total(p1 * shift1, 0) - _lanes.total(p2 * shift2, 0)

    # A sum of n terms is off by at most n roundings of their absolute sum;
    # 16 more for exp, log and the roundings inside a term. The last term
    # covers the mutual informations that T_min is combined with.
    roundings = sum(pi.shape[:3]) + 16
    label = _lanes.total(p1y, 0)
    entropy = -_lanes.total(label * jnp.log(jnp.where(label > 0, label, 1)), 0)
    size = (
        _lanes.sum_all(jnp.abs(term1))
        + _lanes.sum_all(jnp.abs(term2))
        - upper
        + 3 * (entropy + 1)
    )
    eps = jnp.finfo(pi.dtype).eps
    rounding = roundings * eps * size + lost_nats(problem.dropped, pi.shape[2])
    return upper, lower, rounding
