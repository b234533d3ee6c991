"""What encoders take in: one array of numbers, whatever their type."""

from typing import Any

import jax
import jax.numpy as jnp

from arm_jax.errors import InputError


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
