"""Encoders of modalities and a fusion head, for any number of modalities.

The only module that knows Flax's module system: everything above sees the
pure functions of `Model`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.config import ModelConfig

Params = Any
Features = dict[str, jax.Array]


class Encoder(nn.Module):
    """Multi-layer perceptron on the flattened input of one modality."""

    hidden: tuple[int, ...]
    features: int
    dropout: float

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Features `[batch, features]` of inputs `[batch, ...]`."""
        x = x.reshape(x.shape[0], -1)
        for width in self.hidden:
            x = nn.gelu(nn.Dense(width)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.gelu(nn.Dense(self.features)(x))


class FusionModel(nn.Module):
    """One encoder a modality; a linear head on the masked concatenation."""

    modalities: tuple[str, ...]
    num_classes: int
    config: ModelConfig

    def setup(self) -> None:
        """Makes the encoders, by modality, and the head."""
        self.encoders = {
            name: Encoder(
                self.config.hidden, self.config.features, self.config.dropout
            )
            for name in self.modalities
        }
        self.classifier = nn.Dense(self.num_classes)

    def encode(
        self, inputs: Mapping[str, jax.Array], *, train: bool
    ) -> Features:
        """Features `[batch, features]` of each modality."""
        return {
            name: self.encoders[name](inputs[name], train=train)
            for name in self.modalities
        }

    def head(
        self, features: Mapping[str, jax.Array], mask: jax.Array
    ) -> jax.Array:
        """Logits `[batch, classes]` from the modalities that `mask` keeps."""
        kept = [
            features[name] * mask[..., m, None]
            for m, name in enumerate(self.modalities)
        ]
        return self.classifier(jnp.concatenate(kept, axis=-1))

    def __call__(self, inputs: Mapping[str, jax.Array]) -> jax.Array:
        """Logits of all modalities; touches every parameter, for init."""
        features = self.encode(inputs, train=False)
        return self.head(features, jnp.ones(len(self.modalities)))


class Model(NamedTuple):
    """A multimodal classifier as pure functions of its parameters.

    Attributes:
      modalities: names, in the order of masks.
      init: `init(key) -> params`.
      encode: `encode(params, inputs, key) -> features`: the features
        `[batch, width]` of each modality by name. With a key, dropout is on.
      head: `head(params, features, mask) -> logits`: `[batch, classes]` from
        the modalities whose entry of `mask`, `[modalities]` or
        `[batch, modalities]`, is 1; features of the others count as zero.
        vmap over masks evaluates all subsets on features computed once.
    """

    modalities: tuple[str, ...]
    init: Callable[[jax.Array], Params]
    encode: Callable[[Params, Mapping[str, jax.Array], Any], Features]
    head: Callable[[Params, Mapping[str, jax.Array], jax.Array], jax.Array]


def create_model(
    config: ModelConfig,
    shapes: Mapping[str, tuple[int, ...]],
    num_classes: int,
) -> Model:
    """Builds the model for modalities of the given example shapes."""
    modalities = tuple(shapes)
    module = FusionModel(modalities, num_classes, config)

    def init(key: jax.Array) -> Params:
        inputs = {name: jnp.zeros((1, *s)) for name, s in shapes.items()}
        return module.init(key, inputs)["params"]

    def encode(
        params: Params, inputs: Mapping[str, jax.Array], key: Any = None
    ) -> Features:
        return module.apply(
            {"params": params},
            inputs,
            train=key is not None,
            rngs=None if key is None else {"dropout": key},
            method=FusionModel.encode,
        )

    def head(
        params: Params, features: Mapping[str, jax.Array], mask: jax.Array
    ) -> jax.Array:
        return module.apply(
            {"params": params}, features, mask, method=FusionModel.head
        )

    return Model(modalities, init, encode, head)
