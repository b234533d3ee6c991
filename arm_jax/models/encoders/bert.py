"""The BERT family on texts as token ids and a mask.

Devlin, Chang, Lee, Toutanova, BERT: Pre-training of deep bidirectional
transformers for language understanding, NAACL 2019. With other sizes this is
MiniLM and most encoders of sentences; without types, DistilBERT; with positions
that are numbered from an offset on, RoBERTa. A token outside the vocabulary
makes the features NaN.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.errors import InputError, check_choice
from arm_jax.models import attention
from arm_jax.models.encoders.inputs import (
    check_dropout,
    check_sizes,
    computing_dtype,
    texts_length,
)
from arm_jax.models.norms import LayerNorm, exact
from arm_jax.models.weights import bert, distilbert

LAYOUTS = (bert.LAYOUT, distilbert.LAYOUT)
POOLINGS = ("first", "mean", "pooler")


class BERT(nn.Module):
    """Embeddings, layers that normalise behind, and what is made of a text."""

    vocabulary: int
    positions: int
    types: int
    offset: int
    width: int
    layers: int
    heads: int
    intermediate: int
    epsilon: float
    activation: str
    pooling: str
    features: int
    dropout: float
    dtype: jnp.dtype | None
    rematerialize: bool
    frozen: tuple[str, ...]

    @nn.compact
    def __call__(self, x: Mapping[str, jax.Array], *, train: bool) -> jax.Array:
        """Features `[batch, width]` of ids and mask, `[batch, length]`."""
        there = x["mask"].astype(bool)
        moves = lambda name: train and name not in self.frozen
        y = self._embedded(x["ids"], there)
        y = LayerNorm(self.epsilon, name="norm")(y)
        y = nn.Dropout(self.dropout, deterministic=not moves("words"))(y)
        if self.dtype is not None:
            y = y.astype(self.dtype)
        layer = attention.layer(self.rematerialize)
        for number in range(self.layers):
            name = f"layer_{number}"
            y = layer(
                self.heads,
                self.intermediate,
                self.epsilon,
                self.activation,
                False,
                self.dropout,
                self.dtype,
                name=name,
            )(y, there, moves(name))
        y = self._pooled(exact(y), there)
        if self.features:
            y = nn.Dense(self.features, name="projection")(y)
        return y

    def _embedded(self, ids: jax.Array, there: jax.Array) -> jax.Array:
        def embed(name: str, size: int) -> nn.Embed:
            return nn.Embed(
                size, self.width, embedding_init=attention.INITIAL, name=name
            )

        known = (ids >= 0) & (ids < self.vocabulary)
        y = embed("words", self.vocabulary)(jnp.where(known, ids, 0))
        # A token that the vocabulary lacks stops the training by its NaN.
        y = jnp.where((there & ~known)[..., None], jnp.nan, y)
        if self.offset:
            # As RoBERTa does, which numbers those that are there.
            number = jnp.cumsum(there, axis=1, dtype=jnp.int32) - 1
            number = jnp.where(there, number + self.offset, self.offset - 1)
        else:
            number = jnp.broadcast_to(jnp.arange(ids.shape[1]), ids.shape)
        y = y + embed("positions", self.positions)(number)
        if self.types:
            y = y + embed("types", self.types)(jnp.zeros_like(number))
        return y

    def _pooled(self, y: jax.Array, there: jax.Array) -> jax.Array:
        if self.pooling == "mean":
            weight = there.astype(y.dtype)[..., None]
            # A text without tokens is a zero.
            total = jnp.maximum(weight.sum(axis=1), 1.0)
            return (y * weight).sum(axis=1) / total
        y = y[:, 0]
        if self.pooling == "pooler":
            dense = nn.Dense(
                self.width, kernel_init=attention.INITIAL, name="pooler"
            )
            y = jnp.tanh(dense(y))
        return y


def encoder(
    shape: Mapping[str, jax.ShapeDtypeStruct],
    *,
    vocabulary: int = 30_522,
    positions: int = 512,
    types: int = 2,
    offset: int = 0,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    intermediate: int = 3072,
    epsilon: float = 1e-12,
    activation: str = "gelu",
    pooling: str = "first",
    features: int = 0,
    dropout: float = 0.0,
    dtype: str = "float32",
    rematerialize: bool = False,
    frozen: tuple[str, ...] = (),
) -> BERT:
    """Texts as token ids and a mask; sizes are those of BERT-base.

    Args:
      shape: `ids` and `mask`, of one length.
      vocabulary: Number of tokens.
      positions: Number of positions.
      types: Number of types of tokens, of which all have the first; 0 for none.
      offset: Number of the first position where only tokens that are there are
        numbered, 2 in RoBERTa; 0 where all are, from 0 on.
      width: Width of the layers.
      layers: Number of layers.
      heads: Number of heads of attention.
      intermediate: Width between the dense layers.
      epsilon: That of the normalisations.
      activation: "gelu", "gelu_tanh", its approximation, or "relu".
      pooling: What stands for a text: "first", its first token; "mean", of its
        tokens; or "pooler", BERT's dense layer and tanh on the first one.
      features: Width of a linear layer behind it; 0 for none.
      dropout: Share that is left out in training, of embeddings, attention
        weights and outputs of layers.
      dtype: Type that products are computed in, "float32" or "bfloat16".
      rematerialize: Compute the inside of layers again on the way back, rather
        than keep it.
      frozen: Modules that stay as they are: they have no dropout.

    Raises:
      InputError: No `ids` and `mask`, texts that are too long, or options that
        are unknown or do not fit.
    """
    length = texts_length("bert", shape)
    check_choice("pooling", pooling, POOLINGS)
    attention.check("bert", width, heads, activation, epsilon)
    check_sizes("bert", 1, vocabulary=vocabulary, intermediate=intermediate)
    check_sizes(
        "bert", 0, layers=layers, types=types, offset=offset, features=features
    )
    check_dropout("bert", dropout)
    if length + offset > positions:
        raise InputError(
            f"bert has {positions} positions, of which {offset} have no token; "
            f"the texts have {length} tokens"
        )
    return BERT(
        vocabulary,
        positions,
        types,
        offset,
        width,
        layers,
        heads,
        intermediate,
        epsilon,
        activation,
        pooling,
        features,
        dropout,
        computing_dtype(dtype),
        rematerialize,
        tuple(frozen),
    )
