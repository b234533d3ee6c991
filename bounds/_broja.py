"""The interior-point method behind the PID: min I_q(X1,X2;Y), certified.

Bertschinger, Rauh, Olbrich, Jost and Ay (2014) define the decomposition by
the convex problem

  T_min = min I_q(X1,X2;Y)  over q with q(x1,y) = p(x1,y), q(x2,y) = p(x2,y).

Its dual (nats) is to maximise <lam, p1y> + <mu, p2y> + H(Y) subject to
sum_y exp(lam(x1,y) + mu(x2,y)) <= 1 for every pair (x1, x2). The method is a
primal-dual one on that constraint in log form with an explicit slack s,

  log sum_y exp(lam + mu) + s = 0,   s >= 0,   multiplier r(x1,x2) >= 0,

whose gradient is the softmax pi(y|x1,x2) and whose multiplier gives the
primal point back as q = r pi. Newton's matrix couples the symbols of x1 only
through those of x2, so the blocks of x1 are eliminated and a Schur complement
with |x2| |y| rows is factored: let x2 be the smaller alphabet.

What the iteration does is never trusted. Every step rounds q to the feasible
set, shifts lam to a feasible one, and takes the difference of the two
objectives: by weak duality it bounds the error of either.

Layout: arrays are those of one table, `[x1, x2, y]`, or of many with one more
axis, the lanes, LAST: `[x1, x2, y, lanes]`. Numbers of a lane, `[lanes]`, go
with anything by axes of size 1 in front (`_beside`), so one code serves both.
Lanes are an explicit
axis because `vmap` moves its axis to the front at the first broadcast, and
with alphabets of 2 or 3 symbols innermost nothing vectorises. Large tables
are vmapped as usual: there the work is in matrix products. One long file: one
iteration with its two factorisations, which share the layout.
"""

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bounds.status import Status

# A Schur complement of at most this many rows is factored by loops over lanes,
# a larger one by LAPACK (or cuSOLVER), table by table.
LANES_MAX_ROWS = 16
# Sums over at most this many terms are written out: XLA's reductions over an
# axis that is not the last cost several times as much on the CPU.
_UNROLL = 16
# The constants below were tuned on random, sparse, deterministic and extremely
# skewed tables (cells over 16 orders of magnitude); none is critical.
#
# Share of the way to the boundary that a step may go, and the longest step in
# the logarithms lam and mu, in which the constraint is far from linear; and
# both after a step that did not shrink the gap to `_SHRUNK` of what it was.
_SHARE, _CAUTIOUS_SHARE = 0.995, 0.8
_LENGTH, _CAUTIOUS_LENGTH = 4.0, 2.0
_SHRUNK = 0.9
# After so many steps without progress a lane starts again, with this factor
# on its first slack and on its cautious share: a cycle depends on the start.
_PATIENCE, _RESTART_SLACK, _RESTART_SHARE = 25, 0.1, 0.7
_FIRST_SLACK = 0.05
# The barrier, which is a gap, need not fall below this share of the tolerance.
_LEAST_BARRIER = 0.1
# Levenberg's damping: this share of the mass that is still missing from a
# marginal's entry, and of the tolerance, goes to the diagonal of that entry.
_DAMPING, _PROXIMAL = 0.25, 0.03
# Relative regularisation of Newton's diagonal: where it starts, its growth
# after a failed factorisation, and where to give up.
_RIDGE, _RIDGE_GROWTH, _RIDGE_LIMIT = 1e-16, 1e3, 1e-3


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


class State(NamedTuple):
    """Iterate and certificate; all fields end in the lanes.

    Attributes:
      lam: dual variable of p(x1, y), `[x1, y]`, nats.
      mu: dual variable of p(x2, y), `[x2, y]`, nats.
      slack: s, `[x1, x2]`.
      r: multiplier, at the optimum q(x1, x2), `[x1, x2]`.
      ridge: relative regularisation of Newton's matrix.
      stalled: steps since the gap last shrank.
      restarts: How often the lane has started again, a float.
      upper: Least T_min - H(Y) of a feasible q so far, nats; 0 before any.
      lower: Greatest dual value so far, nats; before any, the trivial bound.
      rounding: bound on the round-off of either, nats.
      steps: number of Newton steps.
      status: a `Status`; STEP_LIMIT as long as the lane is under way.
    """

    lam: jax.Array
    mu: jax.Array
    slack: jax.Array
    r: jax.Array
    ridge: jax.Array
    stalled: jax.Array
    restarts: jax.Array
    upper: jax.Array
    lower: jax.Array
    rounding: jax.Array
    steps: jax.Array
    status: jax.Array


