"""Whether the tokens of texts are those that an encoder knows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from arm_jax.data import presence
from arm_jax.data.dataset import Dataset
from arm_jax.data.source import Source
from arm_jax.errors import InputError

# Of a source, the first training examples: reading all would take too long,
# and a token of the others that is not known makes the loss NaN.
_LOOKED_AT = 64


def check(dataset: Dataset, modality: str, size: int, where: str) -> None:
    """Checks that tokens are numbers below the size of a vocabulary.

    Args:
      dataset: The data set.
      modality: Texts as `ids` and `mask`; anything else is not looked at.
      size: Number of tokens that the encoder knows.
      where: What knows them, for the message.

    Raises:
      InputError: One is not.
    """
    for name, split in dataset.splits.items():
        texts: Any
        if not isinstance(split.inputs, Source):
            texts = split.inputs[modality]
        elif name == "train":
            first = np.arange(min(len(split), _LOOKED_AT))
            texts = split.inputs.take(first)[modality]
        else:
            continue
        if not (isinstance(texts, Mapping) and {"ids", "mask"} <= set(texts)):
            return
        ids = np.asarray(texts["ids"])
        there = np.asarray(texts["mask"]).astype(bool)
        if split.present is not None:
            # What stands in the place of a text that is missing is no text.
            has = presence.of(split, modality)[: len(there)]
            there &= has[:, None]
        bad = there & ((ids < 0) | (ids >= size))
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise InputError(
                f"{where} knows {size} tokens, but {modality} has the token "
                f"{ids[row, column]} (split '{name}', example {row}, position "
                f"{column}): prepare the texts with the vocabulary that the "
                "encoder is for"
            )
