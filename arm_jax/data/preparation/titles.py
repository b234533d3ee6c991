"""Texts as WordPiece token ids. Needs the extra `media`."""

import functools
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.data import packed
from arm_jax.data.preparation import files
from arm_jax.errors import InputError

# Tokens of a text that are kept; less is cut off when it is read.
MOST_TOKENS = 512
_NEEDED = ("[UNK]", "[CLS]", "[SEP]")


@functools.lru_cache(maxsize=2)
def tokenizer(vocabulary: str) -> Any:
    """Returns the tokenizer of a vocabulary.

    Args:
      vocabulary: BERT's `vocab.txt`, one token a line, whose texts are put in
        lower case; or a `tokenizer.json`, which says that itself.

    Raises:
      InputError: A missing package, or a file that is no such vocabulary.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise InputError(
            "texts need the package tokenizers: pip install 'arm-jax[media]'"
        ) from error
    file = packed.expanded(vocabulary)
    content = files.text(file)
    if file.suffix == ".json":
        try:
            made = tokenizers.Tokenizer.from_str(content)
        # The library raises nothing narrower.
        except Exception as error:
            raise InputError(
                f"{file} is no tokenizer.json of the tokenizers library: "
                f"{str(error)[:100]}"
            ) from error
    else:
        # In the order of the lines, which are the ids.
        lines = content.replace("\r\n", "\n").rstrip("\n").split("\n")
        tokens = {token.strip(): i for i, token in enumerate(lines)}
        if lacking := [token for token in _NEEDED if token not in tokens]:
            raise InputError(
                f"{file} is no WordPiece vocabulary, one token a line: it has "
                f"no {', '.join(lacking)}"
            )
        made = tokenizers.BertWordPieceTokenizer(tokens, lowercase=True)
    made.no_padding()
    made.enable_truncation(MOST_TOKENS)
    if len(made.encode("").ids) != 2:
        raise InputError(
            f"{file} puts no [CLS] before and [SEP] behind a text; save it "
            "with BERT's post-processor, or give the vocab.txt"
        )
    return made


def token_ids(text: str, vocabulary: str) -> np.ndarray:
    """Returns the ids of a text's tokens, from [CLS] to [SEP], int32 `[m]`."""
    return np.array(tokenizer(vocabulary).encode(text).ids, np.int32)


def padded(ids: np.ndarray, length: int) -> dict[str, np.ndarray]:
    """Returns `ids`, int32, and `mask`, bool, both `[length]`.

    Of a longer text the first tokens and the last one, [SEP], are kept.
    """
    if len(ids) > length:
        ids = np.concatenate([ids[: length - 1], ids[-1:]])
    there = np.arange(length) < len(ids)
    return {"ids": np.pad(ids, (0, length - len(ids))), "mask": there}


def digest(vocabulary: str) -> str:
    """Returns 12 hexadecimal digits that tell a vocabulary's content.

    Raises:
      InputError: A file that cannot be read.
    """
    text = files.text(Path(packed.expanded(vocabulary)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
