"""What every fusion does with the modalities that are absent."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.errors import InputError, check_choice
from arm_jax.models.fusions import ABSENT


class Fusion(nn.Module):
    """A head on the features of some modalities.

    Attributes:
      widths: Width of the features, by modality in the order of masks.
      num_classes: Number of logits.
      head: Widths of hidden layers.
      absent: What stands in for an absent modality, of `ABSENT`.
    """

    widths: Mapping[str, int]
    num_classes: int
    head: tuple[int, ...] = ()
    absent: str = "zero"

    # See arm_jax.models.fusions.
    masks = True
    additive = False

    def tokens(self) -> dict[str, jax.Array]:
        """Makes the learned stand-ins, if there are to be any; in `setup`."""
        if self.absent != "token":
            return {}
        return {
            name: self.param(f"tokens_{name}", nn.initializers.zeros, (width,))
            for name, width in self.widths.items()
        }

    def layers(self, *last: int) -> list[nn.Dense]:
        """Makes the hidden layers and those behind them; in `setup`."""
        return [nn.Dense(width) for width in (*self.head, *last)]

    def stand_in(
        self,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        means: Mapping[str, jax.Array],
        tokens: Mapping[str, jax.Array],
    ) -> dict[str, jax.Array]:
        """Features times `mask`, stand-ins for those whose mask is 0.

        Args:
          features: `[batch, width]` by modality.
          mask: `[modalities]` or `[batch, modalities]`; entries other than 0
            and 1 scale the features.
          means: Running means of the features, `[width]` by modality.
          tokens: Learned vectors likewise.
        """
        present: dict[str, Any] = {}
        for name, factor in self.factors(mask).items():
            present[name] = factor * features[name]
            if self.absent != "zero":
                fill = means if self.absent == "mean" else tokens
                present[name] += is_zero(factor) * fill[name][None]
        return present

    def factors(self, mask: jax.Array) -> dict[str, jax.Array]:
        """Splits `mask` into `[1 or batch, 1]` by modality."""
        mask = jnp.atleast_2d(mask)
        return {name: mask[:, m, None] for m, name in enumerate(self.widths)}


def is_zero(factor: jax.Array) -> jax.Array:
    """Returns 1 where `factor` is 0, and else 0, in its dtype."""
    return (factor == 0).astype(factor.dtype)


def chain(layers: list[nn.Dense], x: jax.Array) -> jax.Array:
    """Returns what layers make of `x`, with GELU between them."""
    first, *others = layers
    return behind(others, first(x))


def behind(layers: list[nn.Dense], x: jax.Array) -> jax.Array:
    """Returns what layers make of `x`, with GELU before each."""
    for layer in layers:
        x = layer(nn.gelu(x))
    return x


def check_absent(absent: str) -> None:
    """Raises InputError unless `absent` is one of `ABSENT`."""
    check_choice("absent", absent, ABSENT)


def check_head(head: tuple[int, ...]) -> None:
    """Raises InputError for a hidden layer whose width is below 1."""
    if min(head, default=1) < 1:
        raise InputError(f"head must hold positive widths, got {head}")


def check_one_width(widths: Mapping[str, int]) -> None:
    """Raises InputError unless all modalities have features of one width."""
    if len(set(widths.values())) > 1:
        raise InputError(
            "the features must have one width, got "
            + ", ".join(f"{width} of {name}" for name, width in widths.items())
            + "; set the encoders' option `features`"
        )


def check_positive(name: str, value: int) -> None:
    """Raises InputError for a number below 1."""
    if value < 1:
        raise InputError(f"{name} must be at least 1, got {value}")
