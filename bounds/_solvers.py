"""Which method solves a batch of marginals, and on what terms.

`_broja` is the interior point: few steps, each of which factors a matrix with
min(x1, x2) y rows; it reaches 1e-9. `_scaling` takes hundreds of steps that
are products of matrices; it reaches 1e-4 to 1e-6, and large tables in a small
part of the time.
"""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from bounds import _batching, _scaling
from bounds.status import Status

NAMES = ("auto", "interior", "scaling")
# From so many rows of Newton's matrix on scaling is faster. The pairs are a
# number of labels and a tolerance, in bits, that scaling reaches with as many;
# with fewer the optimum is at the boundary almost everywhere: it may crawl.
_MANY_ROWS, _TOO_MANY_ROWS = 64, 1024
_TRUSTED = ((16, 1e-6), (8, 1e-4))
# Tables with at most so many rows go to the interior point if it does crawl.
_FEW_ROWS = 512
_TOLERANCE = {
    "interior": {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-4},
    "scaling": {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-2},
}
_DUAL = ("lam", "mu")
_MAX_STEPS = {"interior": 200, "scaling": 10_000}
# Arrays of the size of a pair, or of both marginals, that a table has alive.
_LIVE_ARRAYS = 12


def choose(
    solver: str, tol: float | None, shape1: Sequence[int], shape2: Sequence[int]
) -> str:
    """Returns "interior" or "scaling" for marginals `[..., x, y]`."""
    if solver != "auto":
        return solver
    rows, labels = _rows(shape1, shape2), shape1[-1]
    if tol is None or rows < _MANY_ROWS:
        return "interior"
    trusted = any(labels >= n and tol >= t for n, t in _TRUSTED)
    trusted |= rows >= _TOO_MANY_ROWS and tol >= _TRUSTED[-1][1]
    return "scaling" if trusted else "interior"


def _rows(shape1: Sequence[int], shape2: Sequence[int]) -> int:
    return min(shape1[-2], shape2[-2]) * shape1[-1]


def _completed(
    solver: str, dtype: np.dtype, tol: float | None, max_steps: int | None
) -> tuple[float, int]:
    """Returns the tolerance in nats and the most steps."""
    if tol is None:
        tol = _TOLERANCE[solver][dtype]
    return (
        tol * math.log(2),
        _MAX_STEPS[solver] if max_steps is None else max_steps,
    )


def minimize_traced(
    p1y: jax.Array,
    p2y: jax.Array,
    *,
    solver: str,
    tol: float | None,
    max_steps: int | None,
) -> _batching.Minimum:
    """Solves a batch `[batch, x1, y]`, `[batch, x2, y]` inside a trace.

    Args:
      p1y: p(x1, y), in the dtype of the computation.
      p2y: p(x2, y).
      solver: one of `NAMES`.
      tol: gap in bits at which a table is done; None for the solver's own.
      max_steps: the most steps; None for the solver's own.

    Returns:
      The minima.
    """
    solver = choose(solver, tol, p1y.shape, p2y.shape)
    nats, most = _completed(solver, np.dtype(p1y.dtype), tol, max_steps)
    if solver == "interior":
        return _batching.minimize_traced(p1y, p2y, nats, most)
    return _minimum(scale(p1y, p2y, jnp.asarray(nats, p1y.dtype), most))


