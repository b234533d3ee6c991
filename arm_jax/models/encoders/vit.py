"""The vision transformer on images; of several frames the mean.

Dosovitskiy et al., An image is worth 16 x 16 words: transformers for image
recognition at scale, ICLR 2021: patches and a class token, layers that
normalise first, and the class token, normalised, at the end.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.errors import InputError, check_choice
from arm_jax.models import attention
from arm_jax.models.encoders.inputs import (
    check_dropout,
    check_sizes,
    computing_dtype,
    image_shape,
    images,
    of_frames,
)
from arm_jax.models.norms import LayerNorm, exact
from arm_jax.models.weights import (
    vit_huggingface,
    vit_timm,
    vit_torchvision,
)

LAYOUTS = (vit_huggingface.LAYOUT, vit_timm.LAYOUT, vit_torchvision.LAYOUT)
POOLINGS = ("class", "mean")


class ViT(nn.Module):
    """Patches, a class token, layers, and a normalisation.

    Attributes:
      grid: Rows and columns of patches.
    """

    grid: tuple[int, int]
    patch: int
    width: int
    layers: int
    heads: int
    intermediate: int
    epsilon: float
    activation: str
    pooling: str
    features: int
    dropout: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: jnp.dtype | None
    rematerialize: bool
    frozen: tuple[str, ...]

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Features of images or frames, see `inputs.images`."""
        batch = x.shape[0]
        moves = lambda name: train and name not in self.frozen
        x = self._embedded(images(x, self.mean, self.std))
        drop = nn.Dropout(self.dropout, deterministic=not moves("patches"))
        x = drop(x)
        layer = attention.layer(self.rematerialize)
        for number in range(self.layers):
            name = f"layer_{number}"
            x = layer(
                self.heads,
                self.intermediate,
                self.epsilon,
                self.activation,
                True,
                self.dropout,
                self.dtype,
                name=name,
            )(x, None, moves(name))
        x = LayerNorm(self.epsilon, name="norm")(exact(x))
        x = x[:, 0] if self.pooling == "class" else x[:, 1:].mean(axis=1)
        x = of_frames(x, batch)
        if self.features:
            x = nn.Dense(self.features, name="projection")(x)
        return x

    def _embedded(self, x: jax.Array) -> jax.Array:
        """Patches and the class token, `[images, 1 + patches, width]`."""
        size = (self.patch, self.patch)
        x = nn.Conv(
            self.width,
            size,
            size,
            "VALID",
            dtype=self.dtype,
            kernel_init=attention.INITIAL,
            name="patches",
        )(x)
        count = self.grid[0] * self.grid[1]
        x = x.reshape(len(x), count, self.width)
        first = self.param(
            "class_token", nn.initializers.zeros, (1, 1, self.width)
        )
        positions = self.param(
            "positions", attention.INITIAL, (1, 1 + count, self.width)
        )
        first = jnp.broadcast_to(first, (len(x), 1, self.width))
        x = jnp.concatenate([first.astype(x.dtype), x], axis=1)
        return x + positions.astype(x.dtype)


def encoder(
    shape: tuple[int, ...],
    *,
    patch: int = 16,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    intermediate: int = 3072,
    epsilon: float = 1e-6,
    activation: str = "gelu",
    pooling: str = "class",
    features: int = 0,
    dropout: float = 0.0,
    mean: tuple[float, ...] = (0.5,),
    std: tuple[float, ...] = (0.5,),
    dtype: str = "float32",
    rematerialize: bool = False,
    frozen: tuple[str, ...] = (),
) -> ViT:
    """Images `[height, width(, channels)]`, or frames; sizes are of ViT-B/16.

    Args:
      shape: Shape of one example.
      patch: Side of a patch in pixels.
      width: Width of the layers.
      layers: Number of layers.
      heads: Number of heads of attention.
      intermediate: Width between the dense layers.
      epsilon: That of the normalisations; 1e-12 in transformers.
      activation: "gelu", "gelu_tanh", its approximation, or "relu".
      pooling: "class", the class token; or "mean", over the patches.
      features: Width of a linear layer behind it; 0 for none.
      dropout: Share that is left out in training, of embeddings, attention
        weights and outputs of layers.
      mean: Of pixels from 0 to 1, one for each channel or one for all: what is
        subtracted where images are bytes.
      std: What they are divided by then.
      dtype: Type that products are computed in, "float32" or "bfloat16".
      rematerialize: Compute the inside of layers again on the way back, rather
        than keep it.
      frozen: Modules that stay as they are: they have no dropout.

    Raises:
      InputError: No images, images that cannot be divided into patches, or
        options that are unknown or do not fit.
    """
    check_choice("pooling", pooling, POOLINGS)
    attention.check("vit", width, heads, activation, epsilon)
    check_sizes("vit", 1, intermediate=intermediate)
    check_sizes("vit", 0, layers=layers, features=features)
    check_dropout("vit", dropout)
    height, length, _ = image_shape("vit", shape, mean, std)
    if patch < 1 or height % patch or length % patch:
        raise InputError(
            f"vit needs images whose sides are multiples of {patch} pixels, "
            f"got shape {shape}"
        )
    return ViT(
        (height // patch, length // patch),
        patch,
        width,
        layers,
        heads,
        intermediate,
        epsilon,
        activation,
        pooling,
        features,
        dropout,
        tuple(mean),
        tuple(std),
        computing_dtype(dtype),
        rematerialize,
        tuple(frozen),
    )
