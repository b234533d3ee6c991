"""What encoders take in, whatever its type, and the type they compute in."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from arm_jax.config import DTYPES
from arm_jax.errors import InputError, check_choice


def computing_dtype(name: str) -> jnp.dtype | None:
    """Returns the type that products are computed in.

    Args:
      name: "float32", which is None, that of the parameters; or "bfloat16".

    Raises:
      InputError: Another name.
    """
    check_choice("dtype", name, DTYPES)
    return None if name == "float32" else jnp.dtype(name)


def check_sizes(name: str, least: int, **sizes: int | tuple[int, ...]) -> None:
    """Checks options that are numbers of something, or several of them.

    Args:
      name: Name of the encoder, for the message.
      least: The least that they may be.
      **sizes: The options.

    Raises:
      InputError: One is less.
    """
    for key, size in sizes.items():
        each = size if isinstance(size, tuple) else (size,)
        if min(each, default=least) < least:
            raise InputError(
                f"{name}: {key} must be at least {least}, got {size}"
            )


def check_dropout(name: str, dropout: float) -> None:
    """Raises InputError for a share of `dropout` outside [0, 1)."""
    if not 0 <= dropout < 1:
        raise InputError(f"{name}: dropout must be in [0, 1), got {dropout}")


def array_shape(name: str, shape: Any) -> tuple[int, ...]:
    """Returns the shape of a modality that is one array.

    Args:
      name: Name of the encoder, for the message.
      shape: What the encoder was told.

    Raises:
      InputError: The modality is a pytree of arrays.
    """
    if not isinstance(shape, tuple) or any(type(n) is not int for n in shape):
        paths = [
            jax.tree_util.keystr(path, simple=True, separator="/")
            for path, _ in jax.tree_util.tree_leaves_with_path(shape)
        ]
        raise InputError(
            f"{name} takes one array, the modality has {', '.join(paths)}"
        )
    return shape


def floating(x: jax.Array) -> jax.Array:
    """Returns numbers as floats; bytes, which are pixels, from -1 to 1."""
    if x.dtype == jnp.uint8:
        return x.astype(jnp.float32) / 127.5 - 1.0
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x.astype(jnp.float32)
    return x


def image_shape(
    name: str,
    shape: Any,
    mean: tuple[float, ...] = (0.5,),
    std: tuple[float, ...] = (0.5,),
) -> tuple[int, int, int]:
    """Returns height, width and channels of images, or of frames.

    Args:
      name: Name of the encoder, for the message.
      shape: `[height, width]`, `[height, width, channels]` or `[frames, height,
        width, channels]`.
      mean: Of pixels, one for each channel or one for all.
      std: The same.

    Raises:
      InputError: Another shape, or a mean or deviation that does not fit.
    """
    shape = array_shape(name, shape)
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise InputError(
            f"{name} needs images [height, width], [height, width, channels] "
            f"or [frames, height, width, channels], got shape {shape}"
        )
    height, width, channels = (*shape, 1) if len(shape) == 2 else shape[-3:]
    for key, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise InputError(
                f"{name}: {key} must have 1 number or {channels}, one for each "
                f"channel, got {tuple(values)}"
            )
    if not all(map(math.isfinite, mean)):
        raise InputError(f"{name}: mean must be finite, got {tuple(mean)}")
    if not all(0 < x < math.inf for x in std):
        raise InputError(f"{name}: std must be positive, got {tuple(std)}")
    return height, width, channels


def images(
    x: jax.Array, mean: tuple[float, ...], std: tuple[float, ...]
) -> jax.Array:
    """Returns images as `[images, height, width, channels]`, floats.

    Frames are images of their own; `of_frames` puts them together again. Of
    bytes, pixels from 0 to 1, the mean is subtracted, and they are divided by
    the standard deviation; floats are taken as they are.

    Args:
      x: `[batch, height, width]`, with channels behind or frames before.
      mean: One for each channel, or one for all.
      std: The same.
    """
    if x.ndim == 3:
        x = x[..., None]
    x = x.reshape(-1, *x.shape[-3:])
    if x.dtype != jnp.uint8:
        return floating(x)
    pixels = x.astype(jnp.float32) / 255.0
    by_channel = lambda y: jnp.asarray(y, jnp.float32).reshape(1, 1, 1, -1)
    return (pixels - by_channel(mean)) / by_channel(std)


def of_frames(x: jax.Array, batch: int) -> jax.Array:
    """Returns the mean over frames `[batch, width]` of `[images, width]`."""
    return x.reshape(batch, -1, x.shape[-1]).mean(axis=1)


def texts_length(name: str, shape: Any) -> int:
    """Returns the length of texts as token ids and a mask.

    Args:
      name: Name of the encoder, for the message.
      shape: What the encoder was told.

    Raises:
      InputError: No `ids` and `mask`, or not of one length.
    """
    given = {}
    if isinstance(shape, Mapping):
        given = {key: tuple(x.shape) for key, x in shape.items()}
    lengths = set(given.values())
    if (
        given.keys() != {"ids", "mask"}
        or len(lengths) > 1
        or (len(next(iter(lengths))) != 1)
    ):
        raise InputError(
            f"{name} needs `ids` and `mask` of one length, got {given or shape}"
        )
    return int(next(iter(lengths))[0])
