"""Partial information decomposition of two modalities about a label.

The definition of Bertschinger, Rauh, Olbrich, Jost and Ay, "Quantifying
unique information" (Entropy, 2014), solved to a proven error:

  T_min = min I_q(X1,X2;Y) over q with p's marginals of (x1, y) and (x2, y)
  redundancy = I(X1;Y) + I(X2;Y) - T_min    unique1 = T_min - I(X2;Y)
  synergy = I(X1,X2;Y) - T_min              unique2 = T_min - I(X1;Y)
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _entry, _solvers, inputs
from bounds.errors import InputError
from bounds.information import mutual_information_nats, nonnegative
from bounds.options import Fields, Options, merged, positive_tol
from bounds.status import Status


class PID(NamedTuple):
    """Decomposition of I(X1,X2;Y), in bits; every field has the batch's shape.

    None of the informations is negative. Where the solver's value of one is,
    by less than `gap`, 0 takes its place, which is nearer to the true value;
    the others stay, so R + U1 = I(X1;Y), R + U2 = I(X2;Y) and R + U1 + U2 + S
    = I(X1,X2;Y) hold to within twice the gap.

    Attributes:
      redundancy: information on Y that either modality has.
      unique1: information that only the first modality has.
      unique2: information that only the second modality has.
      synergy: information that only both together have; None if only the
        marginals of the modalities with the label were given.
      total: I(X1,X2;Y), their sum; None likewise.
      gap: Proven bound on the error of T_min, the sum of the first three,
        hence on the error of each of the four.
      status: `Status` codes.
      steps: steps of the solver that were taken.
    """

    redundancy: Any
    unique1: Any
    unique2: Any
    synergy: Any
    total: Any
    gap: Any
    status: Any
    steps: Any

    @property
    def t_min(self) -> Any:
        """The least information of a joint with these marginals of the label.

        The sum of redundancy and unique informations.
        """
        return self.redundancy + self.unique1 + self.unique2

    @property
    def information1(self) -> Any:
        """I(X1;Y)."""
        return self.redundancy + self.unique1

    @property
    def information2(self) -> Any:
        """I(X2;Y)."""
        return self.redundancy + self.unique2

    @property
    def message(self) -> str:
        """How the worst of the computations ended; not inside jit."""
        return Status(int(np.max(self.status, initial=0))).message


def pid(
    p: Any,
    *,
    normalize: bool = False,
    max_steps: int | None = None,
    solver: str = "auto",
    options: Options | None = None,
    **fields: Unpack[Fields],
) -> PID:
    """Decomposes I(X1,X2;Y) of joint tables.

    Concrete input is checked, solved in chunks on all local devices and
    returned as NumPy arrays; a few small tables are solved on the host, without
    a compilation. Under a transformation (`jax.jit`, `jax.grad`,
    `jax.vmap`) the same method runs inside the trace, in `dtype` and to `tol`,
    and returns JAX arrays of p's dtype; bad values then show in the status.
    First derivatives are those of the envelope theorem, along the support of p;
    second ones are wrong, for the multiplier is taken for a constant.

    Args:
      p: `[..., x1, x2, y]`, non-negative, each table's sum 1. Zero cells are
        ordinary: smaller tables batch by zero padding, see `stack_tables`.
      normalize: accept tables of any positive sum, such as counts.
      max_steps: the most steps; 200 of Newton's, of which most tables need 5
        to 15, or 10,000 of scaling, of which most need 50 to 500.
      solver: "interior" for the interior point, which reaches 1e-9;
        "scaling" for alternating scaling, which is far faster with many
        labels or symbols; "auto" takes the second if min(x1, x2) y is at least
        64 and `tol` at least 1e-6 with 16 labels or 1e-4 with 8, and tries it
        to 1e-9 with 16 labels, unless symbols are more than four times as many,
        but not in float32, in a trace, or for a few small tables.
      options: see `bounds.Options`; `tol` is 1e-9 by default, 1e-4 in
        float32; of solver "scaling" 1e-6 and 1e-2.
      **fields: its fields, for this call.

    Returns:
      The decomposition.

    Raises:
      InputError: no numbers, wrong rank, an empty alphabet, negative or
        non-finite entries, or a sum that is not 1 within 1e-6; options out of
        range.
    """
    how = _how(solver, max_steps, merged(options, fields))
    normalize = inputs.boolean("normalize", normalize)
    if _entry.is_traced(p):
        p = _entry.traced_table("p", p, 3)
        core = partial(_decompose, normalize=normalize, **how)
        return _traced(p, how["options"].dtype, core)
    p = _entry.check_distribution("p", p, 3, normalize=normalize)
    p1y, p2y = p.sum(-2), p.sum(-3)
    return _solve(p1y, p2y, p, **how)


def pid_from_marginals(
    p1y: Any,
    p2y: Any,
    *,
    normalize: bool = False,
    max_steps: int | None = None,
    solver: str = "auto",
    options: Options | None = None,
    **fields: Unpack[Fields],
) -> PID:
    """Redundancy and unique informations from what unimodal labels give.

    Args:
      p1y: p(x1, y), `[..., x1, y]`.
      p2y: p(x2, y), `[..., x2, y]`, of the same batch and label alphabet.
      normalize: as in `pid`, and so are the other arguments.
      max_steps: see `pid`.
      solver: see `pid`.
      options: see `pid`.
      **fields: see `pid`.

    Returns:
      The decomposition, `synergy` and `total` None.

    Raises:
      InputError: as `pid`; different batches or label alphabets; or label
        distributions p(y) that differ by more than 1e-6.
    """
    how = _how(solver, max_steps, merged(options, fields))
    normalize = inputs.boolean("normalize", normalize)
    if _entry.is_traced(p1y, p2y):
        p1y = _entry.traced_table("p1y", p1y, 2)
        p2y = _entry.traced_table("p2y", p2y, 2)
        _check_pair(p1y.shape, p2y.shape)
        core = partial(_decompose_marginals, normalize=normalize, **how)
        return _traced((p1y, p2y), how["options"].dtype, core)
    p1y = _entry.check_distribution("p1y", p1y, 2, normalize=normalize)
    p2y = _entry.check_distribution("p2y", p2y, 2, normalize=normalize)
    _check_pair(p1y.shape, p2y.shape)
    _check_labels(p1y, p2y)
    p1y, p2y = _same_label(p1y, p2y)
    return _solve(p1y, p2y, **how)


def stack_tables(tables: Sequence[Any]) -> np.ndarray:
    """Stacks tables `[x1, x2, y]` of different alphabets, padded with zeros.

    Returns:
      `[len(tables), x1, x2, y]` with the largest alphabet of each axis, of
      float64; the decomposition of a table does not change by the padding.

    Raises:
      InputError: no tables, or one that is not of rank 3 or not of finite
        numbers.
    """
    try:
        each = list(tables)
    except TypeError:
        raise InputError(
            f"tables must be a sequence of tables, got {type(tables).__name__}"
        ) from None
    arrays = []
    for i, table in enumerate(each):
        a = inputs.finite(f"tables[{i}]", table).astype(np.float64)
        if a.ndim != 3:
            raise InputError(
                f"tables[{i}] must have 3 axes, got shape {a.shape}"
            )
        _entry.check_shape(f"tables[{i}]", a.shape, 3)
        arrays.append(a)
    if not arrays:
        raise InputError("tables is empty")
    out = np.zeros((len(arrays), *np.max([a.shape for a in arrays], axis=0)))
    for row, a in zip(out, arrays, strict=True):
        row[tuple(slice(n) for n in a.shape)] = a
    return out


def _combine(
    p1y: jax.Array,
    p2y: jax.Array,
    minimum: jax.Array,
    gap: jax.Array,
    p: jax.Array | None = None,
) -> PID:
    """Puts the minimum (less H(Y), nats) and the informations together."""
    # f = T_min - H(Y), and I(X;Y) - H(Y) = -H(Y|X): the entropies of the label
    # that would cancel are left out.
    first, second = mutual_information_nats(p1y), mutual_information_nats(p2y)
    label = p1y.sum(-2)
    t_min = minimum - jnp.sum(_x_log_x(label), -1)
    total = synergy = None
    if p is not None:
        joint = p.reshape(*p.shape[:-3], math.prod(p.shape[-3:-1]), p.shape[-1])
        total = mutual_information_nats(joint)
        synergy = nonnegative(total - t_min)
    out = PID(
        redundancy=nonnegative(first + second - t_min),
        unique1=nonnegative(t_min - second),
        unique2=nonnegative(t_min - first),
        synergy=synergy,
        total=total,
        gap=gap,
        status=None,
        steps=None,
    )
    return jax.tree.map(lambda x: x / math.log(2), out)


def _x_log_x(x: jax.Array) -> jax.Array:
    return x * jnp.log(jnp.where(x > 0, x, 1))


def _solve(
    p1y: np.ndarray,
    p2y: np.ndarray,
    p: np.ndarray | None = None,
    **how: Any,
) -> PID:
    batch = p1y.shape[:-2]
    minimum = _solvers.minimize(
        p1y.reshape(-1, *p1y.shape[-2:]),
        p2y.reshape(-1, *p2y.shape[-2:]),
        **how,
    )
    value, gap, status, steps = (x.reshape(batch) for x in minimum[:4])
    arrays = (p1y, p2y, value, gap, *(() if p is None else (p,)))
    out = _entry.evaluate(_combine, *arrays, dtype=how["options"].dtype)
    return out._replace(status=status, steps=steps)


def _traced(arrays: Any, dtype: np.dtype, function: Any) -> Any:
    """Computes in `dtype` inside a trace, whatever the dtype around it is."""
    dtypes = [x.dtype for x in jax.tree.leaves(arrays)]
    floats = [d for d in dtypes if jnp.issubdtype(d, jnp.floating)]
    around = max(
        floats or [jnp.result_type(float)], key=lambda dtype: dtype.itemsize
    )
    with jax.enable_x64(dtype == np.float64):
        arrays = jax.tree.map(lambda x: x.astype(dtype), arrays)
        out = jax.jit(function)(arrays)
    # Of the two dtypes either may be float64.
    with jax.enable_x64(True):
        # The fields are rounded to the dtype around: so must the bound be.
        largest = out.t_min
        rounding = float(jnp.finfo(around).eps) * (1 + jnp.abs(largest))
        out = out._replace(gap=out.gap + jax.lax.stop_gradient(rounding))
        return jax.tree.map(
            lambda x: (
                x if jnp.issubdtype(x.dtype, jnp.integer) else x.astype(around)
            ),
            out,
        )


def _decompose(p: jax.Array, *, normalize: bool, **how: Any) -> PID:
    p, valid = _check_traced(p, 3, normalize)
    return _decompose_valid(p.sum(-2), p.sum(-3), p, valid, **how)


def _decompose_marginals(
    marginals: tuple[jax.Array, jax.Array],
    *,
    normalize: bool,
    **how: Any,
) -> PID:
    p1y, valid1 = _check_traced(marginals[0], 2, normalize)
    p2y, valid2 = _check_traced(marginals[1], 2, normalize)
    difference = jnp.abs(p1y.sum(-2) - p2y.sum(-2)).max(-1)
    valid = valid1 & valid2 & (difference <= _entry.SUM_TOLERANCE)
    p1y, p2y = _same_label(p1y, p2y)
    return _decompose_valid(p1y, p2y, None, valid, **how)


def _decompose_valid(
    p1y: jax.Array,
    p2y: jax.Array,
    p: jax.Array | None,
    valid: jax.Array,
    **how: Any,
) -> PID:
    batch = p1y.shape[:-2]
    fixed1, fixed2 = jax.lax.stop_gradient((p1y, p2y))
    minimum = _solvers.minimize_traced(
        fixed1.reshape(-1, *p1y.shape[-2:]),
        fixed2.reshape(-1, *p2y.shape[-2:]),
        **how,
    )
    minimum = jax.tree.map(lambda x: x.reshape(batch + x.shape[1:]), minimum)
    # Danskin: the derivative of the minimum is its multiplier. The terms are
    # zero and only carry it, forwards and backwards.
    value = (
        minimum.value
        + jnp.sum(minimum.lam * (p1y - fixed1), (-2, -1))
        + jnp.sum(minimum.mu * (p2y - fixed2), (-2, -1))
    )
    status = jnp.where(valid, minimum.status, Status.INVALID_INPUT)
    out = _combine(p1y, p2y, value, minimum.gap, p)
    return out._replace(status=status.astype(jnp.int32), steps=minimum.steps)


def _check_traced(
    p: jax.Array, event_rank: int, normalize: bool
) -> tuple[jax.Array, jax.Array]:
    """Replaces invalid tables by a harmless one, and says which they were.

    Tables are rescaled to a sum of 1, as concrete ones are.
    """
    axes = tuple(range(-event_rank, 0))
    valid = jnp.all(jnp.isfinite(p) & (p >= 0), axes)
    if normalize:
        valid &= jnp.max(p, axes) > 0
    else:
        valid &= jnp.abs(jnp.sum(p, axes) - 1) <= _entry.SUM_TOLERANCE
    size = math.prod(p.shape[-event_rank:])
    p = jnp.where(jnp.expand_dims(valid, axes), p, 1 / size)
    # The sum of huge counts is infinite, and its reciprocal, by which XLA
    # multiplies, may be 0.
    largest = jnp.max(p, axes, keepdims=True)
    p = p * jnp.where(largest > 1, 0.25 / size, 1).astype(p.dtype)
    total = jnp.sum(p, axes, keepdims=True)
    return p / (total if normalize else jax.lax.stop_gradient(total)), valid


def _same_label(p1y: Any, p2y: Any) -> tuple[Any, Any]:
    """Rescales both to the mean of their p(y), equal up to rounding noise."""
    first, second = p1y.sum(-2, keepdims=True), p2y.sum(-2, keepdims=True)
    mean = (first + second) / 2
    return (
        p1y * (mean / (first + (first == 0).astype(first.dtype))),
        p2y * (mean / (second + (second == 0).astype(second.dtype))),
    )


def _how(solver: Any, max_steps: Any, options: Options) -> dict[str, Any]:
    """Returns the arguments of the solvers, checked."""
    return {
        "solver": inputs.choice("solver", solver, _solvers.NAMES),
        "max_steps": (
            None
            if max_steps is None
            else _entry.check_count("max_steps", max_steps)
        ),
        "options": positive_tol(options),
    }


def _check_pair(shape1: tuple[int, ...], shape2: tuple[int, ...]) -> None:
    if shape1[:-2] != shape2[:-2] or shape1[-1] != shape2[-1]:
        raise InputError(
            "p1y and p2y must agree in their batch and label axes, got "
            f"shapes {shape1} and {shape2}"
        )


def _check_labels(p1y: np.ndarray, p2y: np.ndarray) -> None:
    first, second = p1y.sum(-2), p2y.sum(-2)
    bad = np.abs(first - second) > _entry.SUM_TOLERANCE
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        batch = f" of table [{', '.join(map(str, at[:-1]))}]" * (len(at) > 1)
        raise InputError(
            f"p1y and p2y disagree on p(y={at[-1]}){batch}: "
            f"{first[at]:.9g} against {second[at]:.9g}"
        )
