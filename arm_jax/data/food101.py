"""UPMC Food-101: which dish? A photograph and the title of its web page.

Wang, Kumar, Thome, Cord, Precioso, Recipe recognition with large multimodal
food dataset, ICME Workshops 2015: about 90,000 images of 101 dishes, found by a
web search for the dish's name, so that labels are noisy. `docs/food101.md` says
where the files come from; `python -m experiments.prepare` makes records of
them, which `load` reads.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.data import food101_index, packed, preparation, storage
from arm_jax.data.dataset import Dataset, Split, checked
from arm_jax.data.options import typed
from arm_jax.data.preparation import Index, Prepared, files, images, titles
from arm_jax.data.preparation.items import carve
from arm_jax.data.source import Example, Source
from arm_jax.errors import InputError

_NAME = "food101"
# Another number for records that are made another way.
_FORMAT = 1


def index(*, path: str = "", classes: Sequence[str] = ()) -> Index:
    """Returns what there is to prepare; see `food101_index.index`."""
    return food101_index.index(path, classes)


def prepare(
    index: Index,
    *,
    vocabulary: str = "",
    data_dir: str = "",
    short_side: int = 256,
    max_skipped: float = 0.1,
    classes: Sequence[str] = (),
    **how: Any,
) -> Prepared:
    """Makes records of what the index found.

    Args:
      index: What the function `index` returned.
      vocabulary: See `load`.
      data_dir: See `load`.
      short_side: See `load`.
      max_skipped: See `load`.
      classes: See `load`.
      **how: Arguments of `preparation.prepare`, such as `processes`.

    Raises:
      InputError: No vocabulary, or what `preparation.prepare` refuses.
    """
    if not vocabulary:
        raise InputError(
            "data set food101 needs the option 'vocabulary' "
            "(--config.data.options.vocabulary=FILE), the vocab.txt or "
            "tokenizer.json of a BERT"
        )
    # What is missing is said before processes are started.
    images.library()
    titles.tokenizer(vocabulary)
    options = _options(short_side, classes)
    options["vocabulary"] = titles.digest(vocabulary)
    file = str(packed.expanded(vocabulary).absolute())
    plan = preparation.Plan(
        _NAME,
        index,
        functools.partial(encode, short_side=short_side, vocabulary=file),
        options,
        storage.folder(_NAME, data_dir),
        max_skipped,
    )
    return preparation.prepare(plan, **how)


@typed
def load(
    *,
    path: str = "",
    data_dir: str = "",
    vocabulary: str = "",
    short_side: int = 256,
    size: int = 224,
    length: int = 40,
    validation: float = 0.1,
    seed: int = 0,
    classes: Sequence[str] = (),
    max_skipped: float = 0.1,
) -> Dataset:
    """Loads what was prepared; the files themselves are not needed any more.

    Args:
      path: the folder that is prepared; `load` does not look at it.
      data_dir: where prepared data sets are kept; empty for TFDS's place (the
        variable TFDS_DATA_DIR, or ~/tensorflow_datasets).
      vocabulary: the vocab.txt or tokenizer.json of a BERT, to prepare with;
        `load` checks that it is the one, if it is given.
      short_side: pixels of the shorter side of the images that are kept.
      size: pixels of a side of the crops that are trained on: from anywhere,
        mirrored or not, in training; else from the middle.
      length: tokens of a title, of which [CLS] and [SEP] are two.
      validation: share of the training images that are for validation, drawn by
        class.
      seed: random seed of that draw.
      classes: the classes to prepare, in the order of their labels; empty for
        all, by name.
      max_skipped: largest share of the files that may be unusable.

    Returns:
      Modalities `image`, bytes [size, size, 3], and `text`, ids and mask
      [length]; `id` is the place in the index.

    Raises:
      InputError: Nothing is prepared, or with other options; crops larger than
        the images; records that are damaged.
    """
    del path, max_skipped
    if not 1 <= size <= short_side:
        raise InputError(
            f"data set food101: size must be in 1..{short_side} (short_side), "
            f"got {size}"
        )
    if length < 3:
        raise InputError(
            f"data set food101: length must be at least 3, got {length}"
        )
    if not 0 < validation < 1:
        raise InputError(
            "data set food101: validation must be above 0 and below 1, got "
            f"{validation}"
        )
    images.library()
    options = _options(short_side, classes)
    if vocabulary:
        options["vocabulary"] = titles.digest(vocabulary)
    folder = storage.folder(_NAME, data_dir)
    prepared = preparation.opened(_NAME, folder, options)
    source = Source(
        prepared.records(),
        functools.partial(decode, length=length),
        prepared.digest,
        settle=functools.partial(settle, size=size),
    )
    train = np.array([row.split == "train" for row in prepared.rows], bool)
    drawn = np.zeros_like(train)
    keys = [row.key for row in prepared.rows if row.split == "train"]
    # By class alone: of an image nobody knows the page it was on.
    none = [""] * len(keys)
    labels = prepared.labels
    drawn[train] = carve(keys, labels[train], none, validation, seed)
    whole = Split(source, labels, prepared.ids)
    settled = {"validation": whole.where(drawn), "test": whole.where(~train)}
    cropped = functools.partial(augment, size=size)
    whole = dataclasses.replace(
        whole, inputs=dataclasses.replace(source, augment=cropped)
    )
    splits = {"train": whole.where(train & ~drawn), **settled}
    return checked(Dataset(_NAME, prepared.class_names, splits))


def _options(short_side: int, classes: Sequence[str]) -> dict[str, Any]:
    """What records depend on, but for the vocabulary."""
    if short_side < 1:
        raise InputError(
            f"data set food101: short_side must be positive, got {short_side}"
        )
    return {
        "format": _FORMAT,
        "short_side": short_side,
        "classes": list(classes),
    }


def encode(
    source: tuple[str, str], *, short_side: int, vocabulary: str
) -> dict[str, Any]:
    """Returns the record of an image and its title.

    Raises:
      Unusable: An image that cannot be decoded.
    """
    path, title = source
    return {
        "jpeg": images.jpeg(files.content(Path(path)), short_side),
        "title": title,
        "ids": titles.token_ids(title, vocabulary),
    }


def decode(record: Mapping[str, Any], *, length: int) -> dict[str, Any]:
    """Returns the whole image and the title of a record."""
    return {
        "image": images.pixels(record["jpeg"]),
        "text": titles.padded(record["ids"], length),
    }


def augment(
    example: Example, rng: np.random.Generator, *, size: int
) -> Example:
    """Returns an example with a part of its image, mirrored or not."""
    return {**example, "image": images.random_crop(example["image"], size, rng)}


def settle(example: Example, *, size: int) -> Example:
    """Returns an example with the middle of its image."""
    return {**example, "image": images.center_crop(example["image"], size)}
