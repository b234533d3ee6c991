"""One linear layer for all modalities; the logits are the mean of theirs."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.errors import InputError
from arm_jax.models.fusions import _masking


class Shared(_masking.Fusion):
    """A classifier that all modalities share."""

    def setup(self) -> None:
        """Makes the layer."""
        self.classifier = nn.Dense(self.num_classes)

    def __call__(
        self,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        means: Mapping[str, jax.Array],
    ) -> jax.Array:
        """Logits `[batch, classes]`: mean over the modalities of `mask`."""
        del means
        total: Any = 0.0
        for name, factor in self.factors(mask).items():
            total += factor * self.classifier(features[name])
        present = jnp.atleast_2d(mask).sum(-1, keepdims=True)
        return total / jnp.maximum(present, 1)


def fusion(
    widths: Mapping[str, int],
    num_classes: int,
    *,
    head: tuple[int, ...] = (),
    absent: str = "zero",
) -> Shared:
    """Features of one width.

    Args:
      widths: Width of the features, by modality.
      num_classes: Number of logits.
      head: No hidden layers: those who share the head need it linear.
      absent: Nothing stands in: the mean is over those that are present.

    Raises:
      InputError: Hidden layers, or features of several widths.
    """
    if head:
        raise InputError(
            f"head is {tuple(head)}; the head that modalities share is linear"
        )
    _masking.check_absent(absent)
    _masking.check_one_width(widths)
    return Shared(dict(widths), num_classes, (), absent)
