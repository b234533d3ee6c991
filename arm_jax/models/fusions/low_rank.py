"""Low-rank tensor fusion: products of all modalities' features, factorised.

Liu et al., Efficient Low-rank Multimodal Fusion with Modality-Specific Factors,
ACL 2018: the outer product over modalities of (x_m, 1), times a weight tensor
of the given rank, is

    logits = sum over r of product over m of F_mr (x_m, 1).

An absent modality leaves its factor at that of x_m = 0: what remains is the
same form of the others. Hidden layers of a head may follow.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.models.fusions import _masking


class LowRank(_masking.Fusion):
    """Factors per modality, their product, summed over ranks."""

    rank: int = 4

    def setup(self) -> None:
        """Makes the factors; products of several start near 1."""
        self.out = (*self.head, self.num_classes)[0]
        self.factor_layers = {
            name: nn.Dense(self.rank * self.out, bias_init=nn.initializers.ones)
            for name in self.widths
        }
        self.ranks = self.param(
            "ranks", nn.initializers.lecun_normal(), (self.rank, 1)
        )
        self.bias = self.param("bias", nn.initializers.zeros, (self.out,))
        self.head_layers = [
            nn.Dense(width) for width in (*self.head, self.num_classes)[1:]
        ]
        self.stand_ins = self.tokens()

    def __call__(
        self,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        means: Mapping[str, jax.Array],
    ) -> jax.Array:
        """Logits `[batch, classes]`."""
        present = self.stand_in(features, mask, means, self.stand_ins)
        product: Any = 1.0
        for name, x in present.items():
            product = product * self.factor_layers[name](x)
        by_rank = product.reshape(*product.shape[:-1], self.rank, self.out)
        total = jnp.sum(by_rank * self.ranks[None], axis=-2)
        total += self.bias[None]
        return _masking.behind(self.head_layers, total)


def fusion(
    widths: Mapping[str, int],
    num_classes: int,
    *,
    rank: int = 4,
    head: tuple[int, ...] = (),
    absent: str = "zero",
) -> LowRank:
    """Features of any widths.

    Args:
      widths: Width of the features, by modality.
      num_classes: Number of logits.
      rank: Rank of the weight tensor.
      head: Widths of hidden layers behind the product.
      absent: See `concat`.

    Raises:
      InputError: A rank below 1.
    """
    _masking.check_absent(absent)
    _masking.check_head(tuple(head))
    _masking.check_positive("rank", rank)
    return LowRank(dict(widths), num_classes, tuple(head), absent, rank)
