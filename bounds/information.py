"""Entropies and informations of discrete tables.

Tables put their alphabets last; leading axes are batch axes. `0 log 0` is 0,
and so is its derivative: gradients are those along the support of the table.
Concrete input is checked, computed in float64 and returned as NumPy; traced
input is computed in its own dtype and is not checked for its values.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from bounds import _entry


def entropy(p: Any, *, event_rank: int = 1, base: float = 2.0) -> Any:
    """Shannon entropy of a distribution over the last `event_rank` axes.

    Args:
      p: `[..., *event]`, non-negative with sum 1.
      event_rank: number of trailing axes that form one distribution.
      base: unit of the result; 2 for bits, `math.e` for nats.

    Returns:
      H(p), of the batch's shape.

    Raises:
      InputError: invalid `p` or `base`.
    """
    rank = _entry.check_count("event_rank", event_rank, 1)
    return _evaluate(entropy_nats, p, rank, base, event_rank=rank)


def conditional_entropy(p: Any, *, base: float = 2.0) -> Any:
    """H(Y|X) of joint tables `p[..., x, y]`; arguments as `entropy`."""
    return _evaluate(conditional_entropy_nats, p, 2, base)


def mutual_information(p: Any, *, base: float = 2.0) -> Any:
    """I(X;Y) of joint tables `p[..., x, y]`; arguments as `entropy`."""
    return _evaluate(mutual_information_nats, p, 2, base)


def conditional_mutual_information(
    p: Any, *, given: int = -1, base: float = 2.0
) -> Any:
    """Mutual information of two variables given the third.

    Args:
      p: joint tables `[..., x1, x2, y]`.
      given: trailing axis of the condition: -1 gives I(X1;X2|Y), -2 gives
        I(X1;Y|X2), -3 gives I(X2;Y|X1).
      base: unit of the result.

    Returns:
      The conditional mutual information, of the batch's shape.

    Raises:
      InputError: invalid `p`, `given` or `base`.
    """
    axis = _entry.check_number(
        "given", given, lambda x: x in (-3, -2, -1), "-3, -2 or -1"
    )
    core = conditional_mutual_information_nats
    return _evaluate(core, p, 3, base, given=int(axis))


def co_information(p: Any, *, base: float = 2.0) -> Any:
    """I(X1;Y) + I(X2;Y) - I(X1,X2;Y) of `p[..., x1, x2, y]`.

    It is redundancy minus synergy: positive where the modalities overlap,
    negative where only their combination tells the label.
    """
    return _evaluate(co_information_nats, p, 3, base)


def _evaluate(
    core: Callable[..., Any], p: Any, rank: int, base: float, **static: int
) -> Any:
    base = _entry.check_number(
        "base", base, lambda x: 0 < x < math.inf and x != 1,
        "a positive number other than 1",
    )  # fmt: skip
    if _entry.is_traced(p):
        p = _entry.traced_table("p", p, rank)
        return core(p, **static) / math.log(base)
    p = _entry.check_distribution("p", p, rank)
    return _entry.evaluate(core, p, **static) / math.log(base)


# The cores below are in nats, work in any floating dtype and check nothing.


def nonnegative(x: jax.Array) -> jax.Array:
    """A quantity that is not negative but for rounding, which is taken away.

    The derivative stays that of `x`.
    """
    return x + jax.lax.stop_gradient(jnp.maximum(x, 0) - x)


def p_log_ratio(p: jax.Array, q: jax.Array) -> jax.Array:
    """Elementwise `p log(p / q)`, 0 with derivative 0 where p is 0."""
    positive = (p > 0) & (q > 0)
    ratio = jnp.where(positive, p, 1) / jnp.where(positive, q, 1)
    return jnp.where(positive, p * jnp.log(ratio), 0)


@partial(jax.jit, static_argnames="event_rank")
def entropy_nats(p: jax.Array, event_rank: int = 1) -> jax.Array:
    """H of the last `event_rank` axes, in nats."""
    axes = tuple(range(-event_rank, 0))
    return nonnegative(-jnp.sum(p_log_ratio(p, jnp.ones_like(p)), axes))


@jax.jit
def conditional_entropy_nats(p: jax.Array) -> jax.Array:
    """H(Y|X) of `p[..., x, y]`, in nats."""
    px = jnp.broadcast_to(p.sum(-1, keepdims=True), p.shape)
    return nonnegative(-jnp.sum(p_log_ratio(p, px), (-2, -1)))


@jax.jit
def mutual_information_nats(p: jax.Array) -> jax.Array:
    """I(X;Y) of `p[..., x, y]`, in nats."""
    px, py = p.sum(-1, keepdims=True), p.sum(-2, keepdims=True)
    # p(y|x) / p(y), in this order: a product of tiny marginals underflows.
    given_x = p / jnp.where(px > 0, px, 1)
    ratio = given_x / jnp.where(py > 0, py, 1)
    positive = ratio > 0
    log = jnp.log(jnp.where(positive, ratio, 1))
    return nonnegative(jnp.sum(jnp.where(positive, p * log, 0), (-2, -1)))


@partial(jax.jit, static_argnames="given")
def conditional_mutual_information_nats(
    p: jax.Array, given: int = -1
) -> jax.Array:
    """Information of two axes of `p[..., x1, x2, y]` given axis `given`."""
    p = jnp.moveaxis(p, given, -3)
    weight = p.sum((-2, -1), keepdims=True)
    each = mutual_information_nats(p / jnp.where(weight > 0, weight, 1))
    return jnp.sum(weight[..., 0, 0] * each, -1)


@jax.jit
def co_information_nats(p: jax.Array) -> jax.Array:
    """I(X1;Y) + I(X2;Y) - I(X1,X2;Y) of `p[..., x1, x2, y]`, in nats."""
    joint = p.reshape(*p.shape[:-3], math.prod(p.shape[-3:-1]), p.shape[-1])
    return (
        mutual_information_nats(p.sum(-2))
        + mutual_information_nats(p.sum(-3))
        - mutual_information_nats(joint)
    )
