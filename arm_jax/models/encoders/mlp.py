"""Multi-layer perceptron on the whole input, flattened."""

import flax.linen as nn
import jax

from arm_jax.models.encoders.inputs import (
    array_shape,
    check_dropout,
    check_sizes,
    floating,
)


class MLP(nn.Module):
    """Hidden layers with GELU and dropout, and a layer of features."""

    hidden: tuple[int, ...]
    features: int
    dropout: float

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Features `[batch, features]` of inputs `[batch, ...]`."""
        x = floating(x).reshape(x.shape[0], -1)
        for width in self.hidden:
            x = nn.gelu(nn.Dense(width)(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.gelu(nn.Dense(self.features)(x))


def encoder(
    shape: tuple[int, ...],
    *,
    hidden: tuple[int, ...] = (64,),
    features: int = 64,
    dropout: float = 0.0,
) -> MLP:
    """Inputs of any shape.

    Args:
      shape: Shape of one example.
      hidden: Widths of the hidden layers.
      features: Width of the features.
      dropout: Share of hidden units that are left out in training.

    Raises:
      InputError: A modality of several arrays, or options that cannot be.
    """
    array_shape("mlp", shape)
    hidden = tuple(hidden)
    check_sizes("mlp", 1, hidden=hidden, features=features)
    check_dropout("mlp", dropout)
    return MLP(hidden, features, dropout)
