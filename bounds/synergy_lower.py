"""Lower bounds on synergy that need no multimodal label; all in bits.

For every joint with the given p(x1, x2), p(x1, y), p(x2, y), and in the order
disagreement <= bhattacharyya <= chernoff <= redundancy <= S. The first three
compare the posteriors p(y|x1) and p(y|x2) of a pair, and rest on

  S = w (I(X1;Y|X2) - U1) + (1-w) (I(X2;Y|X1) - U2)   for every w in [0, 1]

where the informations are expected divergences of p(y|x1,x2) from p(y|x2) and
p(y|x1). Their mixture is at least the Chernoff divergence of the two,
-log sum_y p(y|x1)^(1-w) p(y|x2)^w, whatever p(y|x1,x2) is. At w = 1/2 this is
Bhattacharyya's, which Pinsker's inequality bounds by the squared distance.
"""

import math
from functools import partial
from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _engine, _entry, _leading, inputs
from bounds._bounds import Bound, bound
from bounds.errors import InputError
from bounds.marginals import Marginals
from bounds.options import Fields, Options, in_float64, merged

# Every lower bound, by name.
LOWER: dict[str, Bound] = {}

# Largest factor of the expected squared distance that the proof allows.
LARGEST_FACTOR = 1 / (4 * math.log(2))
_GOLDEN = (math.sqrt(5) - 1) / 2
# Golden-section steps on [0, 1]; every w gives a valid bound.
_SECTIONS = 30
_CHUNK_CELLS = 2**17


class Disagreement(NamedTuple):
    """The disagreement family; every field has the batch's shape.

    Attributes:
      distance: alpha = E ||p(y|x1) - p(y|x2)||^2, no information.
      paper: alpha / 4 - max(U1, U2), bits.
      disagreement: alpha / (4 ln 2) - (U1 + U2) / 2, bits.
      bhattacharyya: E[-log2 sum_y sqrt(p(y|x1) p(y|x2))] - (U1 + U2) / 2.
      chernoff: the best of E[-log2 sum_y p(y|x1)^(1-w) p(y|x2)^w] - w U1 -
        (1-w) U2 over w.
      weight: the w of `chernoff`.
    """

    distance: Any
    paper: Any
    disagreement: Any
    bhattacharyya: Any
    chernoff: Any
    weight: Any


@bound(LOWER)
def redundancy(m: Marginals) -> np.ndarray:
    """The best possible lower bound: a joint that fits has this synergy.

    S_R = R - I(X1;X2) + min I(X1;X2|Y) over the joints with these marginals,
    the shared-information theorem of Liang et al., by maximum entropy.

    Args:
      m: `Marginals`; or p(x1, x2) `[..., x1, x2]`, p(x1, y) and p(x2, y), with
        `project` as in `marginals.consistent`.

    Returns:
      `[...]`, bits.

    Raises:
      InputError: See `marginals.consistent`.

    References:
      Liang et al., Multimodal learning without labeled multimodal data:
      guarantees and applications, ICLR 2024.
    """
    return m.entropy - m.maxent.bound - m.t_high - m.margin


@bound(LOWER)
def chernoff(m: Marginals) -> np.ndarray:
    """S_C, from Chernoff's divergence of the posteriors at the best w.

    Arguments, result and errors are those of `redundancy`.
    """
    return m.once(_disagreements).chernoff - m.margin


@bound(LOWER)
def bhattacharyya(m: Marginals) -> np.ndarray:
    """S_B, from Bhattacharyya's distance of the posteriors.

    Arguments, result and errors are those of `redundancy`.
    """
    return m.once(_disagreements).bhattacharyya - m.margin


@bound(LOWER)
def disagreement(m: Marginals) -> np.ndarray:
    """S_D, from the expected squared distance of the posteriors.

    Arguments, result and errors are those of `redundancy`.
    """
    return m.once(_disagreements).disagreement - m.margin


@bound(LOWER)
def paper_disagreement(m: Marginals, *, c: float = 0.25) -> np.ndarray:
    """S_U = c alpha - max(U1, U2), the disagreement theorem of the paper.

    Args:
      m: See `redundancy`.
      c: Factor of alpha, at most 1 / (4 ln 2): up to there `disagreement`
        implies the bound. With the released code's c = 1 it is none.

    Returns:
      `[...]`, bits.

    Raises:
      InputError: `c` out of range; and see `marginals.consistent`.
    """
    c = _entry.check_number(
        "c", c, lambda x: 0 <= x <= LARGEST_FACTOR,
        f"a number from 0 to 1/(4 ln 2) = {LARGEST_FACTOR:.4f}, beyond which "
        "it is not a lower bound",
    )  # fmt: skip
    alpha = m.once(_disagreements).distance
    return c * alpha - np.maximum(m.unique1, m.unique2) - m.margin


