"""Which method solves a batch of marginals, and on what terms.

`_broja` is the interior point: few steps, each of which factors a matrix with
min(x1, x2) y rows; it reaches 1e-9. `_scaling` takes hundreds of steps that
are products of matrices, and large tables in a small part of the time; it
reaches 1e-4 to 1e-6, and 1e-9 where labels are many.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _broja, _engine, _entry, _scaling
from bounds.options import Options
from bounds.status import Status

NAMES = ("auto", "interior", "scaling")
# From so many rows of Newton's matrix on scaling is faster. The pairs are a
# number of labels and a tolerance, in bits, that scaling reaches with as many;
# with fewer the optimum is at the boundary almost everywhere: it may crawl.
_MANY_ROWS, _TOO_MANY_ROWS = 64, 1024
_TRUSTED = ((16, 1e-6), (8, 1e-4))
# With so many labels, and symbols no more than so many times as many, it mostly
# reaches the interior point's own tolerance, too, 2 to 30 times as fast.
MANY_LABELS, _SYMBOLS_PER_LABEL, _FINEST = 16, 4, 1e-9
# Tables with at most so many rows go to the interior point if it does crawl; of
# those that would have gone there anyway, all.
_FEW_ROWS = 512
_TOLERANCE = {
    "interior": {np.dtype(np.float64): _FINEST, np.dtype(np.float32): 1e-4},
    "scaling": {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-2},
}
_MAX_STEPS = {"interior": 200, "scaling": 10_000}
# Cells x1 x2 y of a chunk of the interior point: enough to hide the cost of a
# kernel's start, few enough for the arrays of a step to stay in the cache. On
# an H100 2^20 were 3 to 12 times as fast as 2^13.
_CELLS, _CELLS_OFF_CPU = 2**13, 2**20
# A few tables of at most so many cells are solved before one program is
# compiled; of larger ones a single compiled step saves much.
_FEW_CELLS = 2**11
# Tables that are chunks of their own by that rule, but no larger ones, come in
# chunks of so many: 19 ms instead of 42 for a table of 30x30x5.
_FEWEST = 4


class Minimum(NamedTuple):
    """min I_q(X1,X2;Y) - H(Y) of each table, in nats, and its certificate.

    Attributes:
      value: objective at a feasible q, an upper bound.
      gap: proven error of `value`.
      status: a `Status`.
      steps: steps of the solver taken.
      lam: derivative of the minimum with respect to p(x1, y); None of scaling
        outside a trace.
      mu: derivative of the minimum with respect to p(x2, y); None likewise.
    """

    value: Any
    gap: Any
    status: Any
    steps: Any
    lam: Any
    mu: Any


def choose(
    solver: str,
    tol: float | None,
    shape1: Sequence[int],
    shape2: Sequence[int],
    *,
    tries: bool = False,
) -> str:
    """Returns "interior" or "scaling" for marginals `[..., x, y]`.

    Args:
      solver: one of `NAMES`.
      tol: tolerance in bits; None for the interior point's.
      shape1: shape of the first.
      shape2: shape of the second.
      tries: whether scaling may also be tried where it is not certain to reach
        the tolerance, since the interior point gets what it does not finish.
    """
    if solver != "auto":
        return solver
    rows, labels = _rows(shape1, shape2), shape1[-1]
    if rows < _MANY_ROWS:
        return "interior"
    if tol is not None:
        trusted = any(labels >= n and tol >= t for n, t in _TRUSTED)
        if trusted or (rows >= _TOO_MANY_ROWS and tol >= _TRUSTED[-1][1]):
            return "scaling"
    symbols = max(shape1[-2], shape2[-2])
    fast = symbols <= _SYMBOLS_PER_LABEL * labels or rows >= _TOO_MANY_ROWS
    within = tol is None or tol >= _FINEST
    often = labels >= MANY_LABELS and fast and within
    return "scaling" if tries and often else "interior"


def _rows(shape1: Sequence[int], shape2: Sequence[int]) -> int:
    return min(shape1[-2], shape2[-2]) * shape1[-1]


def _completed(
    solver: str, options: Options, max_steps: int | None
) -> tuple[float, int]:
    """Returns the tolerance in nats and the most steps."""
    tol = options.tolerance(_TOLERANCE[solver][options.dtype])
    return (
        tol * math.log(2),
        _MAX_STEPS[solver] if max_steps is None else max_steps,
    )


def minimize_traced(
    p1y: jax.Array,
    p2y: jax.Array,
    *,
    solver: str,
    max_steps: int | None,
    options: Options,
) -> Minimum:
    """Solves a batch `[batch, x1, y]`, `[batch, x2, y]` inside a trace.

    Args:
      p1y: p(x1, y), in the dtype of the computation.
      p2y: p(x2, y).
      solver: one of `NAMES`.
      max_steps: the most steps; None for the solver's own.
      options: of these the tolerance.

    Returns:
      The minima.
    """
    solver = choose(solver, options.tol, p1y.shape, p2y.shape)
    nats, most = _completed(solver, options, max_steps)
    if solver == "interior":
        return _interior_traced(p1y, p2y, nats, most)
    return _of_scaling(scale(p1y, p2y, jnp.asarray(nats, p1y.dtype), most))


def minimize(
    p1y: np.ndarray,
    p2y: np.ndarray,
    *,
    solver: str,
    max_steps: int | None,
    options: Options,
) -> Minimum:
    """Solves a batch of concrete marginals.

    Args:
      p1y: p(x1, y), `[batch, x1, y]`.
      p2y: p(x2, y), `[batch, x2, y]`.
      solver: see `minimize_traced`.
      max_steps: see `minimize_traced`.
      options: of the call.

    Returns:
      NumPy arrays with the batch first.
    """
    asked, shapes = solver, (p1y.shape, p2y.shape)
    certain = choose(solver, options.tol, *shapes)
    cells = p1y.shape[1] * p2y.shape[1] * p1y.shape[2]
    interpreted = cells <= _FEW_CELLS and len(p1y) <= _engine.FEW_PROBLEMS
    tries = max_steps is None and options.dtype == np.float64
    # A program would take longer than the interior point takes without one.
    tries &= not interpreted
    solver = choose(solver, options.tol, *shapes, tries=tries)
    if solver != certain and options.tol is None:
        options = dataclasses.replace(options, tol=_FINEST)
    nats, most_steps = _completed(solver, options, max_steps)
    if solver == "interior":
        return _interior(p1y, p2y, nats, most_steps, options)
    method = _engine.Method(
        run=_scale_to_minima,
        numbers=(options.dtype.type(nats), most_steps),
        singly=True,
    )
    out = _of_scaling(_engine.run(method, p1y, p2y, options=options))
    left = np.flatnonzero(out.status != Status.CONVERGED)
    few = solver != certain or _rows(*shapes) <= _FEW_ROWS
    if asked == "auto" and max_steps is None and few and left.size:
        rest = minimize(
            p1y[left], p2y[left], solver="interior", max_steps=None,
            options=options,
        )  # fmt: skip
        for into, x in zip(out[:4], rest[:4], strict=True):
            into[left] = x
    return out


def _interior(
    p1y: np.ndarray,
    p2y: np.ndarray,
    nats: float,
    max_steps: int,
    options: Options,
) -> Minimum:
    (_, n1, ny), n2 = p1y.shape, p2y.shape[1]
    if n1 < n2:
        return _swapped(_interior(p2y, p1y, nats, max_steps, options))
    cells = n1 * n2 * ny
    on_cpu = _engine.devices_of(options)[0].platform == "cpu"
    most = (_CELLS if on_cpu else _CELLS_OFF_CPU) // cells
    lanes_last = _broja.lanes_pay(n1, n2, ny)
    tol = options.dtype.type(nats)
    start, run = _interior_programs(lanes_last)

    def interpret(p1y: np.ndarray, p2y: np.ndarray) -> _broja.State:
        return _entry.interpret(
            _broja.minimize, p1y, p2y, np.asarray(tol), max_steps=max_steps
        )

    method = _engine.Method(
        run=run,
        numbers=(tol, max_steps),
        start=start,
        unfinished=partial(_broja.running, max_steps=max_steps),
        interpret=interpret if cells <= _FEW_CELLS else None,
        axis=-1 if lanes_last else 0,
    )
    most = max(most, _FEWEST) if most else 1
    return _of_interior(
        _engine.run(method, p1y, p2y, options=options, most=most)
    )


@functools.cache
def _interior_programs(
    lanes_last: bool,
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`_broja.start` and `_broja.run` of a chunk, compiled."""

    def start(
        p1y: jax.Array, p2y: jax.Array, tol: jax.Array, _: jax.Array | int
    ) -> _broja.State:
        def single(p1y: jax.Array, p2y: jax.Array) -> _broja.State:
            return _broja.start(_broja.prepare(p1y, p2y, tol))

        return (single if lanes_last else jax.vmap(single))(p1y, p2y)

    def run(
        p1y: jax.Array,
        p2y: jax.Array,
        tol: jax.Array,
        max_steps: jax.Array | int,
        state: _broja.State,
        enough: jax.Array | int,
    ) -> _broja.State:
        return _broja.run(
            p1y, p2y, state, tol, max_steps, enough, lanes_last=lanes_last
        )

    return jax.jit(start), jax.jit(run)


