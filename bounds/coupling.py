"""Minimum-entropy couplings: a greedy one, and what none can go below.

A coupling of p and q is a joint table with these marginals. Which one has the
least entropy is NP-hard to say; the greedy coupling bounds it from above,
majorization from below.
"""

import functools
from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _leading
from bounds.errors import InputError
from bounds.options import Fields, Options, merged

# Bits between the greedy coupling of two marginals and the best one
# (Compton et al. 2023).
GREEDY_EXCESS = np.log2(np.e) / np.e


class Coupling(NamedTuple):
    """A joint table with given marginals.

    Attributes:
      joint: `[..., n_1, ..., n_k]`, its i-th marginal is the i-th input.
      entropy: `[...]`, of the joint, in bits.
    """

    joint: Any
    entropy: Any


def greedy(
    *marginals: Any, options: Options | None = None, **fields: Unpack[Fields]
) -> Coupling:
    """Couples marginals by matching their largest remaining masses.

    Each step subtracts the smallest of the k largest remaining masses from
    all k, so one of them becomes zero: sum(n_i) - k + 1 steps always suffice.
    For two marginals the entropy is within `GREEDY_EXCESS` of the smallest
    possible and within 1 bit of `majorization`.

    Args:
      *marginals: two or more distributions `[..., n_i]`; leading axes
        broadcast. Pad with zeros to batch different alphabets.
      options: see `bounds.Options`.
      **fields: its fields, for this call.

    Returns:
      The coupling and its entropy in bits.

    Raises:
      InputError: fewer than two marginals, or one that is no distribution.

    References:
      Kocaoglu et al., Entropic causal inference, AAAI 2017; Rossi, Greedy
      additive approximation algorithms for minimum-entropy coupling, 2019;
      Compton et al., Minimum-entropy coupling approximation guarantees
      beyond the majorization barrier, AISTATS 2023.
    """
    if len(marginals) < 2:
        raise InputError(f"greedy needs two marginals, got {len(marginals)}")
    names = [f"marginal {i}" for i in range(len(marginals))]
    return _leading.call(
        _greedy_core,
        names,
        marginals,
        (1,) * len(marginals),
        merged(options, fields),
    )


def majorization(
    p: Any,
    q: Any,
    *,
    options: Options | None = None,
    **fields: Unpack[Fields],
) -> np.ndarray:
    """Entropy of the greatest lower bound of p and q in majorization order.

    No coupling of p and q has a smaller entropy.

    Args:
      p: distributions `[..., n]`.
      q: distributions `[..., m]`; leading axes broadcast.
      options: see `bounds.Options`.
      **fields: its fields, for this call.

    Returns:
      `[...]`, bits.

    Raises:
      InputError: an argument is no distribution.

    References:
      Cicalese, Gargano and Vaccaro, Minimum-entropy couplings and their
      applications, IEEE Transactions on Information Theory 2019.
    """
    options = merged(options, fields)
    return _leading.call(_meet_bits, ("p", "q"), (p, q), (1, 1), options)


def meet_entropy(p: jax.Array, q: jax.Array) -> jax.Array:
    """`majorization` of one pair, in nats."""
    length = max(p.size, q.size)
    below = jnp.minimum(
        *(jnp.cumsum(-jnp.sort(-_padded(v, length))) for v in (p, q))
    )
    # The minimum of two concave functions is concave: a distribution, sorted.
    meet = jnp.diff(below, prepend=0)
    return jnp.sum(jax.scipy.special.entr(jnp.maximum(meet, 0)))


def _meet_bits(p: jax.Array, q: jax.Array) -> jax.Array:
    return meet_entropy(p, q) / np.log(2)


def _greedy_core(*marginals: jax.Array) -> Coupling:
    steps = sum(m.size for m in marginals) - len(marginals) + 1

    def match(left: tuple[jax.Array, ...], _: None) -> Any:
        largest = [jnp.argmax(m) for m in left]
        mass = functools.reduce(
            jnp.minimum, (m[i] for m, i in zip(left, largest, strict=True))
        )
        left = tuple(
            # Through the minimum, so that the emptied mass is exactly zero.
            jnp.where(jnp.arange(m.size) == i, m - mass, m)
            for m, i in zip(left, largest, strict=True)
        )
        return left, (tuple(largest), mass)

    _, (cells, masses) = jax.lax.scan(match, marginals, length=steps)
    joint = jnp.zeros([m.size for m in marginals], masses.dtype)
    # A matched cell has an emptied row or column, so no cell comes twice.
    entropy = jnp.sum(jax.scipy.special.entr(masses)) / np.log(2)
    return Coupling(joint.at[cells].add(masses), entropy)


def _padded(p: jax.Array, length: int) -> jax.Array:
    return jnp.pad(p, (0, length - p.size))
