"""UCF-101, and its 51 classes with sound: what is done? Video, flow, sound.

Soomro, Zamir, Shah, UCF101: a dataset of 101 human action classes from videos
in the wild, arXiv 1212.0402. `docs/ucf.md` says where the files come from;
`python -m experiments.prepare` makes records of them, which `load` reads.
"""

from collections.abc import Sequence
from typing import Any

from arm_jax.data.clips import loading, protocols, ucf_index
from arm_jax.data.clips.stored import Stored
from arm_jax.data.dataset import Dataset
from arm_jax.data.options import typed
from arm_jax.data.preparation import Index, Prepared
from arm_jax.errors import InputError, check_choice

_NAME = ucf_index.NAME
MODALITIES = ("audio", "flow", "video")
SPLITS = ("official", protocols.RANDOM, protocols.LEAKING)


def index(
    *,
    path: str = "",
    lists: str = "",
    flow_path: str = "",
    classes: Sequence[str] = ("ucf51",),
    split: str = "official",
    modalities: Sequence[str] = ("flow", "video"),
    flow: str = "archive",
) -> Index:
    """Returns what there is to prepare; see `ucf_index.index`."""
    check_choice(f"data set {_NAME}: split", split, SPLITS)
    wanted = loading.checked_modalities(_NAME, modalities, MODALITIES)
    archived = "flow" in wanted and flow == "archive"
    if flow_path and not archived:
        raise InputError(
            f"data set {_NAME}: flow_path is {flow_path!r}, but no flow is "
            f"read from there: modalities are {list(wanted)}, flow is {flow!r}"
        )
    return ucf_index.index(
        path,
        lists,
        flow_path,
        classes,
        needs_lists=split == "official",
        needs_flow=archived,
    )


def prepare(
    index: Index,
    *,
    data_dir: str = "",
    classes: Sequence[str] = ("ucf51",),
    modalities: Sequence[str] = ("flow", "video"),
    stored_frames: int = 10,
    short_side: int = 256,
    seconds: float = 10.0,
    audio: str = "fbank",
    missing_audio: str = "drop",
    flow: str = "archive",
    max_skipped: float = 0.1,
    **how: Any,
) -> Prepared:
    """Makes records of what the index found; see `load` for the options.

    Args:
      index: What the function `index` returned.
      data_dir: See `load`.
      classes: See `load`.
      modalities: See `load`.
      stored_frames: See `load`.
      short_side: See `load`.
      seconds: See `load`.
      audio: See `load`.
      missing_audio: See `load`.
      flow: See `load`.
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
        flow,
    )
    return loading.prepare(
        index,
        stored,
        classes,
        data_dir=data_dir,
        max_skipped=max_skipped,
        further={},
        how=how,
    )


@typed
def load(
    *,
    path: str = "",
    lists: str = "",
    flow_path: str = "",
    data_dir: str = "",
    classes: Sequence[str] = ("ucf51",),
    split: str = "official",
    fold: int = 1,
    modalities: Sequence[str] = ("flow", "video"),
    stored_frames: int = 10,
    short_side: int = 256,
    seconds: float = 10.0,
    audio: str = "fbank",
    missing_audio: str = "drop",
    flow: str = "archive",
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
      lists: the folder of the official lists, if it is another one.
      flow_path: the folder of u/ and v/, if it is another one; for images of
        flow only.
      data_dir: where prepared data sets are kept; empty for TFDS's place (the
        variable TFDS_DATA_DIR, or ~/tensorflow_datasets).
      classes: "ucf51", those with sound, "ucf101", or classes of them, in the
        order of their labels.
      split: what is for testing: "official"; "random", a fifth of the groups,
        which are the source videos; "leaking_random_by_clip", a fifth of the
        clips, whatever video they are cut from.
      fold: which of the three official splits; 1 with another split.
      modalities: those to prepare, or to train on, of "audio", "flow", "video".
      stored_frames: frames, and pairs of frames, that are kept of a clip,
        evenly spaced.
      short_side: pixels of the shorter side of what is kept.
      seconds: of longer clips, so many from the beginning.
      audio: "fbank", Kaldi's filter bank of 128 bands, 1024 rows of 10 ms; or
        "spectrogram", of 3 s (see `preparation.spectrogram`).
      missing_audio: clips without sound: "drop", or "zeros", silence.
      flow: "archive", images of u and v; or "tvl1", computed from the videos.
      frames: frames that an example has, one of each of so many parts.
      size: pixels of a side of the crops that are trained on.
      rows: rows of 10 ms that the filter bank is padded or cut to.
      crop: smallest share of a picture's area that training sees.
      validation: share of the training clips that is for validation, drawn by
        class and group.
      seed: random seed of draws.
      max_skipped: largest share of the clips that may be unusable.

    Returns:
      Modalities `audio`, float32 [rows, 128, 1], `flow`, bytes [frames, size,
      size, 2], and `video`, bytes [frames, size, size, 3]; `id` is the place in
      the index; clips of one source video are a group.

    Raises:
      InputError: Nothing is prepared, or with other options; records that are
        damaged.
    """
    del path, lists, flow_path, max_skipped
    check_choice(f"data set {_NAME}: split", split, SPLITS)
    if not 1 <= fold <= ucf_index.FOLDS:
        raise InputError(
            f"data set {_NAME}: fold must be in 1..{ucf_index.FOLDS}, got "
            f"{fold}"
        )
    if fold > 1 and split != "official":
        raise InputError(
            f"data set {_NAME}: fold is {fold}, of the official split; split "
            f"is {split!r}: another seed draws another one"
        )
    stored = Stored(
        _NAME,
        loading.checked_modalities(_NAME, modalities, MODALITIES),
        stored_frames,
        short_side,
        seconds,
        audio,
        missing_audio,
        flow,
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
        group="source_video",
        further={},
        fold=fold,
        config="ucf51",
    )