def minimize(
    p1y: np.ndarray,
    p2y: np.ndarray,
    *,
    solver: str,
    tol: float | None,
    max_steps: int | None,
    dtype: np.dtype,
    devices: Sequence[jax.Device] | None = None,
    memory_limit: float = 2**30,
    progress: bool = False,
) -> _batching.Minimum:
    """Solves a batch of concrete marginals, chunk by chunk.

    Args:
      p1y: p(x1, y), `[batch, x1, y]`.
      p2y: p(x2, y), `[batch, x2, y]`.
      solver: see `minimize_traced`.
      tol: see `minimize_traced`.
      max_steps: see `minimize_traced`.
      dtype: of the computation.
      devices: where the chunks run; all local devices by default.
      memory_limit: bytes that the chunks under way may take together.
      progress: whether to show a progress bar.

    Returns:
      NumPy arrays with the batch first; of scaling without multipliers.
    """
    asked, solver = solver, choose(solver, tol, p1y.shape, p2y.shape)
    nats, most_steps = _completed(solver, dtype, tol, max_steps)
    if solver == "interior" or not len(p1y):
        return _batching.minimize(
            p1y, p2y, tol=nats, max_steps=most_steps, dtype=dtype,
            devices=devices, memory_limit=memory_limit, progress=progress,
        )  # fmt: skip
    devices = jax.local_devices() if devices is None else list(devices)
    on_cpu = devices[0].platform == "cpu"
    # On the CPU tables go one at a time, so that one shape is compiled.
    workers = min(os.cpu_count() or 1, 2) if on_cpu else len(devices)
    batch, n1, ny = p1y.shape
    n2 = p2y.shape[1]
    table = _LIVE_ARRAYS * (n1 * n2 + ny * (n1 + n2)) * dtype.itemsize
    most = 1 if on_cpu else memory_limit // (workers * table)
    width = _batching.chunk_width(batch, most)

    def solve(job: tuple[int, int]) -> _batching.Minimum:
        number, first = job
        rows = np.minimum(np.arange(first, first + width), batch - 1)
        device = devices[number % len(devices)]
        with jax.enable_x64(dtype == np.float64), jax.default_device(device):
            state = _scale(
                p1y[rows].astype(dtype), p2y[rows].astype(dtype),
                np.asarray(nats, dtype), most_steps,
            )  # fmt: skip
            # The gap is a difference of NumPy's, in float64 if that is asked.
            minimum = _minimum(jax.device_get(_without_arrays(state)))
        return jax.tree.map(lambda x: x[: batch - first], minimum)

    jobs = list(enumerate(range(0, batch, width)))
    parts = []
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=batch, disable=not progress, unit="table") as bar,
    ):
        for part in pool.map(solve, jobs):
            parts.append(part)
            bar.update(len(part.value))
    out = jax.tree.map(lambda *xs: np.concatenate(xs), *parts)
    left = np.flatnonzero(out.status != Status.CONVERGED)
    few = _rows(p1y.shape, p2y.shape) <= _FEW_ROWS
    if asked == "auto" and max_steps is None and few and left.size:
        rest = minimize(
            p1y[left], p2y[left], solver="interior", tol=tol, max_steps=None,
            dtype=dtype, devices=devices, memory_limit=memory_limit,
        )  # fmt: skip
        for into, x in zip(out[:4], rest[:4], strict=True):
            into[left] = x
    return out


def scale(
    p1y: jax.Array,
    p2y: jax.Array,
    tol: jax.Array,
    max_steps: jax.Array | int,
    start: _scaling.Start | None = None,
) -> _scaling.State:
    """`_scaling.minimize` of a batch, the way that suits the platform.

    On the CPU products of many small matrices at once are slower than one
    after the other.
    """
    tol = jax.lax.convert_element_type(tol, p1y.dtype)
    single = partial(_scaling.minimize, tol=tol, max_steps=max_steps)
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


_scale = jax.jit(scale)


def _without_arrays(state: _scaling.State) -> _scaling.State:
    arrays: dict[str, Any] = dict.fromkeys(("log_m", "before", "b", *_DUAL))
    return state._replace(**arrays)


def _minimum(state: _scaling.State) -> _batching.Minimum:
    return _batching.Minimum(
        value=state.upper,
        gap=_scaling.gap_nats(state),
        status=state.status,
        steps=state.steps,
        lam=None if state.lam is None else state.lam.swapaxes(-1, -2),
        mu=None if state.mu is None else state.mu.swapaxes(-1, -2),
    )
