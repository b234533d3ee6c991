"""A linear head for each modality, which several methods have of their own."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from arm_jax.methods import Context, terms

Heads = Mapping[str, Mapping[str, Any]]


def init(context: Context, key: jax.Array) -> Any:
    """Returns a head on the features of each modality, by name.

    Of several labels, kernels are `[width, labels, 2]`, biases likewise.
    """
    shape: tuple[int, ...] = (context.num_classes,)
    if context.labels:
        shape = (context.labels, context.num_classes)
    keys = jax.random.split(key, len(context.modalities))
    initial = jax.nn.initializers.lecun_normal()
    return {
        name: {
            "kernel": initial(k, (width, math.prod(shape))).reshape(
                width, *shape
            ),
            "bias": jnp.zeros(shape),
        }
        for k, (name, width) in zip(
            keys, sorted(context.widths.items()), strict=True
        )
    }


def logits(heads: Heads, features: Mapping[str, Any]) -> list[Any]:
    """Returns logits of each modality; NumPy stays such.

    They are `[batch, classes]` or `[batch, labels, 2]`.
    """
    return [_logits(heads[name], x) for name, x in features.items()]


def _logits(head: Mapping[str, Any], x: Any) -> Any:
    shape = head["bias"].shape
    if len(shape) == 1:
        return terms.linear(head, x)
    flat = {
        "kernel": head["kernel"].reshape(len(head["kernel"]), -1),
        "bias": head["bias"].reshape(-1),
    }
    return terms.linear(flat, x).reshape(len(x), *shape)


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
    return sum(
        mask[(slice(None), m, *(None,) * (z.ndim - 1))] * z
        for m, z in enumerate(each)
    )
