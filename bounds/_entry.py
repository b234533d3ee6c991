"""What every public function of `bounds` does around its jitted core.

The cores are pure functions of one problem in whatever dtype they are given.
The entry points check concrete input and name what is wrong with it, choose
the precision without touching the global x64 flag, and hand NumPy arrays
back: a float64 JAX array that left `jax.enable_x64` would be truncated to
float32 by the next operation on it.
"""

import functools
import math
import reprlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _interpreter, inputs
from bounds.errors import InputError

# How far the sum of a distribution may be from 1. Below it the input is
# rescaled to sum to 1 in full precision, above it the input is an error.
SUM_TOLERANCE = 1e-6
# Arrays of so many numbers in all are not worth a compilation.
_FEW_NUMBERS = 2**17


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
    program = compiled(function, batched=batched, **static)
    with jax.enable_x64(arrays[0].dtype == np.float64):
        return jax.device_get(program(*arrays))


def compiled(
    function: Callable[..., Any], *, batched: bool = False, **static: Any
) -> Callable[..., Any]:
    """Returns `function`, the same compiled one every time.

    Args:
      function: see `evaluate`.
      batched: see `compile_and_call`.
      **static: see `evaluate`.

    Returns:
      A function of arrays that `jax.jit` made.
    """
    return _compiled(function, batched, tuple(sorted(static.items())))


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
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind not in (np.float32, np.float64):
        raise InputError(
            f"dtype must be float32 or float64, got {reprlib.repr(dtype)}"
        )
    return kind


def check_number(
    name: str, value: Any, valid: Callable[[float], bool], wanted: str
) -> float:
    """Returns a scalar option.

    Args:
      name: Name of the argument, for messages.
      value: A concrete number.
      valid: Whether a number may be taken; false for NaN.
      wanted: What the number has to be, for messages.

    Raises:
      InputError: no number, a traced one, several, or not a valid one.
    """
    if is_traced(value):
        raise InputError(
            f"{name} is traced; give {wanted} that is known before the trace"
        )
    try:
        number = inputs.numbers(name, value)
    except InputError:
        number = np.zeros(0)
    if number.ndim or not valid(float(number)):
        raise InputError(f"{name} must be {wanted}, got {reprlib.repr(value)}")
    return float(number)


def check_positive(name: str, value: Any) -> float:
    """Returns a positive, finite number; see `check_number`."""
    return check_number(
        name, value, lambda x: 0 < x < math.inf, "a positive number"
    )


def check_budget(name: str, value: Any) -> float:
    """Returns a number of at least 0, infinity too; see `check_number`."""
    return check_number(name, value, lambda x: x >= 0, "a number from 0 on")


def check_count(name: str, value: Any, least: int = 0) -> int:
    """Returns an integer, written as a float perhaps; see `check_number`."""
    most = int(np.iinfo(np.int32).max) - 1  # steps + 1 is an int32, too
    return int(
        check_number(
            name, value, lambda x: least <= x <= most and x == int(x),
            f"an integer from {least} to {most}",
        )
    )  # fmt: skip


def check_shape(name: str, shape: tuple[int, ...], event_rank: int) -> None:
    """Checks the static facts of a table: its rank and its alphabets.

    Raises:
      InputError: fewer than `event_rank` axes, or an empty alphabet.
    """
    if len(shape) < event_rank:
        axes = "axis" if event_rank == 1 else "axes"
        raise InputError(
            f"{name} must have at least {event_rank} {axes}, got shape {shape}"
        )
    if 0 in shape[len(shape) - event_rank :]:
        raise InputError(f"{name} has an empty alphabet: shape {shape}")


def traced_table(name: str, value: Any, event_rank: int) -> jax.Array:
    """Returns a traced table as an array of floats, its values unchecked.

    Raises:
      InputError: as `check_shape`; complex numbers.
    """
    p = jnp.asarray(value)
    check_shape(name, p.shape, event_rank)
    if jnp.issubdtype(p.dtype, jnp.floating):
        return p
    if jnp.issubdtype(p.dtype, jnp.complexfloating):
        raise InputError(f"{name} must be real numbers, got dtype {p.dtype}")
    return p.astype(float)


def check_distribution(
    name: str, value: Any, event_rank: int, *, normalize: bool | None = None
) -> np.ndarray:
    """Validates a batch of distributions over the last `event_rank` axes.

    Args:
      name: the argument's name, for messages.
      value: concrete array-like `[..., *event]`, see `inputs.numbers`.
      event_rank: number of trailing axes that one distribution has.
      normalize: accept any positive total, such as counts; None where the
        caller has no such option.

    Returns:
      float64 NumPy array of the same shape, each distribution rescaled to sum
      to 1.

    Raises:
      InputError: a traced array; no numbers; wrong rank, an empty alphabet, a
        negative or non-finite entry, or a sum that is not 1 within 1e-6; the
        message has the argument, the index and the number.
    """
    if is_traced(value):
        raise InputError(
            f"{name} is traced, but its values are needed: call the function "
            "outside jit, grad and vmap (it takes batches)"
        )
    p = inputs.finite(name, value)
    check_shape(name, p.shape, event_rank)
    negative = p < 0
    if negative.any():
        index = inputs.first(negative)
        raise InputError(
            f"{name}{inputs.subscript(index)} is negative: {p[index]}"
        )
    axes = tuple(range(-event_rank, 0))
    # Wide floats and integers are divided before they are rounded; and the
    # largest is taken out first, for the sum of huge counts is infinite.
    p = p.astype(np.result_type(p.dtype, np.float64))
    largest = p.max(axes, keepdims=True)
    p = (p / np.where(largest > 0, largest, 1)).astype(np.float64)
    share = p.sum(axes, keepdims=True)
    with np.errstate(over="ignore"):
        total = (share * largest).reshape(p.shape[: p.ndim - event_rank])
    if normalize:
        bad, wanted = total <= 0, "counts must have a positive sum"
    else:
        bad = ~(np.abs(total - 1) <= SUM_TOLERANCE)
        cure = "divide it by its sum"
        if normalize is not None:
            cure = "normalize=True accepts counts"
        wanted = f"must sum to 1 ({cure})"
    if bad.any():
        index = inputs.first(bad)
        raise InputError(
            f"{name}{inputs.subscript(index)} sums to {total[index]:.9g}; "
            f"{wanted}"
        )
    return p / share
