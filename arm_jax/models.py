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
from arm_jax.errors import InputError, check_known

Params = Any
Features = dict[str, jax.Array]

# How the head makes logits of features.
FUSIONS = ("concat", "shared")
# What stands in for the features of an absent modality: zeros, the running
# mean of its features in training, or a learned vector.
ABSENT = ("zero", "mean", "token")


class Encoder(nn.Module):
    """Multi-layer perceptron on the input of one modality.

    With a `window` (length, stride) the hidden layers look at each window of
    the first axis, and the features at the mean and the maximum over windows:
    a one-dimensional convolution, as matrix products, which are fast on every
    device. Without one they look at the whole input, flattened. Dropout takes a
    hidden unit from all windows of an example or from none.
    """

    hidden: tuple[int, ...]
    features: int
    dropout: float
    window: tuple[int, int] | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Features `[batch, features]` of inputs `[batch, ...]`."""
        if self.window is not None:
            shared: tuple[int, ...] = (1,)  # windows share dropout masks
            length, stride = self.window
            starts = range(0, x.shape[1] - length + 1, stride)
            # Slices, which XLA copies faster than it gathers.
            x = jnp.stack([x[:, at : at + length] for at in starts], axis=1)
            x = x.reshape(*x.shape[:2], -1)
        else:
            shared = ()
            x = x.reshape(x.shape[0], -1)
        for width in self.hidden:
            x = nn.gelu(nn.Dense(width)(x))
            x = nn.Dropout(
                self.dropout, broadcast_dims=shared, deterministic=not train
            )(x)
        if self.window is not None:
            x = jnp.concatenate([x.mean(axis=1), x.max(axis=1)], axis=-1)
        return nn.gelu(nn.Dense(self.features)(x))


class FusionModel(nn.Module):
    """One encoder a modality, and a head.

    With `fusion` "concat" the head's first layer is linear on the concatenation
    of the features, written as a sum of one linear layer a modality, so that
    the prediction of a modality alone has a bias of its own; hidden layers may
    follow. With "shared" one linear layer serves all modalities and the logits
    are their mean.
    """

    modalities: tuple[str, ...]
    num_classes: int
    fusion: str
    config: ModelConfig

    def setup(self) -> None:
        """Makes encoders and classifiers, by modality."""
        config = self.config
        self.encoders = {
            name: Encoder(
                config.hidden,
                config.features,
                config.dropout,
                tuple(config.windows[name]) if name in config.windows else None,
            )
            for name in self.modalities
        }
        if self.fusion == "shared":
            self.classifier = nn.Dense(self.num_classes)
        else:
            first, *others = (*config.head, self.num_classes)
            self.classifiers = {
                name: nn.Dense(first) for name in self.modalities
            }
            self.head_layers = [nn.Dense(width) for width in others]
        if config.absent == "token":
            self.tokens = {
                name: self.param(
                    f"tokens_{name}", nn.initializers.zeros, (config.features,)
                )
                for name in self.modalities
            }

    def encode(
        self, inputs: Mapping[str, jax.Array], *, train: bool
    ) -> Features:
        """Features `[batch, features]` of each modality."""
        return {
            name: self.encoders[name](inputs[name], train=train)
            for name in self.modalities
        }

    def head(
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
        shared = self.fusion == "shared"
        mask = jnp.atleast_2d(mask)
        total: Any = 0.0
        for m, name in enumerate(self.modalities):
            layer = self.classifier if shared else self.classifiers[name]
            factor = mask[:, m, None]
            total += factor * layer(features[name])
            # Without its features a modality has no say through its bias,
            # unless something stands in for them.
            if not shared and self.config.absent != "zero":
                fill = means if self.config.absent == "mean" else self.tokens
                absent = (factor == 0).astype(factor.dtype)
                total += absent * layer(fill[name])[None]
        if shared:
            return total / jnp.maximum(mask.sum(-1, keepdims=True), 1)
        for layer in self.head_layers:
            total = layer(nn.gelu(total))
        return total

    def __call__(self, inputs: Mapping[str, jax.Array]) -> jax.Array:
        """Logits of all modalities; touches every parameter, for init."""
        features = self.encode(inputs, train=False)
        means = {name: f[0] for name, f in features.items()}
        return self.head(features, jnp.ones(len(self.modalities)), means)


class Model(NamedTuple):
    """A multimodal classifier as pure functions of its parameters.

    Attributes:
      modalities: names, sorted; the order of masks.
      num_classes: of the labels.
      features: width of the features of one modality.
      init: `init(key) -> params`. The parameters of the encoder of a modality
        are `params["encoders_NAME"]`.
      encode: `encode(params, inputs, *, train, key) -> features`: the features
        `[batch, width]` of each modality by name. In training layers behave as
        such and draw dropout masks from the key, which may be None if the
        model has no dropout.
      head: `head(params, features, mask, means) -> logits`: `[batch, classes]`
        from the modalities whose entry of `mask`, `[modalities]` or
        `[batch, modalities]`, is not 0; one that is not 1 either scales what
        the modality adds to the first layer's outputs. vmap over masks
        evaluates all subsets on features computed once. `means` `[width]` by
        modality stand in for the absent ones if the model is configured so.
    """

    modalities: tuple[str, ...]
    num_classes: int
    features: int
    init: Callable[[jax.Array], Params]
    encode: Callable[..., Features]
    head: Callable[..., jax.Array]


def create_model(
    config: ModelConfig,
    shapes: Mapping[str, tuple[int, ...]],
    num_classes: int,
    fusion: str = "concat",
) -> Model:
    """Builds the model for modalities of the given example shapes.

    Raises:
      InputError: an unknown fusion or stand-in for absent modalities, a window
        that does not fit its modality, or hidden layers in a shared head.
    """
    for name, window in config.windows.items():
        if name not in shapes:
            raise InputError(
                f"config model.windows has '{name}'; the modalities are "
                + ", ".join(shapes)
            )
        length, stride = window
        if not (1 <= length <= shapes[name][0] and stride >= 1):
            raise InputError(
                f"config model.windows.{name} is {tuple(window)}; it must be "
                f"(length, stride), the length at most {shapes[name][0]}"
            )
    for name, value, known in (
        ("fusion", fusion, FUSIONS),
        ("model.absent", config.absent, ABSENT),
    ):
        check_known(f"unknown {name}", value, known)
    if fusion == "shared" and config.head:
        raise InputError(
            f"config model.head is {tuple(config.head)}; the head that the "
            "modalities share in this method is linear"
        )
    # By name, which is the order that JAX gives a dict it has looked into.
    modalities = tuple(sorted(shapes))
    module = FusionModel(modalities, num_classes, fusion, config)

    def init(key: jax.Array) -> Params:
        inputs = {name: jnp.zeros((1, *s)) for name, s in shapes.items()}
        return module.init(key, inputs)["params"]

    def encode(
        params: Params,
        inputs: Mapping[str, jax.Array],
        *,
        train: bool,
        key: Any = None,
    ) -> Features:
        return module.apply(
            {"params": params},
            inputs,
            train=train,
            rngs=None if key is None else {"dropout": key},
            method=FusionModel.encode,
        )

    def head(
        params: Params,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        means: Mapping[str, jax.Array],
    ) -> jax.Array:
        return module.apply(
            {"params": params}, features, mask, means, method=FusionModel.head
        )

    return Model(modalities, num_classes, config.features, init, encode, head)
