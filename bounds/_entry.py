"""What every public function of `bounds` does around its jitted core.

The cores are pure functions of one problem in whatever dtype they are given.
The entry points check concrete input and name what is wrong with it, choose
the precision without touching the global x64 flag, and hand NumPy arrays
back: a float64 JAX array that left `jax.enable_x64` would be truncated to
float32 by the next operation on it.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from bounds import _interpreter
from bounds.errors import InputError

# How far the sum of a distribution may be from 1. Below it the input is
# rescaled to sum to 1 in full precision, above it the input is an error.
SUM_TOLERANCE = 1e-6
# Arrays of so many numbers in all are not worth a compilation.
_FEW_NUMBERS = 2**20


def is_traced(*values: Any) -> bool:
    """Whether any leaf is a tracer, so that no value can be looked at."""
    return any(isinstance(v, jax.core.Tracer) for v in jax.tree.leaves(values))


def evaluate(
    function: Callable[..., Any],
    *arrays: Any,
    dtype: Any = np.float64,
    **static: Any,
) -> Any:
    """Calls a function of formulas, without loops, in `dtype`.

    Args:
      function: Module-level function of JAX arrays to a pytree of them.
      *arrays: Concrete array-likes, cast to `dtype`.
      dtype: Floating dtype of the computation.
      **static: Hashable keyword arguments of `function`.

    Returns:
      The pytree that `function` returned, with NumPy leaves.
    """
    cast = [np.asarray(a, dtype) for a in arrays]
    if sum(a.size for a in cast) <= _FEW_NUMBERS:
        return interpret(function, *cast, **static)
    return compile_and_call(function, *cast, **static)


def interpret(
    function: Callable[..., Any], *arrays: np.ndarray, **static: Any
) -> Any:
    """`compile_and_call` without a compilation, as far as possible."""
    try:
        return _interpreter.run(function, *arrays, **static)
    except _interpreter.UnsupportedError:
        return compile_and_call(function, *arrays, **static)


def compile_and_call(
    function: Callable[..., Any],
    *arrays: np.ndarray,
    batched: bool = False,
    **static: Any,
) -> Any:
    """Calls `function`, compiled, on arrays of one floating dtype.

    Args:
      function: see `evaluate`.
      *arrays: of the computation's dtype.
      batched: whether `function` takes one problem and the arrays have many.
      **static: see `evaluate`.

    Returns:
      The pytree that `function` returned, with NumPy leaves.
    """
    compiled = _compiled(function, batched, tuple(sorted(static.items())))
    with jax.enable_x64(arrays[0].dtype == np.float64):
        return jax.device_get(compiled(*arrays))


@functools.cache
def _compiled(
    function: Callable[..., Any],
    batched: bool,
    static: tuple[tuple[str, Any], ...],
) -> Callable[..., Any]:
    core = functools.partial(function, **dict(static))
    return jax.jit(jax.vmap(core) if batched else core)


def check_float_dtype(dtype: Any) -> np.dtype:
    """Returns `dtype` as a NumPy dtype; only float32 and float64 are known.

    Raises:
      InputError: for any other dtype.
    """
    found = np.dtype(dtype)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise InputError(f"dtype must be float32 or float64, got {found}")
    return found


def check_shape(name: str, shape: tuple[int, ...], event_rank: int) -> None:
    """Checks the static facts of a table: its rank and its alphabets.

    Raises:
      InputError: fewer than `event_rank` axes, or an empty alphabet.
    """
    if len(shape) < event_rank:
        raise InputError(
            f"{name} must have at least {event_rank} axes, got shape {shape}"
        )
    if 0 in shape[len(shape) - event_rank :]:
        raise InputError(f"{name} has an empty alphabet: shape {shape}")


def check_distribution(
    name: str, value: Any, event_rank: int, *, normalize: bool = False
) -> np.ndarray:
    """Validates a batch of distributions over the last `event_rank` axes.

    Args:
      name: the argument's name, for messages.
      value: concrete array-like `[..., *event]`.
      event_rank: number of trailing axes that one distribution has.
      normalize: accept any positive total, such as counts.

    Returns:
      float64 NumPy array of the same shape, each distribution rescaled to sum
      to 1.

    Raises:
      InputError: wrong rank, an empty alphabet, a negative or non-finite
        entry, or a sum that is not 1 within 1e-6; the message has the
        argument, the index and the number.
    """
    p = np.asarray(value)
    if p.dtype.kind not in "fiub":
        raise InputError(f"{name} must be real numbers, got dtype {p.dtype}")
    check_shape(name, p.shape, event_rank)
    p = p.astype(np.float64)
    _reject(name, p, ~np.isfinite(p), "is not finite")
    _reject(name, p, p < 0, "is negative")
    axes = tuple(range(-event_rank, 0))
    total = p.sum(axis=axes)
    if normalize:
        bad, wanted = total <= 0, "counts must have a positive sum"
    else:
        bad = np.abs(total - 1) > SUM_TOLERANCE
        wanted = "must sum to 1 (normalize=True accepts counts)"
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"{name}{_subscript(index)} sums to {total[index]:.9g}; {wanted}"
        )
    return p / np.expand_dims(total, axes)


def _reject(name: str, p: np.ndarray, bad: np.ndarray, what: str) -> None:
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"{name}{_subscript(index)} {what}: {p[index]}")


def _subscript(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""
