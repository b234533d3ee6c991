"""Runs traced functions in NumPy, operation by operation, without compiling.

XLA takes seconds to compile a solver, and NumPy milliseconds to solve a small
table with it. So problems that come alone are interpreted and batches are
compiled, from the same code: JAX traces the function to a jaxpr, its list of
primitive operations, and here each primitive has its equivalent in NumPy.
A program with any other primitive is left to the compiler.

One table of rules, so one long file.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import scipy.linalg
from jax.extend import core as jex

Operation = Callable[..., Any]


class UnsupportedError(Exception):
    """A program has an operation that is not written down here."""


class Program:
    """A traced function.

    Its values are kept in slots: the inputs in the first ones, constants in
    some, and each operation reads from slots and writes to others.
    """

    def __init__(self, closed: Any):
        """Translates a closed jaxpr.

        Raises:
          UnsupportedError: an operation has no equivalent.
        """
        self._slots: list[Any] = [None] * len(closed.jaxpr.invars)
        self._constant = [False] * len(self._slots)
        self._steps: list[tuple[Operation, list[int], int | list[int]]] = []
        inputs = list(range(len(self._slots)))
        self._outputs = self._emit(closed, inputs)

    def __call__(self, *inputs: Any) -> list[Any]:
        slots = self._slots.copy()
        slots[: len(inputs)] = inputs
        for operation, reads, writes in self._steps:
            result = operation(*[slots[i] for i in reads])
            if isinstance(writes, int):
                slots[writes] = result
            else:
                for at, value in zip(writes, result, strict=True):
                    slots[at] = value
        return [slots[i] for i in self._outputs]

    def _new(self, value: Any = None) -> int:
        self._slots.append(value)
        self._constant.append(value is not None)
        return len(self._slots) - 1

    def _emit(self, closed: Any, inputs: Sequence[int]) -> list[int]:
        """Appends the steps of a jaxpr; returns the slots of its results."""
        jaxpr = closed.jaxpr
        where = dict(zip(jaxpr.invars, inputs, strict=True))
        for variable, value in zip(jaxpr.constvars, closed.consts, strict=True):
            where[variable] = self._new(np.asarray(value))

        def slot(atom: Any) -> int:
            if not isinstance(atom, jex.Literal):
                return where[atom]
            aval: Any = atom.aval
            return self._new(np.asarray(atom.val, aval.dtype))

        for equation in jaxpr.eqns:
            reads = [slot(atom) for atom in equation.invars]
            writes = self._emit_equation(equation, reads)
            where.update(zip(equation.outvars, writes, strict=True))
        return [slot(atom) for atom in jaxpr.outvars]

    def _emit_equation(self, equation: Any, reads: list[int]) -> list[int]:
        name, params = equation.primitive.name, equation.params
        if name in _CALLS:
            return self._emit(params[_CALLS[name]], reads)
        known = all(self._constant[i] for i in reads)
        if name == "cond" and self._constant[reads[0]]:
            branch = params["branches"][int(self._slots[reads[0]])]
            return self._emit(branch, reads[1:])
        if name not in _RULES:
            raise UnsupportedError(name)
        operation = _RULES[name](**params)
        single = not equation.primitive.multiple_results
        if known:
            values = operation(*(self._slots[i] for i in reads))
            return [self._new(v) for v in ([values] if single else values)]
        writes = [self._new() for _ in equation.outvars]
        self._steps.append((operation, reads, writes[0] if single else writes))
        return writes


def run(
    function: Callable[..., Any], *arrays: np.ndarray, **static: Any
) -> Any:
    """Calls a function of JAX arrays on NumPy arrays.

    Args:
      function: module-level function (traced once for each shape) of arrays to
        a pytree of arrays.
      *arrays: all of one floating dtype, that of the computation.
      **static: hashable keyword arguments of `function`.

    Returns:
      The pytree, with NumPy leaves.

    Raises:
      UnsupportedError: the program has an operation that is not known here.
    """
    shapes = tuple(a.shape for a in arrays)
    program, tree = _traced(
        function, shapes, arrays[0].dtype, tuple(sorted(static.items()))
    )
    if program is None:
        raise UnsupportedError(function)
    with np.errstate(all="ignore"):
        return jax.tree.unflatten(tree, map(np.array, program(*arrays)))


@functools.lru_cache(maxsize=1024)
def _traced(
    function: Callable[..., Any],
    shapes: tuple[tuple[int, ...], ...],
    dtype: np.dtype,
    static: tuple[tuple[str, Any], ...],
) -> tuple[Program | None, Any]:
    """The program of a function, None if unsupported, and its result's tree."""
    with jax.enable_x64(dtype == np.float64):
        closed, out = jax.make_jaxpr(
            functools.partial(function, **dict(static)), return_shape=True
        )(*(jax.ShapeDtypeStruct(shape, dtype) for shape in shapes))
    try:
        program = Program(closed)
    except UnsupportedError:
        program = None
    return program, jax.tree.structure(out)


