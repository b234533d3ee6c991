"""A head on the concatenated features, its first layer written by modality.

A linear layer on a concatenation is a sum of one linear layer per modality.
Written so, the prediction of a modality alone has a bias of its own; hidden
layers may follow. Without them the logits add up over the modalities.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from arm_jax.models.fusions import _masking


class Concat(_masking.Fusion):
    """One linear layer per modality, their sum, hidden layers."""

    @property
    def additive(self) -> bool:  # type: ignore[override]
        """Without hidden layers, the logits are a sum over modalities."""
        return not self.head

    def setup(self) -> None:
        """Makes the layers."""
        first, *others = (*self.head, self.num_classes)
        self.classifiers = {name: nn.Dense(first) for name in self.widths}
        self.head_layers = [nn.Dense(width) for width in others]
        self.stand_ins = self.tokens()

    def __call__(
        self,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        means: Mapping[str, jax.Array],
    ) -> jax.Array:
        """Logits `[batch, classes]`: terms of the modalities, times `mask`.

        The layer that makes the terms is linear, so that the mask may scale
        what it makes instead of what it is given. Under vmap over masks it
        then multiplies once, and each subset is a sum.
        """
        total: Any = 0.0
        for name, factor in self.factors(mask).items():
            layer = self.classifiers[name]
            total += factor * layer(features[name])
            # Without its features a modality has no say through its bias,
            # unless something stands in for them.
            if self.absent != "zero":
                fill = means if self.absent == "mean" else self.stand_ins
                absent = _masking.is_zero(factor)
                total += absent * layer(fill[name])[None]
        return _masking.behind(self.head_layers, total)


def fusion(
    widths: Mapping[str, int],
    num_classes: int,
    *,
    head: tuple[int, ...] = (),
    absent: str = "zero",
) -> Concat:
    """Features of any widths.

    Args:
      widths: Width of the features, by modality.
      num_classes: Number of logits.
      head: Widths of hidden layers behind the first one. Without them the
        model cannot tell XOR.
      absent: What stands in for the features of an absent modality: "zero"
        nothing, "mean" their running mean in training, "token" a learned
        vector.

    Raises:
      InputError: An unknown `absent`, or a width below 1.
    """
    _masking.check_absent(absent)
    _masking.check_head(tuple(head))
    return Concat(dict(widths), num_classes, tuple(head), absent)
