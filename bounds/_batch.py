"""Leading axes: broadcast, flattened for one vmap, cut into chunks, restored.

The functions given here take one problem, without a batch axis.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np

from bounds import _entry
from bounds.errors import InputError

# Tables of so few numbers come in batches of at least so many: no slower, and
# one shape less to compile.
_SMALL = 256
_SMALL_BATCH = 16
# So few problems of so few numbers are solved before one program is compiled.
# By size alone, so that the same call gives the same bits every time.
FEW_PROBLEMS = 8
_FEW_NUMBERS = 2**10


def call(
    function: Callable[..., Any],
    names: Sequence[str],
    values: Sequence[Any],
    event_ranks: Sequence[int],
    dtype: Any = np.float64,
    chunk: int | None = None,
) -> Any:
    """Validates distributions and evaluates a batched function on them.

    Args:
      function: a module-level function of arrays `[*event]` to a pytree.
      names: Names of the arguments, for messages.
      values: distributions `[..., *event]`.
      event_ranks: number of trailing event axes of each value.
      dtype: Type of the computation.
      chunk: tables evaluated at a time; all if None.

    Returns:
      NumPy arrays with the broadcast leading axes of `values`.
    """
    dtype = _entry.check_float_dtype(dtype)
    checked = [
        _entry.check_distribution(name, value, rank)
        for name, value, rank in zip(names, values, event_ranks, strict=True)
    ]
    flat, lead = flatten(names, checked, event_ranks)
    return restore(evaluate(function, *flat, dtype=dtype, chunk=chunk), lead)


def flatten(
    names: Sequence[str],
    values: Sequence[np.ndarray],
    event_ranks: Sequence[int],
) -> tuple[list[np.ndarray], tuple[int, ...]]:
    """Broadcasts leading axes and folds them into one; also returns them.

    Raises:
      InputError: leading axes that do not go together.
    """
    leads = [
        v.shape[: v.ndim - r] for v, r in zip(values, event_ranks, strict=True)
    ]
    try:
        lead = np.broadcast_shapes(*leads)
    except ValueError as error:
        shapes = ", ".join(
            f"{n} {s}" for n, s in zip(names, leads, strict=True)
        )
        raise InputError(
            f"the batch axes do not broadcast: {shapes}"
        ) from error
    flat = []
    for value, rank in zip(values, event_ranks, strict=True):
        event = value.shape[value.ndim - rank :]
        full = np.broadcast_to(value, lead + event)
        flat.append(full.reshape((-1, *event)))
    return flat, lead


def restore(tree: Any, lead: tuple[int, ...]) -> Any:
    """Unfolds the batch axis of every leaf."""
    return jax.tree.map(lambda x: x.reshape(lead + x.shape[1:]), tree)


def evaluate(
    function: Callable[..., Any],
    *arrays: np.ndarray,
    dtype: Any = np.float64,
    chunk: int | None = None,
    concurrent: bool = True,
    **static: Any,
) -> Any:
    """Evaluates a function of one problem on each of a batch.

    A few small ones one by one, without compilation; else in chunks of equal
    shape, on all cores. The last chunk is filled up with copies of the last
    table, and so is a batch up to a power of 4, so that few shapes are ever
    compiled.

    Args:
      function: see `call`.
      *arrays: `[batch, *event]` each.
      dtype: Type of the computation.
      chunk: tables evaluated at a time; all if None.
      concurrent: whether chunks may run at the same time. Two programs that
        call LAPACK can wait for each other's threads on the CPU, for ever.
      **static: Hashable keyword arguments of `function`.

    Returns:
      The pytree that `function` returned, stacked, with NumPy leaves.
    """
    arrays = tuple(np.asarray(a, dtype) for a in arrays)
    size = arrays[0].shape[0]
    if not size:
        return _nothing(function, *arrays, **static)
    numbers = sum(a[0].size for a in arrays)
    if size <= FEW_PROBLEMS and numbers <= _FEW_NUMBERS:
        rows = [
            _entry.interpret(function, *row, **static)
            for row in zip(*arrays, strict=True)
        ]
        return jax.tree.map(lambda *xs: np.stack(xs), *rows)
    width = min(_SMALL_BATCH if numbers <= _SMALL else 1, chunk or _SMALL_BATCH)
    while width < size and (chunk is None or 4 * width <= chunk):
        width *= 4

    def part(start: int) -> Any:
        rows = np.minimum(np.arange(start, start + width), size - 1)
        return _entry.compile_and_call(
            function, *(a[rows] for a in arrays), batched=True, **static
        )

    starts = list(range(0, size, width))
    parts = [part(starts[0])]  # compiles before the threads start
    with ThreadPoolExecutor(os.cpu_count() if concurrent else 1) as pool:
        parts += pool.map(part, starts[1:])
    return jax.tree.map(lambda *xs: np.concatenate(xs)[:size], *parts)


def _nothing(
    function: Callable[..., Any], *arrays: np.ndarray, **static: Any
) -> Any:
    """What `evaluate` returns for an empty batch."""
    with jax.enable_x64(arrays[0].dtype == np.float64):
        out = jax.eval_shape(
            partial(function, **static),
            *(jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for a in arrays),
        )
    return jax.tree.map(lambda x: np.zeros((0, *x.shape), x.dtype), out)
