"""Prepares and loads a data set of clips, whatever its index is."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arm_jax.data import preparation, storage
from arm_jax.data.clips import protocols
from arm_jax.data.clips.stored import Stored, encode, hints
from arm_jax.data.clips.views import View
from arm_jax.data.dataset import Dataset, Split, checked
from arm_jax.data.preparation import Index, Prepared, fbank, images, video
from arm_jax.data.source import Source
from arm_jax.errors import InputError, check_choice


def checked_modalities(
    name: str, modalities: Sequence[str], known: Sequence[str]
) -> tuple[str, ...]:
    """Returns the modalities that an option names.

    Raises:
      InputError: None, one twice, or one that the data set does not have.
    """
    for modality in modalities:
        check_choice(f"data set {name}: modalities", modality, known)
    if not modalities or len(set(modalities)) < len(modalities):
        raise InputError(
            f"data set {name}: modalities must name each once, got "
            f"{', '.join(modalities) or 'none'}"
        )
    return tuple(sorted(modalities))


def prepare(
    index: Index,
    stored: Stored,
    classes: Sequence[str],
    *,
    data_dir: str,
    max_skipped: float,
    further: Mapping[str, Any],
    how: Mapping[str, Any],
) -> Prepared:
    """Makes records of what an index found.

    Args:
      index: Its items have a `Media` each.
      stored: What is kept of a clip.
      classes: The classes that the index was asked for.
      data_dir: Where prepared data sets are kept.
      max_skipped: Largest share of the clips that may be unusable.
      further: Options of the data set that decide which clips there are.
      how: Arguments of `preparation.prepare`, such as `processes`.

    Raises:
      InputError: What `preparation.prepare` refuses.
    """
    # What is missing is said before processes are started.
    images.library()
    video.library()
    plan = preparation.Plan(
        stored.name,
        index,
        functools.partial(encode, stored=stored),
        {
            "modalities": list(stored.modalities),
            "classes": list(classes),
            **stored.options(),
            **further,
        },
        storage.folder(stored.name, data_dir),
        max_skipped,
        hints=hints(stored.modalities),
    )
    return preparation.prepare(plan, **how)


def load(
    stored: Stored,
    classes: Sequence[str],
    *,
    frames: int,
    size: int,
    rows: int,
    crop: float,
    split: str,
    validation: float,
    seed: int,
    data_dir: str,
    group: str,
    further: Mapping[str, Any],
    fold: int = 1,
    config: str = "",
) -> Dataset:
    """Loads what was prepared; the files themselves are not needed any more.

    Args:
      stored: What is kept of a clip; of more modalities, these are taken.
      classes: The classes that were prepared.
      frames: Number of frames that an example has.
      size: Pixels of their sides.
      rows: Rows of a filter bank.
      crop: Smallest share of a picture's area that training sees.
      split: The protocol; see `protocols`.
      validation: Share of the training clips that is for validation.
      seed: Random seed of draws.
      data_dir: Where prepared data sets are kept.
      group: What clips are grouped by, such as "actor".
      further: Options of the data set that decided which clips there are, as
        far as the protocol cares.
      fold: Which of the words is meant where lists say several of each clip.
      config: Name of the config, where it is not that of the data set.

    Raises:
      InputError: Nothing is prepared, or with other options; more frames than
        are stored, or larger ones; records that are damaged.
    """
    name = stored.name
    for key, value, most, of in (
        ("frames", frames, stored.frames, "stored_frames"),
        ("size", size, stored.short_side, "short_side"),
        ("rows", rows, fbank.ROWS, "10 ms each"),
    ):
        if not 1 <= value <= most:
            raise InputError(
                f"data set {name}: {key} must be in 1..{most} ({of}), got "
                f"{value}"
            )
    if not 0 < crop <= 1:
        raise InputError(
            f"data set {name}: crop must be above 0 and at most 1, got {crop}"
        )
    images.library()
    options = {"classes": list(classes), **stored.options(), **further}
    folder = storage.folder(name, data_dir)
    prepared = preparation.opened(name, folder, {}, config)
    for modality in stored.modalities:
        if modality not in prepared.options.get("modalities", ()):
            raise InputError(
                f"data set {name}: {folder} was prepared without {modality}; "
                "prepare these modalities in another folder, by "
                "--config.data.options.data_dir=FOLDER"
            )
    preparation.check_options(name, folder, prepared.options, options)
    view = View(stored.modalities, frames, size, stored.audio, rows, crop)
    clips = prepared.rows
    masks = protocols.divided(
        name,
        [clip.key for clip in clips],
        prepared.labels,
        [clip.group for clip in clips],
        [_word(clip.split, fold) for clip in clips],
        split=split,
        validation=validation,
        seed=seed,
    )
    codes = np.unique([x.group for x in clips], return_inverse=True)[1]
    splits = {}
    records = prepared.records()
    for word, mask in masks.items():
        source = Source(
            records,
            _as_it_is,
            prepared.digest,
            augment=view.augment if word == "train" else None,
            settle=view.settle,
        )
        groups = {group: codes.astype(np.int32)}
        whole = Split(source, prepared.labels, prepared.ids, groups)
        splits[word] = whole.where(mask)
    return checked(Dataset(name, prepared.class_names, splits))


def _word(split: str, fold: int) -> str:
    words = split.split()
    return words[fold - 1] if len(words) >= fold else ""


def _as_it_is(record: Any) -> Any:
    """Returns a record: which frames are decoded is up to the view."""
    return record
