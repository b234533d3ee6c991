"""MMCosine: logits that are cosines, modality by modality.

Xu, Feng, Zhang and Hu, MMCosine: Multi-Modal Cosine Loss Towards Balanced
Audio-Visual Fine-Grained Learning, ICASSP 2023. With w_mk the weights of class
k for the features f_m,

    logit_k = scale * sum over m of w_mk . f_m / (|w_mk| |f_m|),

so that no modality leads by the length of its features or weights. The loss is
the cross-entropy of these logits, in training and in prediction.

Departures: none in the formula. The weights are the method's own, initialised
like the head's, which has no part in it; biases there are none, and nothing
stands in for an absent modality. BalanceBenchmark's code predicts by the plain
linear layer, whose lengths the loss does not see.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from arm_jax.methods import (
    Batch,
    Context,
    Forward,
    Loss,
    Memory,
    Method,
    joint,
    terms,
)
from arm_jax.valuation import Head

TUNED = {"scale": (15.0, 5.0, 30.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MMCosine(Method):
    """Joint training on cosines.

    Attributes:
      scale: Length of a modality's logits.
    """

    # No hidden layers, which would be left out without a word.
    needs_additive_head: ClassVar[bool] = True

    scale: float = 15.0

    def check(self) -> None:
        """Raises InputError for a scale that is not above 0."""
        terms.check_positive("mmcosine", scale=self.scale)

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns the weights, `[width, classes]` by modality."""
        initial = jax.nn.initializers.lecun_normal()
        keys = jax.random.split(key, len(context.modalities))
        return {
            name: initial(k, (context.widths[name], context.num_classes))
            for k, name in zip(keys, context.modalities, strict=True)
        }

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """That of joint training, by the logits of `fuse`."""
        return joint.loss(forward, batch)

    def fuse(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        memory: Memory,
        parameters: Any,
    ) -> jax.Array:
        """Returns the sum of cosines of the modalities present."""
        mask = jnp.atleast_2d(mask)
        total: Any = 0.0
        for m, (name, x) in enumerate(features.items()):
            total += mask[:, m, None] * cosines(x, parameters[name])
        return self.scale * total


def cosines(x: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns the cosines `[batch, classes]`.

    Args:
      x: Features `[batch, width]`; those of no length have cosine 0.
      weights: `[width, classes]`.
    """
    return _of_length_one(x, axis=1) @ _of_length_one(weights, axis=0)


def _of_length_one(x: jax.Array, axis: int) -> jax.Array:
    square = (x**2).sum(axis=axis, keepdims=True)
    # The floor keeps the gradient finite at 0.
    return x * jax.lax.rsqrt(jnp.maximum(square, 1e-12))
