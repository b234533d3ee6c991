"""Terms that the losses of several methods share, in nats.

An example of which some modalities are masked (a copy, see `Copies`) counts
with the modalities it has.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax.errors import InputError
from arm_jax.methods import Batch, Forward
from arm_jax.valuation import Array, Subsets, at_label, masks_for


def fused_cross_entropy(log_probs: Subsets, batch: Batch) -> jax.Array:
    """Mean cross-entropy of the fused prediction."""
    return -at_label(log_probs.full, batch["label"]).mean()


def unimodal_cross_entropies(log_probs: Subsets, batch: Batch) -> jax.Array:
    """Mean cross-entropy of each modality alone, `[modalities]`."""
    return kept_cross_entropy(log_probs.alone, batch, batch["mask"].T)


def kept_cross_entropy(log_probs: Any, batch: Batch, kept: Array) -> jax.Array:
    """Mean cross-entropy `[...]`, 0 for the examples that lack the modality.

    Args:
      log_probs: `[..., batch, classes]`, or what `valuation.at_label` takes.
      batch: the examples.
      kept: 1 for those that have the modality, `[..., batch]`.
    """
    each = -at_label(log_probs, batch["label"])
    return (each * kept).mean(axis=-1)


def unimodal_logits(forward: Forward) -> jax.Array:
    """Logits of each modality alone, `[modalities, batch, classes]`."""
    alone = masks_for(forward.features, np.eye(len(forward.features)))
    return jax.vmap(forward.head, in_axes=(None, 0))(forward.features, alone)


def scores(forward: Forward, batch: Batch) -> jax.Array:
    """Mean probability of the label from each modality alone, `[modalities]`.

    Over the whole batch, for comparisons; it has no gradient.
    """
    alone = jnp.exp(at_label(forward.log_probs().alone, batch["label"]))
    kept = batch["mask"].T
    weighted = forward.mean(jax.lax.stop_gradient(alone) * kept)
    return weighted / jnp.maximum(forward.mean(kept), 1e-12)


def ratios(values: jax.Array) -> jax.Array:
    """Mean over the others n of `values[m] / values[n]`, `[modalities]`.

    The ratio where there are two, and 0 for a single one. The authors of
    OGM-GE advise it for more than two.
    """
    count = len(values)
    each = (values[:, None] / values[None]) * (1 - jnp.eye(count))
    return each.sum(axis=1) / max(count - 1, 1)


def complete(batch: Batch) -> jax.Array:
    """1 for the examples that have all modalities, `[batch]`."""
    return batch["mask"].min(axis=-1)


def contribution_gap(
    phi: jax.Array, weight: jax.Array | None = None
) -> jax.Array:
    """Mean over pairs of |phi_m - phi_n|, its gradient only on the smaller.

    Args:
      phi: contributions `[modalities]`, means over the whole batch.
      weight: How much a pair counts in which the modality is the smaller one,
        `[modalities]`; None for 1.

    Returns:
      A scalar; 0 for a single modality.
    """
    first, second = jnp.triu_indices(phi.shape[0], k=1)
    if not len(first):
        return jnp.zeros((), phi.dtype)
    a, b = phi[first], phi[second]
    larger = jax.lax.stop_gradient(jnp.maximum(a, b))
    gaps = larger - jnp.where(a <= b, a, b)
    if weight is not None:
        gaps *= jnp.where(a <= b, weight[first], weight[second])
    return gaps.mean()


def linear(parameters: Mapping[str, jax.Array], x: jax.Array) -> jax.Array:
    """Returns `[batch, outputs]` of a linear layer on `[batch, inputs]`."""
    return x @ parameters["kernel"] + parameters["bias"][None]


@jax.custom_vjp
def scale_gradient(x: jax.Array, factor: jax.Array) -> jax.Array:
    """Returns `x`; the gradient with respect to it is times `factor`.

    Args:
      x: any array.
      factor: Factor that broadcasts against `x`. It gets no gradient.
    """
    del factor
    return x


def _scale_forward(x: jax.Array, factor: jax.Array) -> tuple[Any, Any]:
    return x, factor


def _scale_backward(factor: jax.Array, g: jax.Array) -> tuple[Any, Any]:
    return factor * g, jnp.zeros_like(factor)


scale_gradient.defvjp(_scale_forward, _scale_backward)


def refused(method: str, name: str, must: str, value: Any) -> InputError:
    """Returns the error of an option whose value a method refuses.

    Args:
      method: Name of the method.
      name: Name of the option.
      must: Phrase that follows "must", such as "be at least 0".
      value: Value of the option.
    """
    return InputError(
        f"config method.options.{name} must {must}, got {value!r} "
        f"(method '{method}')"
    )


def check_weights(method: str, **weights: Any) -> None:
    """Raises InputError for a weight below 0 or not a finite number."""
    for name, weight in weights.items():
        if not 0 <= weight < math.inf:
            bound = "be finite" if weight > 0 else "be at least 0"
            raise refused(method, name, bound, weight)


def check_fractions(method: str, **fractions: Any) -> None:
    """Raises InputError for a fraction outside [0, 1)."""
    for name, fraction in fractions.items():
        if not 0 <= fraction < 1:
            raise refused(method, name, "be in [0, 1)", fraction)


def check_probabilities(method: str, **probabilities: Any) -> None:
    """Raises InputError for a number outside [0, 1]."""
    for name, value in probabilities.items():
        if not 0 <= value <= 1:
            raise refused(method, name, "be in [0, 1]", value)


def check_counts(method: str, **counts: int) -> None:
    """Raises InputError for a number below 1."""
    for name, count in counts.items():
        if count < 1:
            raise refused(method, name, "be at least 1", count)


def check_positive(method: str, **values: Any) -> None:
    """Raises InputError for a number that is not above 0, or not finite."""
    for name, value in values.items():
        if not 0 < value < math.inf:
            bound = "be finite" if value > 0 else "be above 0"
            raise refused(method, name, bound, value)


def check_options(
    method: str, known: Mapping[str, Sequence[str]], **chosen: str
) -> None:
    """Raises InputError for a word that is none of those known.

    Args:
      method: Name of the method.
      known: The words that are known, by option.
      chosen: The word that was chosen, by option.
    """
    for name, word in chosen.items():
        if word not in known[name]:
            words = f"be one of {', '.join(known[name])}"
            raise refused(method, name, words, word)