def from_predictions(
    prediction1: Any,
    prediction2: Any,
    unique1: Any,
    unique2: Any,
    *,
    options: Options | None = None,
    **fields: Unpack[Fields],
) -> Disagreement:
    """The disagreement family from classifier outputs on unlabelled pairs.

    The modalities may be continuous. The bounds hold for the distribution of
    these pairs if the predictions are the true posteriors; the error of an
    estimate from finitely many pairs is the caller's.

    Args:
      prediction1: p(y|x1) of each pair, `[..., pairs, y]`.
      prediction2: p(y|x2) of each pair, same shape.
      unique1: U1 in bits, or an upper bound on it, `[...]`.
      unique2: U2 likewise.
      options: see `bounds.Options`.
      **fields: its fields, for this call.

    Returns:
      The bounds, NumPy float64.

    Raises:
      InputError: predictions that are no distributions or differ in shape.
    """
    options = in_float64(merged(options, fields))
    a = _entry.check_distribution("prediction1", prediction1, 1)
    b = _entry.check_distribution("prediction2", prediction2, 1)
    if a.shape != b.shape or a.ndim < 2 or not a.shape[-2]:
        raise InputError(
            "prediction1 and prediction2 must both have shape [..., pairs, "
            f"y] with a pair at least, got {a.shape} and {b.shape}"
        )
    lead = a.shape[:-2]
    names = ("unique1", "unique2")
    uniques = [
        inputs.finite(name, value).astype(np.float64)
        for name, value in zip(names, (unique1, unique2), strict=True)
    ]
    try:
        u1, u2 = (np.broadcast_to(u, lead).reshape(-1) for u in uniques)
    except ValueError as error:
        raise InputError(
            f"unique1 and unique2 must be numbers or have the batch's shape "
            f"{lead}, got shapes {uniques[0].shape} and {uniques[1].shape}"
        ) from error
    a, b = (x.reshape((-1, *x.shape[-2:])) for x in (a, b))
    weights = np.full(a.shape[:2], 1 / a.shape[1])
    out = _engine.run(_family, weights, a, b, u1, u2, options=options)
    return _leading.restore(out, lead)


def _disagreements(m: Marginals) -> Disagreement:
    """The disagreement family, before rounding is taken off."""
    return _engine.run(
        _of_table,
        *m.arrays,
        m.unique1,
        m.unique2,
        options=m.options,
        most=_CHUNK_CELLS // m.cells,
    )


def _family(
    weights: jax.Array,
    a: jax.Array,
    b: jax.Array,
    unique1: jax.Array,
    unique2: jax.Array,
) -> Disagreement:
    """Weights `[pairs]`, posteriors `[pairs, y]`, informations in bits."""
    both = (a > 0) & (b > 0)
    log_a = jnp.log(jnp.where(both, a, 1))
    log_b = jnp.log(jnp.where(both, b, 1))

    def at(w: jax.Array | float) -> jax.Array:
        mixed = jnp.exp((1 - w) * log_a + w * log_b)
        overlap = jnp.sum(jnp.where(both, mixed, 0), -1)
        # No overlap: exact posteriors do not have it where there is mass, so
        # it is rounding, and leaving out a term keeps the bound valid.
        counted = (overlap > 0) & (weights > 0)
        divergence = -jnp.log2(jnp.where(counted, overlap, 1))
        return jnp.sum(weights * divergence) - w * unique1 - (1 - w) * unique2

    def shrink(
        _: int, ends: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        left = high - _GOLDEN * (high - low)
        right = low + _GOLDEN * (high - low)
        up = at(left) < at(right)
        return jnp.where(up, left, low), jnp.where(up, high, right)

    zero = jnp.zeros((), weights.dtype)
    low, high = jax.lax.fori_loop(0, _SECTIONS, shrink, (zero, zero + 1))
    half, best = at(0.5), at((low + high) / 2)
    alpha = jnp.sum(weights * jnp.sum((a - b) ** 2, -1))
    return Disagreement(
        distance=alpha,
        paper=alpha / 4 - jnp.maximum(unique1, unique2),
        disagreement=LARGEST_FACTOR * alpha - (unique1 + unique2) / 2,
        bhattacharyya=half,
        chernoff=jnp.maximum(half, best),
        weight=jnp.where(best > half, (low + high) / 2, 0.5),
    )


def _of_table(
    p12: jax.Array,
    p1y: jax.Array,
    p2y: jax.Array,
    unique1: jax.Array,
    unique2: jax.Array,
) -> Disagreement:
    def posterior(p: jax.Array) -> jax.Array:
        mass = p.sum(1, keepdims=True)
        return p / jnp.where(mass > 0, mass, 1)

    shape = (*p12.shape, p1y.shape[1])
    a = jnp.broadcast_to(posterior(p1y)[:, None], shape)
    b = jnp.broadcast_to(posterior(p2y)[None], shape)
    flat = partial(jnp.reshape, shape=(-1, shape[-1]))
    return _family(p12.ravel(), flat(a), flat(b), unique1, unique2)
