"""Runs batches of problems: the one place for chunks, threads and devices.

`run` is all that callers need. A few small problems are interpreted, so that a
first answer compiles nothing. Others go in chunks of one size, a power of 4, so
that few shapes are ever compiled; chunks go to the devices in turn, and run at
once as far as memory allows and the LAPACK rule:

  Two XLA programs with LAPACK calls that run at once on the CPU were seen to
  wait for each other's threads for ever. Such a program has the CPU alone.

How much memory a program needs and whether it calls LAPACK is read from its
trace, so no caller has to know.
"""

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from bounds import _entry
from bounds.options import Options

# So few problems of so few numbers are solved before one program is compiled.
# By size alone, so that the same call gives the same bits every time.
FEW_PROBLEMS = 8
_FEW_NUMBERS = 2**10
# Problems of so few numbers come in batches of at least so many: no slower, and
# one shape less to compile.
_SMALL = 256
_SMALL_BATCH = 16
# Arrays as large as a program's largest that are alive at once, measured on the
# interior point with some room.
_LIVE_ARRAYS = 12
# A chunk hands its stragglers back when this fraction of it is left.
_STRAGGLERS = 8
_LAPACK = frozenset(
    {
        *("cholesky", "triangular_solve", "lu", "geqrf", "geqp3", "eig"),
        *("eigh", "svd", "schur", "hessenberg", "tridiagonal"),
        *("tridiagonal_solve", "householder_product"),
    }
)


@dataclasses.dataclass(frozen=True)
class Method:
    """How a chunk is solved, where that is not `vmap` of one problem.

    Attributes:
      run: compiled, from the arrays of a chunk and `numbers` to the results;
        with `start` from these, a state and the number of problems that may be
        left unfinished, to the next state.
      numbers: scalars of all problems, which cost no compilation.
      start: compiled, from the arrays of a chunk and `numbers` to a state. A
        batched loop is as long as its slowest problem, so problems that are
        unfinished in several chunks are gathered and gone on with.
      unfinished: which problems of a state are.
      interpret: solves one problem without a compilation; None where that does
        not pay.
      axis: the axis of the batch inside a chunk.
      least: the smallest chunk.
      singly: whether the CPU takes one problem at a time.
    """

    run: Callable[..., Any]
    numbers: tuple[Any, ...] = ()
    start: Callable[..., Any] | None = None
    unfinished: Callable[[Any], Any] | None = None
    interpret: Callable[..., Any] | None = None
    axis: int = 0
    least: int = 1
    singly: bool = False


def run(
    work: Callable[..., Any] | Method,
    *arrays: np.ndarray,
    options: Options,
    most: int | None = None,
    **static: Any,
) -> Any:
    """Solves each problem of a batch.

    Args:
      work: a module-level function of the arrays of one problem to a pytree of
        arrays; or a `Method`.
      *arrays: `[batch, *event]` each.
      options: dtype, devices, memory limit and progress are respected.
      most: problems of a chunk, if more at a time do not pay.
      **static: hashable keyword arguments of the function.

    Returns:
      The pytree with NumPy leaves, the batch first.
    """
    dtype = options.dtype
    arrays = tuple(np.asarray(a, dtype) for a in arrays)
    size = len(arrays[0])
    method = work if isinstance(work, Method) else _of(work, arrays, static)
    if not size:
        return _nothing(method, arrays)
    with tqdm(total=size, disable=not options.progress, unit="table") as bar:
        if method.interpret and not options.devices and size <= FEW_PROBLEMS:
            rows = []
            for row in zip(*arrays, strict=True):
                rows.append(method.interpret(*row))
                bar.update()
            return jax.tree.map(lambda *xs: np.stack(xs), *rows)
        return _run_in_chunks(method, arrays, options, most, bar.update)


def _of(
    function: Callable[..., Any],
    arrays: Sequence[np.ndarray],
    static: dict[str, Any],
) -> Method:
    """The method of a function of one problem."""
    numbers = sum(a[:1].size for a in arrays)
    interpret = None
    if numbers <= _FEW_NUMBERS:
        interpret = partial(_entry.interpret, function, **static)
    return Method(
        run=_entry.compiled(function, batched=True, **static),
        interpret=interpret,
        least=_SMALL_BATCH if numbers <= _SMALL else 1,
    )


def _run_in_chunks(
    method: Method,
    arrays: tuple[np.ndarray, ...],
    options: Options,
    most: int | None,
    advance: Callable[[int], Any],
) -> Any:
    size, dtype = len(arrays[0]), options.dtype
    devices = devices_of(options)
    width, workers = _plan(method, arrays, options, devices, most)

    def solve(job: tuple[int, np.ndarray, Any, int]) -> Any:
        number, which, state, enough = job
        device = devices[number % len(devices)]
        chunk = [_filled(a[which], width, method) for a in arrays]
        with jax.enable_x64(dtype == np.float64), jax.default_device(device):
            arguments = (*chunk, *method.numbers)
            if method.start:
                if state is None:
                    state = method.start(*arguments)
                else:
                    state = jax.tree.map(
                        lambda x: _filled(x, width, method), state
                    )
                arguments += (state, enough)
            out = jax.device_get(method.run(*arguments))
        return jax.tree.map(
            lambda x: np.moveaxis(x, method.axis, 0)[: len(which)], out
        )

    result: Any = None
    waiting, states = np.arange(size), None
    with ThreadPoolExecutor(workers) as pool:
        while waiting.size:
            parts = list(_parts(waiting.size, width))
            enough = width // _STRAGGLERS if len(parts) > 1 else 0
            jobs = [
                (number, waiting[part], _rows(states, part), enough)
                for number, part in enumerate(parts)
            ]
            # One chunk compiles, before the others start.
            alone = 1 if _is_new(method, arrays, width) else 0
            first = [solve(job) for job in jobs[:alone]]
            done = itertools.chain(first, pool.map(solve, jobs[alone:]))
            left, left_states = [], []
            for (_, which, _, _), out in zip(jobs, done, strict=True):
                if result is None:
                    result = jax.tree.map(
                        lambda x: np.zeros((size, *x.shape[1:]), x.dtype), out
                    )
                jax.tree.map(partial(_store, which), result, out)
                rest = np.zeros(0, int)
                if method.unfinished:
                    rest = np.flatnonzero(method.unfinished(out))
                advance(len(which) - rest.size)
                left.append(which[rest])
                left_states.append(_rows(out, rest))
            waiting = np.concatenate(left)
            states = jax.tree.map(lambda *xs: np.concatenate(xs), *left_states)
    return result


