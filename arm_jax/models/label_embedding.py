"""Embeddings of a sample, one for each label: what BATCH couples samples by."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

_SMALL = 1e-6


class _LabelEmbedding(nn.Module):
    """A perceptron whose output is one vector for each label."""

    num_classes: int
    width: int
    hidden: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns `[n, y, width]`, standardised over the samples."""
        for size in self.hidden:
            x = nn.relu(nn.Dense(size)(x))
        x = nn.Dense(self.num_classes * self.width)(x)
        x = x.reshape(x.shape[0], self.num_classes, self.width)
        mean = x.mean(0, keepdims=True)
        deviation = jnp.sqrt(x.var(0, keepdims=True) + _SMALL)
        return (x - mean) / deviation


class LabelEmbedding(NamedTuple):
    """Pure functions of an embedding.

    Attributes:
      init: of a key and samples `[n, features]`: the parameters.
      apply: of parameters and samples: `[n, y, width]`.
    """

    init: Callable[[jax.Array, jax.Array], Any]
    apply: Callable[[Any, jax.Array], jax.Array]


def label_embedding(
    num_classes: int, width: int, hidden: tuple[int, ...]
) -> LabelEmbedding:
    """Returns an embedding.

    Args:
      num_classes: number of labels y.
      width: numbers for each label.
      hidden: widths of the hidden layers.
    """
    module = _LabelEmbedding(num_classes, width, hidden)
    return LabelEmbedding(module.init, module.apply)
