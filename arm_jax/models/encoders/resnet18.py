"""ResNet-18 on images, with PyTorch's padding.

He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, CVPR 2016:
four stages of two basic blocks, 3 x 3 convolutions without biases, batch
normalisation after each, and the mean over positions. Padding is written out,
because Flax's "SAME" at stride 2 is not that of PyTorch.

Departure: the variance that is kept for prediction is the batch's biased one,
as Flax has it; PyTorch keeps the unbiased one.
"""

from functools import partial

import flax.linen as nn
import jax

from arm_jax.errors import InputError, check_choice
from arm_jax.models.encoders.inputs import array_shape, floating

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

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[batch, height, width, channels]`."""
        norm = partial(_norm, train=train, axis_name=self.axis_name)
        y = _convolution(self.width, 3, self.stride, "conv1")(x)
        y = nn.relu(norm("bn1")(y))
        y = _convolution(self.width, 3, 1, "conv2")(y)
        y = norm("bn2")(y)
        if x.shape != y.shape:
            x = _convolution(self.width, 1, self.stride, "downsample_conv")(x)
            x = norm("downsample_bn")(x)
        return nn.relu(x + y)


class ResNet18(nn.Module):
    """The stem, the stages, and the mean over positions."""

    stem: str
    width: int
    features: int
    dropout: float
    axis_name: str | None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Features of images `[batch, height, width, channels]`."""
        x = floating(x)
        size, stride = (7, 2) if self.stem == "imagenet" else (3, 1)
        x = _convolution(self.width, size, stride, "conv1")(x)
        x = nn.relu(_norm("bn1", train=train, axis_name=self.axis_name)(x))
        if self.stem == "imagenet":
            x = nn.max_pool(x, (3, 3), (2, 2), [(1, 1), (1, 1)])
        for stage, factor in enumerate(_STAGES):
            for block in range(_BLOCKS):
                x = Block(
                    self.width * factor,
                    2 if stage and not block else 1,
                    self.axis_name,
                    name=f"layer{stage + 1}_{block}",
                )(x, train=train)
        x = x.mean(axis=(1, 2))
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
    synchronize: bool = True,
    axis_name: str | None = None,
) -> ResNet18:
    """Images `[height, width, channels]`, of any number of channels.

    Args:
      shape: Shape of one example.
      stem: "imagenet", a 7 x 7 convolution and pooling, which divide the sides
        by 4; or "small", a 3 x 3 convolution, for images of few pixels.
      width: Channels of the first stage; the last one has eight times as many.
      features: Width of a linear layer behind the mean; 0 for none.
      dropout: Share of the mean's entries that are left out in training.
      synchronize: Whether the statistics of a batch are those of all devices.
      axis_name: Name of the mapped device axis, if any.

    Raises:
      InputError: Unknown stem, no image, or one that is too small.
    """
    check_choice("stem", stem, STEMS)
    array_shape("resnet18", shape)
    if len(shape) != 3 or min(shape[:2], default=0) < _SMALLEST[stem]:
        raise InputError(
            f"resnet18 with the stem '{stem}' needs images [height, width, "
            f"channels] of at least {_SMALLEST[stem]} x {_SMALLEST[stem]} "
            f"pixels, got shape {shape}"
        )
    return ResNet18(
        stem, width, features, dropout, axis_name if synchronize else None
    )


def _convolution(width: int, size: int, stride: int, name: str) -> nn.Conv:
    padding = (size // 2, size // 2)
    return nn.Conv(
        width,
        (size, size),
        (stride, stride),
        [padding, padding],
        use_bias=False,
        kernel_init=nn.initializers.variance_scaling(
            2.0, "fan_out", "truncated_normal"
        ),
        name=name,
    )


def _norm(name: str, *, train: bool, axis_name: str | None) -> nn.BatchNorm:
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        axis_name=axis_name if train else None,
        name=name,
    )