def prepare(p1y: jax.Array, p2y: jax.Array, tol: jax.Array) -> Problem:
    """Finds the support of the marginals `[x1, y]` and `[x2, y]`."""
    p1y, p2y, dropped = significant(p1y, p2y, tol)
    support1, support2 = p1y > 0, p2y > 0
    # Not argmax: its lowering takes the dtype of the scope that it is lowered
    # in, and fails for float64 inside a float32 trace.
    index = _iota(p2y)
    heaviest = p2y == _max(p2y, 0)[None]
    last_heaviest = _max(jnp.where(heaviest, index, -1), 0)
    free2 = support2 & (index != last_heaviest[None])
    allowed = support1[:, None] & support2[None]
    offset = jnp.where(allowed, 0, -1e6).astype(p1y.dtype)
    live = _max(offset, 2) == 0
    weight = jnp.where(live, _sum(p1y, 1)[:, None] * _sum(p2y, 1)[None], 0)
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
    label = jnp.minimum(_sum(p1y, 0), _sum(p2y, 0)) > size * floor
    total = jnp.maximum(_sum_all(p1y), _sum_all(p2y))
    p1y = jnp.where((p1y > floor) & label[None], p1y, 0)
    p2y = jnp.where((p2y > floor) & label[None], p2y, 0)
    dropped = total - jnp.minimum(_sum_all(p1y), _sum_all(p2y))
    return p1y, p2y, dropped


def lost_nats(dropped: jax.Array, ny: int) -> jax.Array:
    """The most that dropped mass changes the minimum, in nats.

    Continuity of H(Y|X) (Alicki and Fannes 2004; Winter 2016, lemma 2).
    """
    lost = jnp.maximum(dropped, jnp.finfo(dropped.dtype).eps ** 2)
    return 2 * lost * (math.log(ny) + 1 - jnp.log(lost))


def start(problem: Problem) -> State:
    """The first state; its iterate is `_first_iterate`."""
    zero = jnp.zeros_like(problem.weight[0, 0])
    steps = zero.astype(jnp.int32)
    lam, mu, slack, r = _first_iterate(problem, zero)
    return State(
        lam=lam,
        mu=mu,
        slack=slack,
        r=r,
        ridge=zero + _RIDGE,
        stalled=steps,
        restarts=zero,
        # T_min - H(Y) is -H(Y|X1,X2) of some q.
        upper=zero,
        lower=zero - math.log(problem.p1y.shape[1]),
        rounding=zero,
        steps=steps,
        status=steps + Status.STEP_LIMIT,
    )


