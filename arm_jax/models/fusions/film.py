"""FiLM: each modality's features are modulated by the others.

Perez et al., FiLM: Visual Reasoning with a General Conditioning Layer, AAAI
2018, for any number of modalities: with x_m the features of modality m, and
linear maps without biases, so that an absent modality modulates nothing,

    g_m    = 1 + sum over n != m of G_mn x_n
    b_m    = sum over n != m of B_mn x_n
    logits = head(sum over the present m of W_m (g_m * x_m + b_m)).

Departure: the paper's conditioning goes one way, from a question to an image;
here no modality is the question, so that it goes both ways.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.models.fusions import _masking


class Film(_masking.Fusion):
    """Modulation of every modality by every other, and a head."""

    def setup(self) -> None:
        """Makes the layers."""
        first, *others = (*self.head, self.num_classes)
        names = list(self.widths)
        self.modulations = {
            f"{target}_by_{source}": nn.Dense(
                2 * self.widths[target], use_bias=False
            )
            for target in names
            for source in names
            if source != target
        }
        self.classifiers = {name: nn.Dense(first) for name in names}
        self.head_layers = [nn.Dense(width) for width in others]
        self.stand_ins = self.tokens()

    def __call__(
        self,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        means: Mapping[str, jax.Array],
    ) -> jax.Array:
        """Logits `[batch, classes]`."""
        present = self.stand_in(features, mask, means, self.stand_ins)
        total: Any = 0.0
        for name, factor in self.factors(mask).items():
            modulation: Any = sum(
                self.modulations[f"{name}_by_{other}"](x)
                for other, x in present.items()
                if other != name
            )
            x = present[name]
            if len(present) > 1:
                scale, shift = jnp.split(modulation, 2, axis=-1)
                x = (1 + scale) * x + shift
            term = self.classifiers[name](x)
            if self.absent == "zero":
                # An absent modality adds nothing, its bias and shift included.
                term = (1 - _masking.is_zero(factor)) * term
            total += term
        return _masking.behind(self.head_layers, total)


def fusion(
    widths: Mapping[str, int],
    num_classes: int,
    *,
    head: tuple[int, ...] = (),
    absent: str = "zero",
) -> Film:
    """Features of any widths.

    Args:
      widths: Width of the features, by modality.
      num_classes: Number of logits.
      head: Widths of hidden layers behind the first one.
      absent: See `concat`.

    Raises:
      InputError: An unknown `absent`, or a width below 1.
    """
    _masking.check_absent(absent)
    _masking.check_head(tuple(head))
    return Film(dict(widths), num_classes, tuple(head), absent)