# Primitives that only wrap a jaxpr, and the parameter that holds it.
_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "custom_jvp_call": "call_jaxpr"}


def _while(
    *, cond_jaxpr: Any, body_jaxpr: Any, cond_nconsts: int, body_nconsts: int,
    **_: Any,
) -> Operation:  # fmt: skip
    condition, body = Program(cond_jaxpr), Program(body_jaxpr)

    def loop(*values: Any) -> list[Any]:
        start = cond_nconsts + body_nconsts
        first, second = values[:cond_nconsts], values[cond_nconsts:start]
        carry = list(values[start:])
        while condition(*first, *carry)[0]:
            carry = body(*second, *carry)
        return carry

    return loop


def _scan(
    *, jaxpr: Any, length: int, num_consts: int, num_carry: int, reverse: bool,
    **_: Any,
) -> Operation:  # fmt: skip
    body = Program(jaxpr)
    shapes = [(v.aval.shape, v.aval.dtype) for v in jaxpr.jaxpr.outvars]

    def loop(*values: Any) -> list[Any]:
        constants = values[:num_consts]
        carry = list(values[num_consts : num_consts + num_carry])
        xs = values[num_consts + num_carry :]
        ys = [np.empty((length, *s), d) for s, d in shapes[num_carry:]]
        for i in reversed(range(length)) if reverse else range(length):
            out = body(*constants, *carry, *(x[i] for x in xs))
            carry = out[:num_carry]
            for y, value in zip(ys, out[num_carry:], strict=True):
                y[i] = value
        return [*carry, *ys]

    return loop


def _cond(*, branches: Sequence[Any], **_: Any) -> Operation:
    programs = [Program(b) for b in branches]

    def choose(index: Any, *values: Any) -> list[Any]:
        return programs[min(max(int(index), 0), len(programs) - 1)](*values)

    return choose


def _platform_index(*, platforms: Sequence[Any], **_: Any) -> Operation:
    here = [p is None or "cpu" in p for p in platforms].index(True)
    return lambda: np.int32(here)


def _divide(x: Any, y: Any) -> Any:
    """Quotient, of integers without their remainder."""
    return x / y if x.dtype.kind == "f" else (x - np.fmod(x, y)) // y


def _select(which: Any, *cases: Any) -> Any:
    if len(cases) == 2:
        return np.where(which, cases[1], cases[0])
    return np.choose(which, cases)


def _broadcast(
    *, shape: tuple[int, ...], broadcast_dimensions: Sequence[int], **_: Any
) -> Operation:
    # A copy, because a view by `np.broadcast_to` takes several times as long.
    def spread(x: Any) -> Any:
        sizes = [1] * len(shape)
        for axis, size in zip(broadcast_dimensions, x.shape, strict=True):
            sizes[axis] = size
        out = np.empty(shape, x.dtype)
        out[...] = x.reshape(sizes)
        return out

    return spread


def _reshape(*, new_sizes: tuple[int, ...], **params: Any) -> Operation:
    if params.get("dimensions") is not None:
        raise UnsupportedError("reshape of permuted dimensions")
    return lambda x: x.reshape(new_sizes)


def _slice(
    *, start_indices: Any, limit_indices: Any, strides: Any, **_: Any
) -> Operation:
    steps = strides or (1,) * len(start_indices)
    cut = tuple(map(slice, start_indices, limit_indices, steps))
    return lambda x: x[cut]