def _first_iterate(
    problem: Problem, restarts: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Halves of log p(y|x1) and log p(y|x2), a slack, and r = p(x1) p(x2).

    The point is dual feasible by Cauchy and Schwarz, and optimal where the two
    modalities say the same about the label.
    """

    def half_log(p: jax.Array, support: jax.Array) -> jax.Array:
        total = _sum(p, 1)[:, None]
        ratio = jnp.where(support, p / jnp.where(total > 0, total, 1), 1)
        return jnp.log(ratio) / 2

    lam = half_log(problem.p1y, problem.support1)
    mu = half_log(problem.p2y, problem.support2)
    _, log_sum = _softmax(problem, lam, mu)
    least = _FIRST_SLACK * _RESTART_SLACK**restarts
    slack = jnp.maximum(-log_sum, _beside(least, log_sum))
    slack = jnp.where(problem.live, slack, 1)
    return lam, mu, slack, problem.weight


def running(state: State, max_steps: jax.Array | int) -> jax.Array:
    """Whether a lane has neither converged nor failed nor run out of steps."""
    # A lane's last step is followed by one more certificate.
    return (state.status == Status.STEP_LIMIT) & (state.steps <= max_steps)


def gap_nats(state: State) -> jax.Array:
    """The proven error of `upper`, round-off included."""
    # A method of the arrays: a function of JAX would round NumPy's to float32.
    return (state.upper - state.lower).clip(0) + state.rounding


def iterate(
    problem: Problem, state: State, tol: jax.Array, max_steps: jax.Array | int
) -> State:
    """Certifies the iterate and, unless that ends it, takes a Newton step.

    Args:
      problem: one problem, or many with the lanes last.
      state: its state; lanes that are not `running` stay as they are.
      tol: a gap, in nats, that is small enough.
      max_steps: the most Newton steps.

    Returns:
      The next state.
    """
    active = running(state, max_steps)
    pi, log_sum = _softmax(problem, state.lam, state.mu)
    upper, lower, rounding = _certificate(problem, state, pi, log_sum)
    finite = jnp.isfinite(upper) & jnp.isfinite(lower)
    best = state._replace(
        upper=jnp.where(finite, jnp.minimum(state.upper, upper), state.upper),
        lower=jnp.where(finite, jnp.maximum(state.lower, lower), state.lower),
        rounding=jnp.where(finite, rounding, state.rounding),
    )
    improved = gap_nats(best) < _SHRUNK * gap_nats(state)
    improved |= state.steps == 0
    best = best._replace(stalled=jnp.where(improved, 0, state.stalled + 1))
    converged = gap_nats(best) <= tol
    hopeless = ~finite | (state.ridge > _RIDGE_LIMIT)
    status = jnp.where(
        converged,
        Status.CONVERGED,
        jnp.where(hopeless, Status.NOT_FINITE, Status.STEP_LIMIT),
    ).astype(jnp.int32)
    moved = _newton_step(problem, best, pi, log_sum, tol)
    restart = best.stalled >= _PATIENCE
    moved = jax.lax.cond(
        jnp.any(restart), _restart, lambda *a: a[1], problem, moved, restart
    )
    move = active & ~converged & ~hopeless & (state.steps < max_steps)
    moved = _select(move, moved, best)
    moved = moved._replace(steps=state.steps + 1, status=status)
    return _select(active, moved, state)


def lanes_pay(n1: int, n2: int, ny: int) -> bool:
    """Whether tables of this shape are solved with the lanes last."""
    return n1 <= _UNROLL and min(n1, n2) * ny <= LANES_MAX_ROWS


def run(
    p1y: jax.Array,
    p2y: jax.Array,
    state: State,
    tol: jax.Array,
    max_steps: jax.Array | int,
    enough: jax.Array | int = 0,
    *,
    lanes_last: bool,
) -> State:
    """Iterates a batch until at most `enough` of its tables are running.

    Args:
      p1y: p(x1, y), `[x1, y, lanes]` if `lanes_last`, else `[batch, x1, y]`.
      p2y: p(x2, y), likewise.
      state: the batch's state, laid out likewise.
      tol: a gap, in nats, that is small enough.
      max_steps: the most Newton steps of a table.
      enough: a batched loop is as long as its slowest table; a caller that
        gathers the stragglers of several batches stops early.
      lanes_last: the layout; see `lanes_pay`.

    Returns:
      The state.
    """
    prepared = partial(prepare, tol=tol)
    step = partial(iterate, tol=tol, max_steps=max_steps)
    if not lanes_last:
        prepared, step = jax.vmap(prepared), jax.vmap(step)
    problem = prepared(p1y, p2y)
    return jax.lax.while_loop(
        lambda state: jnp.sum(running(state, max_steps)) > enough,
        lambda state: step(problem, state),
        state,
    )


def minimize(
    p1y: jax.Array, p2y: jax.Array, tol: jax.Array, *, max_steps: int
) -> State:
    """Solves one table, `[x1, y]` and `[x2, y]`."""
    state = start(prepare(p1y, p2y, tol))
    # A single table is many without an axis of lanes.
    return run(p1y, p2y, state, tol, max_steps, lanes_last=True)


def _restart(problem: Problem, state: State, restart: jax.Array) -> State:
    """Puts lanes back to a first iterate, with more slack and caution."""
    restarts = state.restarts + 1
    lam, mu, slack, r = _first_iterate(problem, restarts)
    fresh = state._replace(
        lam=lam,
        mu=mu,
        slack=slack,
        r=r,
        stalled=jnp.zeros_like(state.stalled),
        restarts=restarts,
    )
    return _select(restart, fresh, state)


def _newton_step(
    problem: Problem,
    state: State,
    pi: jax.Array,
    log_sum: jax.Array,
    tol: jax.Array,
) -> State:
    """One step of Mehrotra's predictor-corrector method."""
    live, s, r = problem.live, state.slack, state.r
    one_over_s = 1 / s
    stiffness = r * one_over_s
    infeasible = jnp.where(live, log_sum + s, 0)
    flow = r[:, :, None] * pi
    residual1 = problem.p1y - _sum(flow, 1)
    residual2 = problem.p2y - _sum(flow, 0)
    product = _sum_all(r * s)
    extra1 = _DAMPING * jnp.maximum(residual1, 0) + _PROXIMAL * tol
    extra2 = _DAMPING * jnp.maximum(residual2, 0) + _PROXIMAL * tol
    solve = _factor(problem, pi, r, stiffness - r, state.ridge, extra1, extra2)

    def direction(target: jax.Array) -> tuple[jax.Array, ...]:
        """Solves Newton's system for r s -> target."""
        t = (target + r * infeasible) * one_over_s - r
        flow = t[:, :, None] * pi
        d_lam, d_mu = solve(
            jnp.where(problem.support1, residual1 - _sum(flow, 1), 0),
            jnp.where(problem.free2, residual2 - _sum(flow, 0), 0),
        )
        d_log_sum = _sum(pi * (d_lam[:, None] + d_mu[None]), 2)
        d_s = jnp.where(live, -infeasible - d_log_sum, 0)
        d_r = jnp.where(live, t + stiffness * d_log_sum, 0)
        return d_lam, d_mu, d_s, d_r

    def longest(x: jax.Array, dx: jax.Array, most: Any = 1) -> jax.Array:
        """Largest step up to 1 that takes at most a share `most` of x."""
        return most / jnp.maximum(_max_all(-dx / jnp.where(live, x, 1)), most)

    def moved_by(step: jax.Array, x: jax.Array, dx: jax.Array) -> jax.Array:
        return x + _beside(step, x) * dx

    _, _, d_s, d_r = direction(jnp.zeros_like(r))
    after = moved_by(longest(r, d_r), r, d_r)
    after = after * moved_by(longest(s, d_s), s, d_s)
    centring = jnp.clip((_sum_all(after) / product) ** 3, 1e-8, 1)
    barrier = jnp.maximum(centring * product, _LEAST_BARRIER * tol)
    barrier = barrier / _sum_all(problem.weight)
    target = _beside(barrier, r) * problem.weight
    d_lam, d_mu, d_s, d_r = direction(target - d_s * d_r)

    cautious = state.stalled > 0
    careful = _CAUTIOUS_SHARE * _RESTART_SHARE**state.restarts
    share = jnp.where(cautious, careful, _SHARE)
    length = jnp.where(cautious, _CAUTIOUS_LENGTH, _LENGTH)
    largest = jnp.maximum(_max_all(jnp.abs(d_lam)), _max_all(jnp.abs(d_mu)))
    dual_step = jnp.minimum(
        longest(s, d_s, share),
        length / jnp.maximum(largest, length),
    )
    primal_step = longest(r, d_r, share)
    moved = state._replace(
        lam=moved_by(dual_step, state.lam, d_lam),
        mu=moved_by(dual_step, state.mu, d_mu),
        slack=moved_by(dual_step, s, d_s),
        r=moved_by(primal_step, r, d_r),
        ridge=jnp.maximum(state.ridge / _RIDGE_GROWTH, _RIDGE),
    )
    # A failed factorisation shows as NaN: stay, and regularise more.
    ok = jnp.isfinite(largest) & jnp.isfinite(_max_all(moved.r))
    stay = state._replace(ridge=state.ridge * _RIDGE_GROWTH)
    return _select(ok, moved, stay)


def _softmax(
    problem: Problem, lam: jax.Array, mu: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """pi(y|x1,x2) and log sum_y exp(lam + mu), 0 on pairs without a label."""
    z = lam[:, None] + mu[None] + problem.offset
    top = _max(z, 2)
    e = _once(jnp.exp(z - top[:, :, None]))
    total = _sum(e, 2)
    log_sum = jnp.where(problem.live, top + jnp.log(total), 0)
    return e * (1 / total)[:, :, None], log_sum


def _certificate(
    problem: Problem, state: State, pi: jax.Array, log_sum: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Objectives at a feasible q and a feasible (lam, mu), and the round-off.

    q = r pi is rounded to the transport polytope of each label (Altschuler,
    Weed and Rigollet 2017, algorithm 2), lam lowered by the worst violation.
    """
    p1y, p2y, live = problem.p1y, problem.p2y, problem.live

    def shrink(p: jax.Array, q: jax.Array) -> jax.Array:
        return jnp.minimum(1, p / jnp.where(q > 0, q, 1))

    q = state.r[:, :, None] * pi
    q = q * shrink(p1y, _sum(q, 1))[:, None]
    q = q * shrink(p2y, _sum(q, 0))[None]
    missing1 = jnp.maximum(p1y - _sum(q, 1), 0)
    missing2 = jnp.maximum(p2y - _sum(q, 0), 0)
    missing = _sum(missing2, 0)
    # Shares are at most 1; said in so many words, because what is missing may
    # be all round-off, and then XLA's copies of it need not even agree.
    share2 = missing2 / jnp.where(missing > 0, missing, 1)[None]
    share2 = jnp.minimum(share2, 1)[None]
    q = _once(q + missing1[:, None] * share2)
    pair = _sum(q, 2)[:, :, None]
    positive = q > 0
    ratio = jnp.where(positive, q, 1) / jnp.where(pair > 0, pair, 1)
    terms = q * jnp.log(ratio)
    upper = _sum_all(_sum(terms, 2))

    # The lighter symbol of a pair pays for its violation, then every x1 for
    # what is left (or gains what is not used).
    p1, p2 = _sum(p1y, 1), _sum(p2y, 1)
    lighter2 = live & (p2[None] < p1[:, None])
    shift2 = _max(jnp.where(lighter2, jnp.maximum(log_sum, 0), 0), 0)
    shift1 = _max(jnp.where(live, log_sum - shift2[None], -jnp.inf), 1)
    shift1 = jnp.where(p1 > 0, shift1, 0)
    term1, term2 = state.lam * p1y, state.mu * p2y
    lower = _sum_all(term1) + _sum_all(term2)
    lower = lower - _sum(p1 * shift1, 0) - _sum(p2 * shift2, 0)

    # A sum of n terms is off by at most n roundings of their absolute sum;
    # 16 more for exp, log and the roundings inside a term. The last term
    # covers the mutual informations that T_min is combined with.
    roundings = sum(pi.shape[:3]) + 16
    label = _sum(p1y, 0)
    entropy = -_sum(label * jnp.log(jnp.where(label > 0, label, 1)), 0)
    size = (
        _sum_all(jnp.abs(term1))
        + _sum_all(jnp.abs(term2))
        - upper
        + 3 * (entropy + 1)
    )
    eps = jnp.finfo(pi.dtype).eps
    rounding = roundings * eps * size + lost_nats(problem.dropped, pi.shape[2])
    return upper, lower, rounding


def _factor(
    problem: Problem,
    pi: jax.Array,
    r: jax.Array,
    kappa: jax.Array,
    ridge: jax.Array,
    extra1: jax.Array,
    extra2: jax.Array,
) -> Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Factors Newton's matrix sum r diag(pi) + kappa pi pi^T over all pairs.

    In blocks [[A, B], [B^T, C]]: A is block diagonal over x1 and C over x2,
    each block `[y, y]`. Returns a function that solves for (d_lam, d_mu).
    """
    n1, n2, ny = pi.shape[:3]
    rows, lanes = n2 * ny, pi.shape[3:]
    pi2 = jnp.where(problem.free2, pi, 0)
    flow1 = _label_first(r[:, :, None] * pi)  # [y, x1, x2]
    flow2 = _label_first(r[:, :, None] * pi2)
    stiff1 = _label_first(kappa[:, :, None] * pi)
    stiff2 = _label_first(kappa[:, :, None] * pi2)
    y_pi, y_pi2 = _label_first(pi), _label_first(pi2)

    diagonal = _spread(jnp.eye(ny, dtype=pi.dtype)[:, :, None], lanes)

    def diagonal_blocks(
        a: jax.Array, d: jax.Array, support: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Adds d to the diagonals of `a`, 1 where an entry is not free."""
        total = jnp.stack([a[y, y] for y in range(ny)]) + d
        total = jnp.where(support, total, 1)
        d = jnp.where(support, d, 1) + _beside(ridge, total) * total
        return a + diagonal * d[None], total

    a, scale1 = diagonal_blocks(
        _sum(stiff1[:, None] * y_pi[None], 3),
        _sum(flow1, 2) + jnp.moveaxis(extra1, 1, 0),
        jnp.moveaxis(problem.support1, 1, 0),
    )
    c, scale2 = diagonal_blocks(
        _sum(stiff2[:, None] * y_pi2[None], 2),
        _sum(flow2, 1) + jnp.moveaxis(extra2, 1, 0),
        jnp.moveaxis(problem.free2, 1, 0),
    )
    # B as [y, x1, (x2, y')] and C as [(x2, y), (x2', y')].
    same_label = _spread(jnp.eye(ny, dtype=pi.dtype)[:, None, None], lanes)
    b = stiff1[:, :, :, None] * pi2[None] + flow2[:, :, :, None] * same_label
    b = b.reshape((ny, n1, rows) + lanes)
    same_symbol = _spread(jnp.eye(n2, dtype=pi.dtype)[:, None, :, None], lanes)
    c = jnp.moveaxis(c, 2, 0)[:, :, None] * same_symbol
    c = c.reshape((rows, rows) + lanes)
    if not lanes:
        return _factor_one(a, b, c)
    scale2 = jnp.moveaxis(scale2, 1, 0).reshape((rows,) + lanes)
    floor1, floor2 = (_beside(ridge, x) * x for x in (scale1, scale2))
    return _factor_lanes(a, b, c, floor1, floor2)


_Solve = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def _factor_one(a: jax.Array, b: jax.Array, c: jax.Array) -> _Solve:
    """`_factor` of one table by LAPACK's Cholesky."""

    def lower_solve(
        low: jax.Array, x: jax.Array, *, transpose: bool = False
    ) -> jax.Array:
        return jax.lax.linalg.triangular_solve(
            low, x, left_side=True, lower=True, transpose_a=transpose
        )

    einsum = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
    l1 = jax.lax.linalg.cholesky(jnp.moveaxis(a, 2, 0))
    w = lower_solve(l1, jnp.moveaxis(b, 0, 1))  # [x1, y, (x2, y')]
    l2 = jax.lax.linalg.cholesky(c - einsum("akm,akn->mn", w, w))

    def solve(g1: jax.Array, g2: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = lower_solve(l1, g1[..., None])[..., 0]
        g = g2.reshape(-1) - einsum("akm,ak->m", w, h)
        g = lower_solve(l2, g[:, None])
        d2 = lower_solve(l2, g, transpose=True)[:, 0]
        h = h - einsum("akm,m->ak", w, d2)
        d1 = lower_solve(l1, h[..., None], transpose=True)[..., 0]
        return d1, d2.reshape(g2.shape)

    return solve


def _factor_lanes(
    a: jax.Array,
    b: jax.Array,
    c: jax.Array,
    floor1: jax.Array,
    floor2: jax.Array,
) -> _Solve:
    """`_factor` of many tables by L D L^T, all lanes at once.

    The columns go through a loop, not a Python one, for the sake of accuracy:
    XLA fuses straight-line code by computing a value once per use, with
    multiplications and additions contracted differently in each, and the
    factors of a nearly singular matrix must agree to the last bit.
    """

    def forward(low: jax.Array, g: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(
            0, len(low), lambda k, g: g - _row(low, k) * _row(g, k)[None], g
        )

    def backward(low: jax.Array, g: jax.Array) -> jax.Array:
        def row(i: jax.Array, g: jax.Array) -> jax.Array:
            k = len(low) - 1 - i
            known = _sum(_row(low, k) * g, 0)
            return _set_row(g, _row(g, k) - known, k)

        return jax.lax.fori_loop(0, len(low), row, g)

    low1, inverse1 = _ldl(a, floor1)
    z = forward(low1[:, :, :, None], b)
    schur = c
    for y in range(z.shape[0]):
        scaled = z[y] * inverse1[y][:, None]
        for x1 in range(z.shape[1]):
            schur = schur - z[y, x1][:, None] * scaled[x1][None]
    low2, inverse2 = _ldl(schur, floor2)

    def solve(g1: jax.Array, g2: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = forward(low1, jnp.moveaxis(g1, 1, 0))  # [y, x1]
        g = g2.reshape(floor2.shape)
        g = g - _sum(_sum(z * (h * inverse1)[:, :, None], 0), 0)
        d2 = backward(low2, forward(low2, g) * inverse2)
        h = h - _sum(z * d2[None, None], 2)
        d1 = backward(low1, h * inverse1)
        return jnp.moveaxis(d1, 0, 1), d2.reshape(g2.shape)

    return solve


def _ldl(a: jax.Array, floor: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Factors symmetric `a[n, n, ...]` = L D L^T; pivots are at least `floor`.

    Returns:
      Row k holds column k of L below its diagonal; and 1 / D.
    """

    def column(k: jax.Array, carry: tuple) -> tuple:
        a, inverse = carry
        row = _row(a, k)
        one_over = 1 / jnp.maximum(_row(row, k), _row(floor, k))
        below = jnp.where(_iota(row) > k, row * one_over[None], 0)
        a = _set_row(a - below[:, None] * row[None], below, k)
        return a, _set_row(inverse, one_over, k)

    n = len(a)
    done = n // 2 if n > 6 else n
    a, inverse = jax.lax.fori_loop(0, done, column, (a, jnp.zeros_like(floor)))
    if done == n:
        return a, inverse
    # The other columns change the lower right block only.
    block, rest = _ldl(a[done:, done:], floor[done:])
    corner = jnp.concatenate([jnp.zeros_like(a[done:, :done]), block], 1)
    low = jnp.concatenate([a[:done], corner])
    return low, jnp.concatenate([inverse[:done], rest])


def _select(which: jax.Array, new: State, old: State) -> State:
    """The new state in the lanes `which`."""
    return jax.tree.map(
        lambda a, b: jnp.where(_beside(which, a), a, b), new, old
    )


def _beside(number: jax.Array, x: jax.Array) -> jax.Array:
    """A number of each lane, shaped to go with `x`."""
    return number.reshape((1,) * (x.ndim - number.ndim) + number.shape)


def _row(x: jax.Array, k: jax.Array) -> jax.Array:
    return jax.lax.dynamic_index_in_dim(x, k, 0, keepdims=False)


def _set_row(x: jax.Array, value: jax.Array, k: jax.Array) -> jax.Array:
    return jax.lax.dynamic_update_index_in_dim(x, value, k, 0)


def _spread(x: jax.Array, lanes: tuple[int, ...]) -> jax.Array:
    """Appends an axis of size 1 for each lane axis."""
    return x.reshape(x.shape + (1,) * len(lanes))


def _label_first(x: jax.Array) -> jax.Array:
    """`[x1, x2, y]` as `[y, x1, x2]`."""
    return jnp.moveaxis(x, 2, 0)


def _once(x: jax.Array) -> jax.Array:
    """Keeps XLA from computing `x` again in each of its uses."""
    return jax.lax.optimization_barrier(x)


def _iota(x: jax.Array) -> jax.Array:
    return jax.lax.broadcasted_iota(jnp.int32, x.shape, 0)


def _along(
    operation: Callable, reduction: Callable, x: jax.Array, axis: int
) -> jax.Array:
    if x.shape[axis] > _UNROLL:
        return reduction(x, axis)
    parts = range(x.shape[axis])
    index = partial(jax.lax.index_in_dim, x, axis=axis, keepdims=False)
    return reduce(operation, [index(i) for i in parts])


_sum = partial(_along, jax.lax.add, jnp.sum)
_max = partial(_along, jax.lax.max, jnp.max)


def _sum_all(x: jax.Array) -> jax.Array:
    """Sum over the first two axes."""
    return _sum(_sum(x, 0), 0)


def _max_all(x: jax.Array) -> jax.Array:
    return _max(_max(x, 0), 0)
