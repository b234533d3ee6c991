"""ResNet-18 on images, with PyTorch's padding.

He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, CVPR 2016:
four stages of two basic blocks, 3 x 3 convolutions without biases, batch
normalisation after each, and the mean over positions. Padding is written out,
because Flax's "SAME" at stride 2 is not that of PyTorch. Of several frames the
mean is taken at the end.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.errors import InputError, check_choice
from arm_jax.models.encoders.inputs import (
    check_dropout,
    check_sizes,
    computing_dtype,
    image_shape,
    images,
    of_frames,
)
from arm_jax.models.norms import BatchNorm, exact
from arm_jax.models.weights import resnet_huggingface, resnet_torchvision

LAYOUTS = (resnet_torchvision.LAYOUT, resnet_huggingface.LAYOUT)
STEMS = ("imagenet", "small")
_STAGES = (1, 2, 4, 8)
_BLOCKS = 2
# Downsamplings of an image, by stem.
_SMALLEST = {"imagenet": 32, "small": 8}


class Block(nn.Module):
    """Two convolutions around which the input is carried."""

    width: int
    stride: int
    axis_name: str | None
    dtype: jnp.dtype | None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[batch, height, width, channels]`.

        Args:
          x: Inputs.
          train: Whether to normalise by the batch. Not by name: `nn.remat`
            needs it so.
        """
        convolution = partial(_convolution, dtype=self.dtype)
        norm = partial(BatchNorm, self.axis_name)
        y = convolution("conv1", self.width, 3, self.stride)(x)
        y = nn.relu(norm(name="bn1")(y, train=train))
        y = convolution("conv2", self.width, 3, 1)(y)
        y = norm(name="bn2")(y, train=train)
        if x.shape != y.shape:
            x = convolution("downsample_conv", self.width, 1, self.stride)(x)
            x = norm(name="downsample_bn")(x, train=train)
        return nn.relu(x + y)


class ResNet18(nn.Module):
    """The stem, the stages, and the mean over positions and frames."""

    stem: str
    width: int
    features: int
    dropout: float
    axis_name: str | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: jnp.dtype | None
    rematerialize: bool
    frozen: tuple[str, ...]

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Features of images or frames, see `inputs.images`."""
        batch = x.shape[0]
        x = images(x, self.mean, self.std)
        moves = lambda name: train and name not in self.frozen
        size, stride = (7, 2) if self.stem == "imagenet" else (3, 1)
        x = _convolution("conv1", self.width, size, stride, self.dtype)(x)
        x = BatchNorm(self.axis_name, name="bn1")(x, train=moves("bn1"))
        x = nn.relu(x)
        if self.stem == "imagenet":
            x = nn.max_pool(x, (3, 3), (2, 2), [(1, 1), (1, 1)])
        block = Block
        if self.rematerialize:
            block = nn.remat(Block, static_argnums=(2,))
        for stage, factor in enumerate(_STAGES):
            for number in range(_BLOCKS):
                name = f"layer{stage + 1}_{number}"
                x = block(
                    self.width * factor,
                    2 if stage and not number else 1,
                    self.axis_name,
                    self.dtype,
                    name=name,
                )(x, moves(name))
        x = of_frames(exact(x).mean(axis=(1, 2)), batch)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        if self.features:
            x = nn.Dense(self.features, name="projection")(x)
        return x


def encoder(
    shape: tuple[int, ...],
    *,
    stem: str = "imagenet",
    width: int = 64,
    features: int = 0,
    dropout: float = 0.0,
    mean: tuple[float, ...] = (0.5,),
    std: tuple[float, ...] = (0.5,),
    synchronize: bool = True,
    dtype: str = "float32",
    rematerialize: bool = False,
    axis_name: str | None = None,
    frozen: tuple[str, ...] = (),
) -> ResNet18:
    """Images `[height, width(, channels)]`, or frames, with an axis before.

    Args:
      shape: Shape of one example.
      stem: "imagenet", a 7 x 7 convolution and pooling, which divide the sides
        by 4; or "small", a 3 x 3 convolution, for images of few pixels.
      width: Channels of the first stage; the last one has eight times as many.
      features: Width of a linear layer behind the mean; 0 for none.
      dropout: Share of the mean's entries that are left out in training.
      mean: Of pixels from 0 to 1, one for each channel or one for all: what is
        subtracted where images are bytes.
      std: What they are divided by then.
      synchronize: Whether the statistics of a batch are those of all devices.
      dtype: Type that convolutions are computed in, "float32" or "bfloat16".
      rematerialize: Compute the inside of blocks again on the way back, rather
        than keep it.
      axis_name: Name of the mapped device axis, if any.
      frozen: Modules that stay as they are: they normalise by what they kept.

    Raises:
      InputError: Unknown stem or type, no images, images that are too small, or
        options that cannot be.
    """
    check_choice("stem", stem, STEMS)
    check_sizes("resnet18", 1, width=width)
    check_sizes("resnet18", 0, features=features)
    check_dropout("resnet18", dropout)
    height, length, _ = image_shape("resnet18", shape, mean, std)
    if min(height, length) < _SMALLEST[stem]:
        raise InputError(
            f"resnet18 with the stem '{stem}' needs images of at least "
            f"{_SMALLEST[stem]} x {_SMALLEST[stem]} pixels, got shape {shape}"
        )
    return ResNet18(
        stem,
        width,
        features,
        dropout,
        axis_name if synchronize else None,
        tuple(mean),
        tuple(std),
        computing_dtype(dtype),
        rematerialize,
        tuple(frozen),
    )


def _convolution(
    name: str, width: int, size: int, stride: int, dtype: jnp.dtype | None
) -> nn.Conv:
    padding = (size // 2, size // 2)
    return nn.Conv(
        width,
        (size, size),
        (stride, stride),
        [padding, padding],
        use_bias=False,
        dtype=dtype,
        kernel_init=nn.initializers.variance_scaling(
            2.0, "fan_out", "truncated_normal"
        ),
        name=name,
    )