def _pad(*, padding_config: Any, **_: Any) -> Operation:
    if any(low < 0 or high < 0 or inner for low, high, inner in padding_config):
        raise UnsupportedError("negative or interior padding")

    def pad(x: Any, value: Any) -> Any:
        sizes = [
            low + n + high
            for n, (low, high, _) in zip(x.shape, padding_config, strict=True)
        ]
        inside = [
            slice(low, low + n)
            for n, (low, _, _) in zip(x.shape, padding_config, strict=True)
        ]
        out = np.full(sizes, value, x.dtype)
        out[tuple(inside)] = x
        return out

    return pad


def _iota(
    *, dtype: Any, shape: tuple[int, ...], dimension: int, **_: Any
) -> Operation:
    sizes = [1] * len(shape)
    sizes[dimension] = -1
    count = np.arange(shape[dimension], dtype=dtype).reshape(sizes)
    return lambda: np.broadcast_to(count, shape)


def _reduction(
    ufunc: np.ufunc, of_nothing: float | None = None
) -> Callable[..., Operation]:
    def rule(*, axes: Sequence[int], **_: Any) -> Operation:
        axis = tuple(axes)

        def reduce(x: Any) -> Any:
            if not x.size and of_nothing is not None:
                return ufunc.reduce(x, axis, x.dtype, initial=of_nothing)
            return ufunc.reduce(x, axis, x.dtype)

        return reduce

    return rule


def _arg(search: Operation) -> Callable[..., Operation]:
    def rule(*, axes: Sequence[int], index_dtype: Any, **_: Any) -> Operation:
        (axis,) = axes
        return lambda x: search(x, axis=axis).astype(index_dtype)

    return rule


def _cumulative_sum(*, axis: int, reverse: bool, **_: Any) -> Operation:
    def along(x: Any) -> Any:
        x = np.flip(x, axis) if reverse else x
        x = np.cumsum(x, axis, dtype=x.dtype)
        return np.flip(x, axis) if reverse else x

    return along


def _sort(*, dimension: int, num_keys: int, **_: Any) -> Operation:
    if num_keys != 1:
        raise UnsupportedError("sort by several keys")

    def by_first(key: Any, *others: Any) -> list[Any]:
        order = np.argsort(key, dimension, kind="stable")
        return [np.take_along_axis(x, order, dimension) for x in (key, *others)]

    return by_first


def _dot_general(*, dimension_numbers: Any, **_: Any) -> Operation:
    (sum1, sum2), (batch1, batch2) = dimension_numbers

    def product(a: Any, b: Any) -> Any:
        free1 = [i for i in range(a.ndim) if i not in (*batch1, *sum1)]
        free2 = [i for i in range(b.ndim) if i not in (*batch2, *sum2)]
        size = lambda x, axes: [x.shape[i] for i in axes]
        batch, summed = size(a, batch1), math.prod(size(a, sum1))
        rows = a.transpose([*batch1, *free1, *sum1]).reshape(*batch, -1, summed)
        columns = b.transpose([*batch2, *sum2, *free2])
        columns = columns.reshape(*batch, summed, -1)
        shape = [*batch, *size(a, free1), *size(b, free2)]
        return np.matmul(rows, columns).reshape(shape)

    return product


def _cholesky(a: Any) -> Any:
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:  # XLA says so by NaN
        return np.full_like(a, np.nan)


def _triangular_solve(
    *, left_side: bool, lower: bool, transpose_a: bool, unit_diagonal: bool,
    **_: Any,
) -> Operation:  # fmt: skip
    if not left_side or unit_diagonal:
        raise UnsupportedError("triangular solve of another kind")

    def solve(a: Any, b: Any) -> Any:
        if a.ndim > 2:  # many small blocks
            a = np.swapaxes(a, -1, -2) if transpose_a else a
            try:
                return np.linalg.solve(a, b)
            except np.linalg.LinAlgError:
                return np.full_like(b, np.nan)
        if not b.size:
            return b
        (trtrs,) = scipy.linalg.get_lapack_funcs(("trtrs",), (a, b))
        x, info = trtrs(a, b, lower=lower, trans=transpose_a)
        return x if not info else np.full_like(b, np.nan)

    return solve


def _dynamic_slice(*, slice_sizes: Sequence[int], **_: Any) -> Operation:
    def cut(x: Any, *starts: Any) -> Any:
        return x[_window(x.shape, slice_sizes, starts)]

    return cut


