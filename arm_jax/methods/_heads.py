"""A linear head for each modality, which several methods have of their own."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from arm_jax.methods import Context, terms

Heads = Mapping[str, Mapping[str, Any]]


def init(context: Context, key: jax.Array) -> Any:
    """Returns a head on the features of each modality, by name."""
    keys = jax.random.split(key, len(context.modalities))
    initial = jax.nn.initializers.lecun_normal()
    return {
        name: {
            "kernel": initial(k, (width, context.num_classes)),
            "bias": jnp.zeros(context.num_classes),
        }
        for k, (name, width) in zip(
            keys, sorted(context.widths.items()), strict=True
        )
    }


def logits(heads: Heads, features: Mapping[str, Any]) -> list[Any]:
    """Returns logits `[batch, classes]` of each modality; NumPy stays such."""
    return [terms.linear(heads[name], x) for name, x in features.items()]


def log_probs(heads: Heads, features: Mapping[str, jax.Array]) -> jax.Array:
    """Returns log-probabilities `[modalities, batch, classes]`, nats."""
    return jax.nn.log_softmax(jnp.stack(logits(heads, features)))


def summed(
    heads: Heads, features: Mapping[str, jax.Array], mask: jax.Array
) -> jax.Array:
    """Returns the sum of the logits of the modalities, times `mask`.

    Args:
      heads: Those of all modalities.
      features: `[batch, width]` by modality.
      mask: `[modalities]` or `[batch, modalities]`.
    """
    mask = jnp.atleast_2d(mask)
    each = logits(heads, features)
    return sum(mask[:, m, None] * z for m, z in enumerate(each))
