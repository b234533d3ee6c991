"""Gated multimodal units: each modality is let through by a gate on all.

Arevalo, Solorio, Montes-y-Gomez, Gonzalez, Gated Multimodal Units for
Information Fusion, 2017: with x_m the features of modality m,

    g_m    = sigmoid(sum over n of V_mn x_n)
    logits = head(sum over the present m of g_m * tanh(W_m x_m)).
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from arm_jax.models.fusions import _masking


class Gated(_masking.Fusion):
    """A gate and a hidden layer per modality, and a head on their sum."""

    width: int = 64

    def setup(self) -> None:
        """Makes the layers."""
        names = list(self.widths)
        self.hidden = {name: nn.Dense(self.width) for name in names}
        # One layer per modality for the gates of all.
        self.gates = {
            name: nn.Dense(len(names) * self.width, use_bias=False)
            for name in names
        }
        self.head_layers = self.layers(self.num_classes)
        self.stand_ins = self.tokens()

    def __call__(
        self,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        means: Mapping[str, jax.Array],
    ) -> jax.Array:
        """Logits `[batch, classes]`."""
        present = self.stand_in(features, mask, means, self.stand_ins)
        gates: Any = sum(self.gates[name](x) for name, x in present.items())
        total: Any = 0.0
        for m, (name, factor) in enumerate(self.factors(mask).items()):
            gate = gates[..., m * self.width : (m + 1) * self.width]
            term = nn.sigmoid(gate) * nn.tanh(self.hidden[name](present[name]))
            if self.absent == "zero":
                # An absent modality adds nothing, its bias included.
                term = (1 - _masking.is_zero(factor)) * term
            total += term
        return _masking.chain(self.head_layers, total)


def fusion(
    widths: Mapping[str, int],
    num_classes: int,
    *,
    width: int = 64,
    head: tuple[int, ...] = (),
    absent: str = "zero",
) -> Gated:
    """Features of any widths.

    Args:
      widths: Width of the features, by modality.
      num_classes: Number of logits.
      width: Width of the gated sum.
      head: Widths of hidden layers on it.
      absent: See `concat`.

    Raises:
      InputError: A width below 1.
    """
    _masking.check_absent(absent)
    _masking.check_head(tuple(head))
    _masking.check_positive("width", width)
    return Gated(dict(widths), num_classes, tuple(head), absent, width)