def _dynamic_update_slice(x: Any, update: Any, *starts: Any) -> Any:
    x = np.array(x)
    x[_window(x.shape, update.shape, starts)] = update
    return x


def _scatter_add(
    *, dimension_numbers: Any, update_jaxpr: Any = None, **_: Any
) -> Operation:
    axes = dimension_numbers.scatter_dims_to_operand_dims
    if (
        dimension_numbers.update_window_dims
        or dimension_numbers.inserted_window_dims != tuple(sorted(axes))
    ):
        raise UnsupportedError("scatter of slices")

    def add(x: Any, indices: Any, updates: Any) -> Any:
        x = np.array(x)
        at = [indices[..., axes.index(axis)] for axis in range(x.ndim)]
        np.add.at(x, tuple(at), updates)
        return x

    return add


def _window(
    shape: Sequence[int], sizes: Sequence[int], starts: Sequence[Any]
) -> tuple[slice, ...]:
    """Where a window lies after JAX has moved it inside the array."""
    inside = [
        min(max(int(at), 0), n - size)
        for at, n, size in zip(starts, shape, sizes, strict=True)
    ]
    return tuple(slice(a, a + n) for a, n in zip(inside, sizes, strict=True))


def _constant_rule(operation: Operation) -> Callable[..., Operation]:
    return lambda **_: operation


_ELEMENTWISE: dict[str, Operation] = {
    "abs": np.abs,
    "add": np.add,
    "add_any": np.add,
    "and": np.bitwise_and,
    "cholesky": _cholesky,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
    "copy": np.array,
    "div": _divide,
    "dynamic_update_slice": _dynamic_update_slice,
    "eq": np.equal,
    "exp": np.exp,
    "exp2": np.exp2,
    "ge": np.greater_equal,
    "gt": np.greater,
    "is_finite": np.isfinite,
    "le": np.less_equal,
    "log": np.log,
    "log1p": np.log1p,
    "lt": np.less,
    "lt_to": np.less,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "ne": np.not_equal,
    "neg": np.negative,
    "not": np.invert,
    "optimization_barrier": lambda *values: values,
    "or": np.bitwise_or,
    "pow": lambda x, y: np.power(x, np.asarray(y, x.dtype)),
    "rem": np.fmod,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "select_n": _select,
    "sign": np.sign,
    "sqrt": np.sqrt,
    "square": np.square,
    "stop_gradient": lambda x: x,
    "sub": np.subtract,
}
_RULES: dict[str, Callable[..., Operation]] = {
    **{name: _constant_rule(f) for name, f in _ELEMENTWISE.items()},
    "argmax": _arg(np.argmax),
    "argmin": _arg(np.argmin),
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda *, dimension, **_: (
        lambda *xs: np.concatenate(xs, dimension)
    ),
    "cond": _cond,
    "convert_element_type": lambda *, new_dtype, **_: (
        lambda x: np.asarray(x, new_dtype)
    ),
    "cumsum": _cumulative_sum,
    "dot_general": _dot_general,
    "dynamic_slice": _dynamic_slice,
    "integer_pow": lambda *, y, **_: lambda x: x**y,
    "iota": _iota,
    "pad": _pad,
    "platform_index": _platform_index,
    "reduce_and": _reduction(np.logical_and),
    "reduce_max": _reduction(np.maximum, -np.inf),
    "reduce_min": _reduction(np.minimum, np.inf),
    "reduce_or": _reduction(np.logical_or),
    "reduce_sum": _reduction(np.add),
    "reshape": _reshape,
    "rev": lambda *, dimensions, **_: lambda x: np.flip(x, dimensions),
    "scan": _scan,
    "scatter-add": _scatter_add,
    "slice": _slice,
    "sort": _sort,
    "squeeze": lambda *, dimensions, **_: (
        lambda x: np.squeeze(x, tuple(dimensions))
    ),
    "stack": lambda *, axis, **_: lambda *xs: np.stack(xs, axis),
    "transpose": lambda *, permutation, **_: (
        lambda x: np.transpose(x, permutation)
    ),
    "triangular_solve": _triangular_solve,
    "while": _while,
}
