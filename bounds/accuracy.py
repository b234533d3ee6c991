"""How accurate the best classifier can be, from the information it uses."""

import math
from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _engine, _entry, _leading, inputs
from bounds.errors import InputError
from bounds.options import Fields, Options, in_float64, merged

_BISECTIONS = 60
# Outward rounding of the results, far above the arithmetic's errors.
_ROUNDING = 1e-9
# How far from uniform a label may be for the paper's upper formula.
_UNIFORM = 1e-9


class AccuracyInterval(NamedTuple):
    """Bounds on the accuracy of the Bayes classifier.

    Attributes:
      lower: no less, for any label distribution (Feder and Merhav; and always
        predicting the likeliest label).
      upper: no more, for any label distribution (Fano, inverted exactly).
      paper_lower: 2^(-H(Y|X)), valid and, but for the rounding of `lower`,
        not above it.
      paper_upper: (I + 1) / log2 |Y|, not capped at 1.
      paper_upper_holds: whether the label is uniform, the condition under
        which `paper_upper` is a bound.
    """

    lower: Any
    upper: Any
    paper_lower: Any
    paper_upper: Any
    paper_upper_holds: Any


def accuracy_interval(
    information: Any,
    p_y: Any,
    *,
    most_information: Any = None,
    options: Options | None = None,
    **fields: Unpack[Fields],
) -> AccuracyInterval:
    """Bounds the Bayes accuracy max_y p(y|x), averaged over x.

    With I(X1,X2;Y) = R + U1 + U2 + S, an interval of the synergy gives one of
    the accuracy before any multimodal label exists: the information at
    `lower` as `information`, and at `upper` as `most_information`.

    Args:
      information: I(X;Y) in bits, or a lower bound on it, `[...]`.
      p_y: distribution of the label, `[..., y]`; labels of probability zero
        do not count.
      most_information: an upper bound on I(X;Y); `information` if None.
      options: see `bounds.Options`.
      **fields: its fields, for this call.

    Returns:
      The bounds, NumPy float64, of the broadcast leading shape.

    Raises:
      InputError: `p_y` is no distribution, or an information is not finite,
        below 0 or above H(Y) by more than 1e-6, or the two are in the wrong
        order.

    References:
      Feder and Merhav, Relations between entropy and error probability, IEEE
      Transactions on Information Theory 1994; Liang et al., ICLR 2024.
    """
    options = in_float64(merged(options, fields))
    p_y = _entry.check_distribution("p_y", p_y, 1)
    if most_information is None:
        most_information = information
    names = ("information", "most_information")
    least, most = (
        inputs.finite(name, value).astype(np.float64)
        for name, value in zip(
            names, (information, most_information), strict=True
        )
    )
    (p_y, least, most), lead = _leading.flatten(
        ("p_y", *names), (p_y, least, most), (1, 0, 0)
    )
    entropy = np.sum(-p_y * np.log2(np.where(p_y > 0, p_y, 1)), -1)
    for name, value in zip(names, (least, most), strict=True):
        bad = value < -_entry.SUM_TOLERANCE
        bad |= value > entropy + _entry.SUM_TOLERANCE
        if bad.any():
            i = int(np.argmax(bad))
            raise InputError(
                f"{name}{_at(i, lead)} must be in [0, H(Y)] = [0, "
                f"{entropy[i]:.6g}] bits, got {value[i]:.9g}"
            )
    if (least > most + _entry.SUM_TOLERANCE).any():
        i = int(np.argmax(least - most))
        raise InputError(
            f"information{_at(i, lead)} {least[i]:.9g} is above "
            f"most_information {most[i]:.9g}"
        )
    unknown = [np.clip(entropy - x, 0, entropy) for x in (least, most)]
    lower, upper = _engine.run(_interval, p_y, *unknown, options=options)
    size = p_y.shape[-1]
    with np.errstate(divide="ignore"):
        paper_upper = (most + 1) / np.log2(size)
    out = AccuracyInterval(
        lower=np.maximum(lower - _ROUNDING, p_y.max(-1) - _ROUNDING),
        upper=np.minimum(upper + _ROUNDING, 1),
        paper_lower=2.0 ** -unknown[0],
        paper_upper=paper_upper,
        paper_upper_holds=np.abs(p_y - 1 / size).max(-1) < _UNIFORM,
    )
    return _leading.restore(out, lead)


def _at(table: int, lead: tuple[int, ...]) -> str:
    return inputs.subscript(tuple(map(int, np.unravel_index(table, lead))))


def _interval(
    p_y: jax.Array, most_unknown: jax.Array, least_unknown: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Accuracies from the largest and the smallest H(Y|X), in bits."""
    size = p_y.size
    symbols = jnp.maximum(jnp.sum(p_y > 0), 1)
    # Feder and Merhav: H(Y|X) is at least the broken line through the points
    # (accuracy, entropy) = (1/k, log2 k).
    k = jnp.arange(1, size + 1, dtype=p_y.dtype)
    lower = jnp.interp(most_unknown, jnp.log2(k), 1 / k)

    def fano(error: jax.Array) -> jax.Array:
        others = jnp.log2(jnp.maximum(symbols - 1, 1).astype(p_y.dtype))
        entr = jax.scipy.special.entr
        spread = (entr(error) + entr(1 - error)) / math.log(2)
        return spread + error * others

    def halve(
        _: int, ends: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        middle = (low + high) / 2
        enough = fano(middle) >= least_unknown
        return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

    zero = jnp.zeros((), p_y.dtype)
    most_error = 1 - 1 / symbols.astype(p_y.dtype)
    error, _ = jax.lax.fori_loop(0, _BISECTIONS, halve, (zero, most_error))
    return lower, 1 - error
