"""A bag of tokens: the mean of their embeddings, and hidden layers.

For texts as `{"ids": [length], "mask": [length]}`: numbers of tokens, and which
of them are there. The order of the tokens does not matter. A token outside the
vocabulary makes the features NaN.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.models.encoders.inputs import (
    check_dropout,
    check_sizes,
    texts_length,
)


class Tokens(nn.Module):
    """Embeddings, their mean over the tokens that are there, and an MLP."""

    vocabulary: int
    hidden: tuple[int, ...]
    features: int
    dropout: float

    @nn.compact
    def __call__(self, x: Mapping[str, jax.Array], *, train: bool) -> jax.Array:
        """Features `[batch, features]` of ids and mask, `[batch, length]`."""
        embed = nn.Embed(self.vocabulary, self.features, name="embedding")
        known = (x["ids"] >= 0) & (x["ids"] < self.vocabulary)
        embedded = embed(jnp.where(known, x["ids"], 0))
        there = x["mask"].astype(embedded.dtype)[..., None]
        # A token that the vocabulary lacks stops the training by its NaN.
        lacking = ~known[..., None] & (there > 0)
        embedded = jnp.where(lacking, jnp.nan, embedded)
        # A text without tokens is a zero.
        y = (embedded * there).sum(axis=1) / jnp.maximum(there.sum(axis=1), 1.0)
        for width in self.hidden:
            y = nn.gelu(nn.Dense(width)(y))
            y = nn.Dropout(self.dropout, deterministic=not train)(y)
        return nn.gelu(nn.Dense(self.features)(y))


def encoder(
    shape: Mapping[str, jax.ShapeDtypeStruct],
    *,
    vocabulary: int = 30_522,
    hidden: tuple[int, ...] = (64,),
    features: int = 64,
    dropout: float = 0.0,
) -> Tokens:
    """Texts as token ids and a mask.

    Args:
      shape: `ids` and `mask`, of one length.
      vocabulary: Number of tokens; that of BERT's is the default.
      hidden: Widths of the hidden layers.
      features: Width of the embeddings and of the features.
      dropout: Share of hidden units that are left out in training.

    Raises:
      InputError: No `ids` and `mask`, or not of one length; or options that
        cannot be.
    """
    texts_length("tokens", shape)
    hidden = tuple(hidden)
    check_sizes(
        "tokens", 1, vocabulary=vocabulary, hidden=hidden, features=features
    )
    check_dropout("tokens", dropout)
    return Tokens(vocabulary, hidden, features, dropout)
