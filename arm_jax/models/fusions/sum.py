"""A head on the sum of the features, which all modalities share."""

from collections.abc import Mapping
from typing import Any

import jax

from arm_jax.models.fusions import _masking


class Sum(_masking.Fusion):
    """The sum of features, and layers on it."""

    @property
    def additive(self) -> bool:  # type: ignore[override]
        """Without hidden layers, the logits are a sum over modalities."""
        return not self.head

    def setup(self) -> None:
        """Makes the layers."""
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
        total: Any = sum(present.values())
        return _masking.chain(self.head_layers, total)


def fusion(
    widths: Mapping[str, int],
    num_classes: int,
    *,
    head: tuple[int, ...] = (),
    absent: str = "zero",
) -> Sum:
    """Features of one width.

    Args:
      widths: Width of the features, by modality.
      num_classes: Number of logits.
      head: Widths of hidden layers on the sum.
      absent: See `concat`.

    Raises:
      InputError: Features of several widths.
    """
    _masking.check_absent(absent)
    _masking.check_head(tuple(head))
    _masking.check_one_width(widths)
    return Sum(dict(widths), num_classes, tuple(head), absent)