def devices_of(options: Options) -> Sequence[jax.Device]:
    """Those of the call, or else all local ones.

    Of the CPU one, for virtual ones share its cores.
    """
    if options.devices:
        return options.devices
    devices = tuple(jax.local_devices())
    return devices[:1] if devices[0].platform == "cpu" else devices


def _plan(
    method: Method,
    arrays: tuple[np.ndarray, ...],
    options: Options,
    devices: Sequence[jax.Device],
    most: int | None,
) -> tuple[int, int]:
    """Problems of a chunk, and chunks at once."""
    size, on_cpu = len(arrays[0]), devices[0].platform == "cpu"
    if method.singly and on_cpu:
        most = 1
    most = size * 4 if most is None else max(most, 1)
    width = _grown(min(method.least, most), size, most)
    lapack, memory = _needs(method, arrays, width, devices[0])
    workers = len(devices)
    if on_cpu:
        workers = 1 if lapack else os.cpu_count() or 1
    room = options.memory_limit * width / memory / workers  # in problems
    if room < width:
        width = _grown(1, size, room)
        workers = min(workers, max(1, int(workers * room / width)))
    return width, workers


def _grown(width: int, size: int, most: float) -> int:
    while width < size and 4 * width <= most:
        width *= 4
    return width


def _needs(
    method: Method,
    arrays: tuple[np.ndarray, ...],
    width: int,
    device: jax.Device,
) -> tuple[bool, float]:
    """Whether a chunk's program calls LAPACK, and its bytes."""
    shapes = tuple(_moved((width, *a.shape[1:]), method.axis) for a in arrays)
    return _needs_of(
        method.run,
        method.start,
        method.numbers,
        shapes,
        arrays[0].dtype,
        device,
    )


@functools.lru_cache(maxsize=1024)
def _needs_of(
    run: Any,
    start: Any,
    numbers: tuple[Any, ...],
    shapes: tuple[tuple[int, ...], ...],
    dtype: np.dtype,
    device: jax.Device,
) -> tuple[bool, float]:
    # As a chunk is called, so that it is traced once.
    with jax.enable_x64(dtype == np.float64), jax.default_device(device):
        arguments: tuple[Any, ...] = tuple(
            jax.ShapeDtypeStruct(shape, dtype) for shape in shapes
        )
        arguments += numbers
        if start:
            arguments += (jax.eval_shape(start, *arguments), 0)
        program = run.trace(*arguments).jaxpr
    lapack, largest = False, 1
    for equation in _equations(program.jaxpr):
        lapack |= equation.primitive.name in _LAPACK
        for variable in equation.outvars:
            largest = max(largest, getattr(variable.aval, "size", 1))
    return lapack, float(_LIVE_ARRAYS * largest * dtype.itemsize)


def _equations(jaxpr: Any) -> Iterator[Any]:
    """The operations of a program, those of its loops and calls included."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns"):
                    yield from _equations(inner)


_CALLED: set[Any] = set()


def _is_new(method: Method, arrays: tuple[np.ndarray, ...], width: int) -> bool:
    """Whether a program was not called with chunks of this shape before."""
    key = (method.run, width, arrays[0].dtype, *(a.shape[1:] for a in arrays))
    new = key not in _CALLED
    _CALLED.add(key)
    return new


def _nothing(method: Method, arrays: tuple[np.ndarray, ...]) -> Any:
    """The result of an empty batch."""
    dtype = arrays[0].dtype
    with jax.enable_x64(dtype == np.float64):
        chunk = [
            jax.ShapeDtypeStruct(_moved((1, *a.shape[1:]), method.axis), dtype)
            for a in arrays
        ]
        out = jax.eval_shape(
            method.start or method.run, *chunk, *method.numbers
        )
    return jax.tree.map(
        lambda x: np.moveaxis(np.zeros(x.shape, x.dtype), method.axis, 0)[:0],
        out,
    )


def _moved(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The shape of a batch `[batch, *event]` inside a chunk."""
    return shape if axis == 0 else (*shape[1:], shape[0])


def _parts(size: int, width: int) -> Iterator[np.ndarray]:
    for first in range(0, size, width):
        yield np.arange(first, min(first + width, size))


def _rows(tree: Any, which: np.ndarray) -> Any:
    return jax.tree.map(lambda x: x[which], tree)


def _store(which: np.ndarray, into: np.ndarray, rows: np.ndarray) -> None:
    into[which] = rows


def _filled(rows: np.ndarray, width: int, method: Method) -> np.ndarray:
    """Fills a chunk up: with copies, or zeros that are solved at once."""
    missing = width - len(rows)
    if missing:
        filler = np.zeros_like(rows[:1]) if method.start else rows[-1:]
        rows = np.concatenate([rows, np.repeat(filler, missing, 0)])
    return np.moveaxis(rows, 0, method.axis)
