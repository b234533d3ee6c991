"""Layers of transformers: attention, and what BERT and ViT make of it."""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.errors import InputError, check_choice
from arm_jax.models.norms import LayerNorm, exact_type

ACTIVATIONS = {
    "gelu": partial(nn.gelu, approximate=False),
    "gelu_tanh": partial(nn.gelu, approximate=True),
    "relu": nn.relu,
}
INITIAL = nn.initializers.truncated_normal(0.02)


class Transformer(nn.Module):
    """A layer: attention and two dense layers, each with the input carried.

    Vaswani et al., Attention is all you need, NeurIPS 2017. Scores of attention
    and normalisations are computed in the type of the parameters.

    Attributes:
      heads: Number of heads.
      intermediate: Width between the two dense layers.
      epsilon: That of the normalisations.
      activation: Name of the activation between the dense layers.
      normalize_first: Normalise what a part is given, as ViT does, and not what
        comes out with the input added, as BERT does.
      dropout: Share of attention weights and of a part's outputs that are left
        out in training.
      dtype: Type that products are computed in; None for that of parameters.
    """

    heads: int
    intermediate: int
    epsilon: float
    activation: str
    normalize_first: bool
    dropout: float
    dtype: jnp.dtype | None

    @nn.compact
    def __call__(
        self, x: jax.Array, there: jax.Array | None, train: bool
    ) -> jax.Array:
        """Maps `[batch, length, width]`.

        Args:
          x: Inputs.
          there: Which of them are there, bool `[batch, length]`; None for all.
          train: Whether there is dropout. Not by name: `nn.remat` needs it so.
        """
        first = ("norm1", "norm2") if self.normalize_first else (None, None)
        last = (
            (None, None)
            if self.normalize_first
            else ("attention_norm", "output_norm")
        )
        drop = nn.Dropout(self.dropout, deterministic=not train)
        y = self._norm(first[0], x)
        y = drop(self._attention(y, there, train))
        x = self._norm(last[0], x + y)
        y = self._dense("intermediate", self.intermediate)(
            self._norm(first[1], x)
        )
        y = ACTIVATIONS[self.activation](y)
        y = drop(self._dense("output", x.shape[-1])(y))
        return self._norm(last[1], x + y)

    def _attention(
        self, x: jax.Array, there: jax.Array | None, train: bool
    ) -> jax.Array:
        width = x.shape[-1]
        query, key, value = (
            self._dense(name, width)(x).reshape(*x.shape[:-1], self.heads, -1)
            for name in ("query", "key", "value")
        )
        scores = jnp.einsum(
            "bqhd,bkhd->bhqk",
            query,
            key,
            preferred_element_type=exact_type(query.dtype),
        )
        scores = scores / (width // self.heads) ** 0.5
        if there is not None:
            lowest = jnp.finfo(scores.dtype).min
            scores = jnp.where(there[:, None, None], scores, lowest)
        shares = jax.nn.softmax(scores).astype(value.dtype)
        shares = nn.Dropout(self.dropout, deterministic=not train)(shares)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", shares, value)
        return self._dense("attention", width)(mixed.reshape(x.shape))

    def _dense(self, name: str, width: int) -> nn.Dense:
        return nn.Dense(width, dtype=self.dtype, kernel_init=INITIAL, name=name)

    def _norm(self, name: str | None, x: jax.Array) -> jax.Array:
        if name is None:
            return x
        return LayerNorm(self.epsilon, name=name)(x)


def layer(rematerialize: bool) -> type[nn.Module]:
    """Returns `Transformer`, with its inside computed again on the way back."""
    if rematerialize:
        return nn.remat(Transformer, static_argnums=(3,))
    return Transformer


def check(
    name: str, width: int, heads: int, activation: str, epsilon: float
) -> None:
    """Checks the sizes of a transformer.

    Raises:
      InputError: The heads do not divide the width, an unknown activation, or
        an epsilon that is not positive.
    """
    check_choice("activation", activation, ACTIVATIONS)
    if heads < 1 or width < 1 or width % heads:
        raise InputError(
            f"{name}: width {width} cannot be divided by {heads} heads"
        )
    if not 0 < epsilon < math.inf:
        raise InputError(f"{name}: epsilon must be positive, got {epsilon}")
