"""The interior-point method behind the PID: min I_q(X1,X2;Y), certified.

Bertschinger, Rauh, Olbrich, Jost and Ay (2014) define the decomposition by a
convex problem; `_certificate` has it and its dual. The method is a primal-dual
one on the dual's constraint in log form with an explicit slack s,

  log sum_y exp(lam + mu) + s = 0,   s >= 0,   multiplier r(x1,x2) >= 0,

whose gradient is the softmax pi(y|x1,x2) and whose multiplier gives the
primal point back as q = r pi. Newton's matrix is factored by `_schur`, where
the symbols of x2 count: let it be the smaller alphabet.

What the iteration does is never trusted: every step computes a certificate.
Arrays are laid out as `_lanes` has it.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bounds import _lanes
from bounds._certificate import Problem, certificate, prepare, softmax
from bounds._schur import factor
from bounds.status import Status

# A Schur complement of at most this many rows is factored by loops over lanes,
# a larger one by LAPACK (or cuSOLVER), table by table.
LANES_MAX_ROWS = 16
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
        total = _lanes.total(p, 1)[:, None]
        ratio = jnp.where(support, p / jnp.where(total > 0, total, 1), 1)
        return jnp.log(ratio) / 2

    lam = half_log(problem.p1y, problem.support1)
    mu = half_log(problem.p2y, problem.support2)
    _, log_sum = softmax(problem, lam, mu)
    least = _FIRST_SLACK * _RESTART_SLACK**restarts
    slack = jnp.maximum(-log_sum, _lanes.beside(least, log_sum))
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
    pi, log_sum = softmax(problem, state.lam, state.mu)
    upper, lower, rounding = certificate(
        problem, state.lam, state.mu, state.r, pi, log_sum
    )
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
    moved = _lanes.select(move, moved, best)
    moved = moved._replace(steps=state.steps + 1, status=status)
    return _lanes.select(active, moved, state)


def lanes_pay(n1: int, n2: int, ny: int) -> bool:
    """Whether tables of this shape are solved with the lanes last."""
    return n1 <= _lanes.UNROLL and min(n1, n2) * ny <= LANES_MAX_ROWS


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
    return _lanes.select(restart, fresh, state)


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
    residual1 = problem.p1y - _lanes.total(flow, 1)
    residual2 = problem.p2y - _lanes.total(flow, 0)
    product = _lanes.sum_all(r * s)
    extra1 = _DAMPING * jnp.maximum(residual1, 0) + _PROXIMAL * tol
    extra2 = _DAMPING * jnp.maximum(residual2, 0) + _PROXIMAL * tol
    solve = factor(problem, pi, r, stiffness - r, state.ridge, extra1, extra2)

    def direction(target: jax.Array) -> tuple[jax.Array, ...]:
        """Solves Newton's system for r s -> target."""
        t = (target + r * infeasible) * one_over_s - r
        flow = t[:, :, None] * pi
        d_lam, d_mu = solve(
            jnp.where(problem.support1, residual1 - _lanes.total(flow, 1), 0),
            jnp.where(problem.free2, residual2 - _lanes.total(flow, 0), 0),
        )
        d_log_sum = _lanes.total(pi * (d_lam[:, None] + d_mu[None]), 2)
        d_s = jnp.where(live, -infeasible - d_log_sum, 0)
        d_r = jnp.where(live, t + stiffness * d_log_sum, 0)
        return d_lam, d_mu, d_s, d_r

    def longest(x: jax.Array, dx: jax.Array, most: Any = 1) -> jax.Array:
        """Largest step up to 1 that takes at most a share `most` of x."""
        return most / jnp.maximum(
            _lanes.max_all(-dx / jnp.where(live, x, 1)), most
        )

    def moved_by(step: jax.Array, x: jax.Array, dx: jax.Array) -> jax.Array:
        return x + _lanes.beside(step, x) * dx

    _, _, d_s, d_r = direction(jnp.zeros_like(r))
    after = moved_by(longest(r, d_r), r, d_r)
    after = after * moved_by(longest(s, d_s), s, d_s)
    centring = jnp.clip((_lanes.sum_all(after) / product) ** 3, 1e-8, 1)
    barrier = jnp.maximum(centring * product, _LEAST_BARRIER * tol)
    barrier = barrier / _lanes.sum_all(problem.weight)
    target = _lanes.beside(barrier, r) * problem.weight
    d_lam, d_mu, d_s, d_r = direction(target - d_s * d_r)

    cautious = state.stalled > 0
    careful = _CAUTIOUS_SHARE * _RESTART_SHARE**state.restarts
    share = jnp.where(cautious, careful, _SHARE)
    length = jnp.where(cautious, _CAUTIOUS_LENGTH, _LENGTH)
    largest = jnp.maximum(
        _lanes.max_all(jnp.abs(d_lam)), _lanes.max_all(jnp.abs(d_mu))
    )
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
    ok = jnp.isfinite(largest) & jnp.isfinite(_lanes.max_all(moved.r))
    stay = state._replace(ridge=state.ridge * _RIDGE_GROWTH)
    return _lanes.select(ok, moved, stay)
