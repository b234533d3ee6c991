"""Multi-layer perceptron on windows of a series: a convolution by products.

The hidden layers look at each window of the first axis, and the features at
the mean and the maximum over windows: a one-dimensional convolution, as matrix
products, which are fast on every device.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.errors import InputError
from arm_jax.models.encoders.inputs import (
    array_shape,
    check_dropout,
    check_sizes,
    floating,
)


class Windows(nn.Module):
    """Hidden layers on windows, pooled, and a layer of features.

    Dropout takes a hidden unit from all windows of an example or from none.
    """

    length: int
    stride: int
    hidden: tuple[int, ...]
    features: int
    dropout: float

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Features `[batch, features]` of inputs `[batch, time, ...]`."""
        x = floating(x)
        starts = range(0, x.shape[1] - self.length + 1, self.stride)
        # Slices, which XLA copies faster than it gathers.
        x = jnp.stack([x[:, at : at + self.length] for at in starts], axis=1)
        x = x.reshape(*x.shape[:2], -1)
        for width in self.hidden:
            x = nn.gelu(nn.Dense(width)(x))
            x = nn.Dropout(
                self.dropout, broadcast_dims=(1,), deterministic=not train
            )(x)
        x = jnp.concatenate([x.mean(axis=1), x.max(axis=1)], axis=-1)
        return nn.gelu(nn.Dense(self.features)(x))


def encoder(
    shape: tuple[int, ...],
    *,
    length: int,
    stride: int = 1,
    hidden: tuple[int, ...] = (64,),
    features: int = 64,
    dropout: float = 0.0,
) -> Windows:
    """Series, `[time, ...]`.

    Args:
      shape: Shape of one example.
      length: Length of a window.
      stride: Distance between the starts of two windows.
      hidden: Widths of the hidden layers.
      features: Width of the features.
      dropout: Share of hidden units that are left out in training.

    Raises:
      InputError: A window that does not fit, or options that cannot be.
    """
    if not array_shape("windows", shape):
        raise InputError("windows need a series, got numbers")
    if not (1 <= length <= shape[0] and stride >= 1):
        raise InputError(
            f"length {length} and stride {stride} do not fit a series of "
            f"length {shape[0]}"
        )
    hidden = tuple(hidden)
    check_sizes("windows", 1, hidden=hidden, features=features)
    check_dropout("windows", dropout)
    return Windows(length, stride, hidden, features, dropout)