def _interior_traced(
    p1y: jax.Array, p2y: jax.Array, nats: float, max_steps: int
) -> Minimum:
    if p1y.shape[1] < p2y.shape[1]:
        return _swapped(_interior_traced(p2y, p1y, nats, max_steps))
    lanes_last = _broja.lanes_pay(p1y.shape[1], p2y.shape[1], p1y.shape[2])
    start, run = _interior_programs(lanes_last)
    if lanes_last:
        p1y, p2y = jnp.moveaxis(p1y, 0, -1), jnp.moveaxis(p2y, 0, -1)
    numbers = (nats, max_steps)
    state = run(p1y, p2y, *numbers, start(p1y, p2y, *numbers), 0)
    if lanes_last:
        state = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), state)
    return _of_interior(state)


def _swapped(minimum: Minimum) -> Minimum:
    return minimum._replace(lam=minimum.mu, mu=minimum.lam)


def _of_interior(state: _broja.State) -> Minimum:
    return Minimum(
        value=state.upper,
        gap=_broja.gap_nats(state),
        status=state.status,
        steps=state.steps - 1,
        lam=state.lam,
        mu=state.mu,
    )


def scale(
    p1y: jax.Array,
    p2y: jax.Array,
    tol: jax.Array,
    max_steps: jax.Array | int,
    start: _scaling.Start | None = None,
    *,
    rough: jax.Array | None = None,
) -> _scaling.State:
    """`_scaling.minimize` of a batch, the way that suits the platform.

    On the CPU products of many small matrices at once are slower than one
    after the other.
    """
    tol = jax.lax.convert_element_type(tol, p1y.dtype)
    single = partial(
        _scaling.minimize, tol=tol, max_steps=max_steps, rough=rough
    )
    arrays = (p1y, p2y, start)

    def one_by_one(arrays: Any) -> _scaling.State:
        return jax.lax.map(lambda x: single(*x[:2], start=x[2]), arrays)

    def at_once(arrays: Any) -> _scaling.State:
        return jax.vmap(lambda x: single(*x[:2], start=x[2]))(arrays)

    # Entry points work under any rules of promotion that the caller has set.
    with (
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
    ):
        return jax.lax.platform_dependent(
            arrays, cpu=one_by_one, default=at_once
        )


@jax.jit
def _scale_to_minima(
    p1y: jax.Array, p2y: jax.Array, tol: jax.Array, max_steps: jax.Array | int
) -> _scaling.State:
    """`scale` without the large arrays, which nobody asked for."""
    large = ("log_m", "before", "b", "lam", "mu")
    dropped: dict[str, Any] = dict.fromkeys(large)
    return scale(p1y, p2y, tol, max_steps)._replace(**dropped)


def _of_scaling(state: _scaling.State) -> Minimum:
    return Minimum(
        value=state.upper,
        gap=_scaling.gap_nats(state),
        status=state.status,
        steps=state.steps,
        lam=None if state.lam is None else state.lam.swapaxes(-1, -2),
        mu=None if state.mu is None else state.mu.swapaxes(-1, -2),
    )
