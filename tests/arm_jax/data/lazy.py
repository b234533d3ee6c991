"""A data set from outside: images and texts that are decoded late."""

import numpy as np

from arm_jax.data import Dataset, Source, Split

SIZES = {"train": 60, "validation": 20, "test": 20}
_STARTS = {"train": 0, "validation": 60, "test": 80}


class Records:
    """Numbers, which stand for files."""

    def __init__(self, start, size):
        self.start, self.size = start, size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if not 0 <= index < self.size:
            raise IndexError(index)
        return self.start + int(index)


def decode(record):
    rng = np.random.default_rng(record)
    label = record % 3
    image = rng.integers(0, 60, (8, 8, 3), dtype=np.uint8)
    image[2 * label] += 150
    length = int(rng.integers(1, 5))
    ids = rng.integers(3, 20, 6, dtype=np.int32)
    ids[0] = label
    return {
        "image": image,
        "text": {"ids": ids, "mask": np.arange(6) < length},
    }


def flip(example, rng):
    if rng.random() < 0.5:
        return {**example, "image": example["image"][:, ::-1]}
    return example


def load(*, augment: bool = True) -> Dataset:
    splits = {
        name: Split(
            inputs=Source(
                Records(_STARTS[name], size),
                decode,
                "made for the tests",
                flip if augment else None,
            ),
            label=(_STARTS[name] + np.arange(size, dtype=np.int32)) % 3,
            id=np.arange(size, dtype=np.int32),
        )
        for name, size in SIZES.items()
    }
    return Dataset("lazy", ("0", "1", "2"), splits)
