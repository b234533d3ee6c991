"""Kinetics-Sounds: what is done? Ten seconds of video and their sound.

Arandjelovic, Zisserman, Look, listen and learn, ICCV 2017: those classes of
Kinetics (Kay et al., arXiv 1705.06950) that are seen and heard.
`docs/kinetics_sounds.md` says where the files come from, and what the lists of
classes are; `python -m experiments.prepare` makes records of them, which `load`
reads.
"""

from collections.abc import Sequence
from typing import Any

from arm_jax.data.clips import kinetics_sounds_index, loading, protocols
from arm_jax.data.clips.stored import Stored
from arm_jax.data.dataset import Dataset
from arm_jax.data.options import typed
from arm_jax.data.preparation import Index, Prepared
from arm_jax.errors import check_choice

_NAME = kinetics_sounds_index.NAME
MODALITIES = ("audio", "video")
SPLITS = ("official", "ogm", protocols.RANDOM, protocols.LEAKING)


def index(
    *,
    path: str = "",
    lists: str = "",
    classes: Sequence[str] = ("arm31",),
    split: str = "official",
) -> Index:
    """Returns what there is to prepare; see `kinetics_sounds_index.index`."""
    check_choice(f"data set {_NAME}: split", split, SPLITS)
    return kinetics_sounds_index.index(path, lists, classes, split)


def prepare(
    index: Index,
    *,
    data_dir: str = "",
    classes: Sequence[str] = ("arm31",),
    split: str = "official",
    modalities: Sequence[str] = MODALITIES,
    stored_frames: int = 10,
    short_side: int = 256,
    seconds: float = 10.0,
    audio: str = "fbank",
    missing_audio: str = "drop",
    max_skipped: float = 0.1,
    **how: Any,
) -> Prepared:
    """Makes records of what the index found; see `load` for the options.

    Args:
      index: What the function `index` returned.
      data_dir: See `load`.
      classes: See `load`.
      split: See `load`.
      modalities: See `load`.
      stored_frames: See `load`.
      short_side: See `load`.
      seconds: See `load`.
      audio: See `load`.
      missing_audio: See `load`.
      max_skipped: See `load`.
      **how: Arguments of `preparation.prepare`, such as `processes`.

    Raises:
      InputError: What `preparation.prepare` refuses.
    """
    stored = Stored(
        _NAME,
        loading.checked_modalities(_NAME, modalities, MODALITIES),
        stored_frames,
        short_side,
        seconds,
        audio,
        missing_audio,
    )
    return loading.prepare(
        index,
        stored,
        classes,
        data_dir=data_dir,
        max_skipped=max_skipped,
        further=_further(split),
        how=how,
    )


@typed
def load(
    *,
    path: str = "",
    lists: str = "",
    data_dir: str = "",
    classes: Sequence[str] = ("arm31",),
    split: str = "official",
    modalities: Sequence[str] = MODALITIES,
    stored_frames: int = 10,
    short_side: int = 256,
    seconds: float = 10.0,
    audio: str = "fbank",
    missing_audio: str = "drop",
    frames: int = 3,
    size: int = 224,
    rows: int = 1024,
    crop: float = 0.08,
    validation: float = 0.1,
    seed: int = 0,
    max_skipped: float = 0.1,
) -> Dataset:
    """Loads what was prepared; the files themselves are not needed any more.

    Args:
      path: the folder that is prepared; `load` does not look at it.
      lists: the folder of the lists, if it is another one.
      data_dir: where prepared data sets are kept; empty for TFDS's place (the
        variable TFDS_DATA_DIR, or ~/tensorflow_datasets).
      classes: a list of classes: "arm31" (ARM's released configs), "adamml31"
        (AdaMML, OGM-GE and most others), "crisscross32"; or classes of them, in
        the order of their labels.
      split: what is for testing: "official", Kinetics' validation clips; "ogm",
        OGM-GE's lists, which test on clips of Kinetics' test split; "random", a
        fifth of the videos; "leaking_random_by_clip", a fifth of the clips,
        whatever video they are from.
      modalities: those to prepare, or to train on, of "audio" and "video".
      stored_frames: frames that are kept of a clip, evenly spaced.
      short_side: pixels of the shorter side of the frames that are kept.
      seconds: of longer clips, so many from the beginning.
      audio: "fbank", Kaldi's filter bank of 128 bands, 1024 rows of 10 ms; or
        "spectrogram", of 3 s (see `preparation.spectrogram`).
      missing_audio: clips without sound: "drop", or "zeros", silence.
      frames: frames that an example has, one of each of so many parts.
      size: pixels of a side of the crops that are trained on.
      rows: rows of 10 ms that the filter bank is padded or cut to.
      crop: smallest share of a picture's area that training sees.
      validation: share of the training clips that is for validation, drawn by
        class and video.
      seed: random seed of draws.
      max_skipped: largest share of the clips that may be unusable.

    Returns:
      Modalities `audio`, float32 [rows, 128, 1], and `video`, bytes [frames,
      size, size, 3]; `id` is the place in the index; clips of one YouTube video
      are a group.

    Raises:
      InputError: Nothing is prepared, or with other options; records that are
        damaged.
    """
    del path, lists, max_skipped
    check_choice(f"data set {_NAME}: split", split, SPLITS)
    stored = Stored(
        _NAME,
        loading.checked_modalities(_NAME, modalities, MODALITIES),
        stored_frames,
        short_side,
        seconds,
        audio,
        missing_audio,
    )
    return loading.load(
        stored,
        classes,
        frames=frames,
        size=size,
        rows=rows,
        crop=crop,
        split=split,
        validation=validation,
        seed=seed,
        data_dir=data_dir,
        group="youtube_id",
        further=_further(split),
    )


def _further(split: str) -> dict[str, str]:
    """What decides which clips there are, beside the classes."""
    return {"lists": "ogm" if split == "ogm" else "official"}
