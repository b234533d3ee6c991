import dataclasses

import numpy as np
import pytest

from arm_jax import vocabulary
from arm_jax.data import Dataset, Source, Split
from arm_jax.errors import InputError


def split_of(ids, mask=None):
    ids = np.asarray(ids, np.int32)
    mask = np.ones(ids.shape, bool) if mask is None else np.asarray(mask, bool)
    rows = np.arange(len(ids), dtype=np.int32)
    return Split({"text": {"ids": ids, "mask": mask}}, rows % 2, rows)


def dataset_of(train, test):
    splits = {"train": train, "validation": train, "test": test}
    return Dataset("texts", ("no", "yes"), splits)


GOOD = split_of([[1, 8], [2, 0]])


@pytest.mark.parametrize("bad", [9, -1])
def test_tokens_that_are_not_known(bad):
    vocabulary.check(dataset_of(GOOD, GOOD), "text", 9, "bert")
    lacking = split_of([[1, 8], [2, bad]])
    with pytest.raises(
        InputError,
        match=rf"^bert knows 9 tokens, but text has the token {bad} "
        r"\(split 'test', example 1, position 1\): prepare the texts",
    ):
        vocabulary.check(dataset_of(GOOD, lacking), "text", 9, "bert")
    # Another form of texts is that of somebody's own encoder.
    rows = np.arange(2, dtype=np.int32)
    own = Split({"text": np.full((2, 3), 99)}, rows, rows)
    vocabulary.check(dataset_of(own, own), "text", 9, "own")
    # What is masked is no token.
    masked = split_of([[1, 8], [2, bad]], [[1, 1], [1, 0]])
    vocabulary.check(dataset_of(GOOD, masked), "text", 9, "bert")


def test_what_stands_for_a_missing_text_is_no_token():
    present = np.array([[1, 1], [1, 0]], np.float32)
    texts = split_of([[1, 8], [99, -1]])
    inputs = {"image": np.zeros((2, 3), np.float32), **texts.inputs}
    lacking = dataclasses.replace(texts, inputs=inputs, present=present)
    vocabulary.check(dataset_of(lacking, lacking), "text", 9, "bert")
    with pytest.raises(InputError, match="bert knows 8 tokens"):
        vocabulary.check(dataset_of(lacking, lacking), "text", 8, "bert")


def test_of_a_source_the_first_training_examples_are_looked_at():
    read = []

    def decode(record):
        read.append(record)
        ids = np.array([record], np.int32)
        return {"text": {"ids": ids, "mask": np.ones(1, bool)}}

    def of(numbers):
        source = Source(numbers, decode, "digest")
        rows = np.arange(len(numbers), dtype=np.int32)
        return dataclasses.replace(
            split_of([[1]]), inputs=source, label=rows % 2, id=rows
        )

    dataset = dataset_of(of(list(range(100))), of([1000]))
    vocabulary.check(dataset, "text", 64, "bert")
    assert set(read) == set(range(64))
    with pytest.raises(InputError, match=r"the token 63 .split 'train'"):
        vocabulary.check(dataset, "text", 63, "bert")
