"""Runs `_broja` on batches: chunks, stragglers, devices and progress."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from bounds import _batch, _broja, _entry
from bounds.status import Status

# Cells x1 x2 y of a chunk: enough to hide the cost of a kernel's start, few
# enough for the arrays of a step to stay in the cache.
_CELLS = 8192
# A few tables of at most so many cells are solved before one program is
# compiled; of larger ones a single compiled step saves much.
_FEW_CELLS = 2**11
# Tables that are chunks of their own by that rule, but no larger ones, come in
# chunks of so many: 19 ms instead of 42 for a table of 30x30x5.
_FEWEST = 4
# Arrays of the largest kind, a block row of Newton's matrix, that are alive
# at once, measured with some room.
_LIVE_ARRAYS = 12
# A chunk hands its stragglers back when this fraction of it is left.
_STRAGGLERS = 8


class Minimum(NamedTuple):
    """min I_q(X1,X2;Y) - H(Y) of each table, in nats, and its certificate.

    Attributes:
      value: objective at a feasible q, an upper bound.
      gap: proven error of `value`.
      status: a `Status`.
      steps: Newton steps taken.
      lam: derivative of the minimum with respect to p(x1, y).
      mu: derivative of the minimum with respect to p(x2, y).
    """

    value: Any
    gap: Any
    status: Any
    steps: Any
    lam: Any
    mu: Any


def minimize_traced(
    p1y: jax.Array, p2y: jax.Array, tol: float, max_steps: int
) -> Minimum:
    """Solves a batch `[batch, x1, y]`, `[batch, x2, y]` inside a trace."""
    if p1y.shape[1] < p2y.shape[1]:
        out = minimize_traced(p2y, p1y, tol, max_steps)
        return out._replace(lam=out.mu, mu=out.lam)
    lanes = _broja.lanes_pay(p1y.shape[1], p2y.shape[1], p1y.shape[2])
    if lanes:
        p1y, p2y = jnp.moveaxis(p1y, 0, -1), jnp.moveaxis(p2y, 0, -1)
    state = _start(p1y, p2y, tol, lanes_last=lanes)
    state = _run(p1y, p2y, state, tol, max_steps, lanes_last=lanes)
    if lanes:
        state = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), state)
    return _minimum(state)


def minimize(
    p1y: np.ndarray,
    p2y: np.ndarray,
    *,
    tol: float,
    max_steps: int,
    dtype: np.dtype,
    devices: Sequence[jax.Device] | None = None,
    memory_limit: float = 2**30,
    progress: bool = False,
) -> Minimum:
    """Solves a batch of concrete marginals, chunk by chunk.

    Args:
      p1y: p(x1, y), `[batch, x1, y]`.
      p2y: p(x2, y), `[batch, x2, y]`.
      tol: gap, in nats, at which a table is done.
      max_steps: the most Newton steps of a table.
      dtype: of the computation.
      devices: where the chunks run; all local devices by default.
      memory_limit: bytes that the chunks under way may take together.
      progress: whether to show a progress bar.

    Returns:
      NumPy arrays with the batch first.
    """
    if p1y.shape[1] < p2y.shape[1]:
        out = minimize(
            p2y, p1y, tol=tol, max_steps=max_steps, dtype=dtype,
            devices=devices, memory_limit=memory_limit, progress=progress,
        )  # fmt: skip
        return out._replace(lam=out.mu, mu=out.lam)
    if not len(p1y):
        none = np.zeros(0, dtype)
        status = np.zeros(0, np.int32)
        lam, mu = p1y.astype(dtype), p2y.astype(dtype)
        return Minimum(none, none, status, status, lam, mu)
    cells = p1y[0].size * p2y.shape[1]
    few = len(p1y) <= _batch.FEW_PROBLEMS and cells <= _FEW_CELLS
    if devices is None and few:
        tables = list(zip(p1y.astype(dtype), p2y.astype(dtype), strict=True))
        ends = [
            _entry.interpret(
                _broja.minimize, *table, np.asarray(tol, dtype),
                max_steps=max_steps,
            )
            for table in tqdm(tables, disable=not progress, unit="table")
        ]  # fmt: skip
        return _minimum(jax.tree.map(lambda *xs: np.stack(xs), *ends))
    devices = jax.local_devices() if devices is None else list(devices)
    # CPU devices share their threads: two programs with LAPACK calls that run
    # at once wait for each other for ever. Loops over lanes call none, and use
    # one thread each.
    batch, n1, ny = p1y.shape
    n2 = p2y.shape[1]
    lanes = _broja.lanes_pay(n1, n2, ny)
    on_cpu = devices[0].platform == "cpu"
    workers = (2 if lanes else 1) if on_cpu else len(devices)
    axis = -1 if lanes else 0
    table = _LIVE_ARRAYS * n1 * ny * n2 * ny * dtype.itemsize
    most = _CELLS // (n1 * n2 * ny)
    most = min(
        memory_limit // (workers * table), max(most, _FEWEST * (most > 0))
    )
    width = chunk_width(batch, most)

    p1y = np.moveaxis(p1y.astype(dtype), 0, axis)
    p2y = np.moveaxis(p2y.astype(dtype), 0, axis)

    def solve(job: tuple[int, _broja.State | None, np.ndarray, int]) -> Any:
        number, state, which, enough = job
        device = devices[number % len(devices)]
        with jax.enable_x64(dtype == np.float64), jax.default_device(device):
            p1 = _pad(np.take(p1y, which, axis), width, axis)
            p2 = _pad(np.take(p2y, which, axis), width, axis)
            if state is None:
                state = _start(p1, p2, np.asarray(tol, dtype), lanes_last=lanes)
            else:
                state = jax.tree.map(lambda x: _pad(x, width, axis), state)
            state = _run(
                p1, p2, state, np.asarray(tol, dtype), max_steps, enough,
                lanes_last=lanes,
            )  # fmt: skip
            state = jax.device_get(state)
        return _take(state, np.arange(len(which)), axis)

    result: list[np.ndarray] = []
    waiting, states = np.arange(batch), None
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=batch, disable=not progress, unit="table") as bar,
    ):
        while waiting.size:
            parts = list(_parts(waiting.size, width))
            enough = width // _STRAGGLERS if len(parts) > 1 else 0
            jobs = [
                (number, _take(states, at, axis), waiting[at], enough)
                for number, at in enumerate(parts)
            ]
            left, left_states = [], []
            for job, state in zip(jobs, pool.map(solve, jobs), strict=True):
                which = job[2]
                if not result:
                    result = [
                        np.zeros(_resized(x.shape, batch, axis), x.dtype)
                        for x in state
                    ]
                under_way = (state.status == Status.STEP_LIMIT) & (
                    state.steps <= max_steps
                )
                for into, x in zip(result, state, strict=True):
                    np.moveaxis(into, axis, 0)[which] = np.moveaxis(x, axis, 0)
                rest = np.flatnonzero(under_way)
                bar.update(len(which) - rest.size)
                left.append(which[rest])
                left_states.append(_take(state, rest, axis))
            waiting = np.concatenate(left)
            states = jax.tree.map(
                lambda *x: np.concatenate(x, axis), *left_states
            )
    batch_first: list[Any] = [np.moveaxis(x, axis, 0) for x in result]
    return _minimum(_broja.State(*batch_first))


def _minimum(state: _broja.State) -> Minimum:
    return Minimum(
        state.upper, _broja.gap_nats(state), state.status, state.steps - 1,
        state.lam, state.mu,
    )  # fmt: skip


@partial(jax.jit, static_argnames="lanes_last")
def _start(
    p1y: jax.Array, p2y: jax.Array, tol: jax.Array, *, lanes_last: bool
) -> _broja.State:

    def start(p1y: jax.Array, p2y: jax.Array) -> _broja.State:
        return _broja.start(_broja.prepare(p1y, p2y, tol))

    return (start if lanes_last else jax.vmap(start))(p1y, p2y)


_run = jax.jit(_broja.run, static_argnames="lanes_last")


def chunk_width(batch: int, most: float) -> int:
    """Chunk size: a power of 4, so that few shapes are ever compiled."""
    width = 1
    while width < batch and 4 * width <= most:
        width *= 4
    return width


def _take(state: Any, index: np.ndarray, axis: int) -> Any:
    return jax.tree.map(lambda x: np.take(x, index, axis), state)


def _parts(n: int, width: int) -> Iterator[np.ndarray]:
    for first in range(0, n, width):
        yield np.arange(first, min(first + width, n))


def _pad(x: np.ndarray, width: int, axis: int) -> np.ndarray:
    """Pads with zeros: an empty table is solved at once."""
    padding = [(0, 0)] * x.ndim
    padding[axis] = (0, width - x.shape[axis])
    return np.pad(x, padding)


def _resized(shape: tuple[int, ...], n: int, axis: int) -> tuple[int, ...]:
    sizes = list(shape)
    sizes[axis] = n
    return tuple(sizes)
