"""Which digit is it? An image (MNIST) and a spoken digit (FSDD).

Z. Jackson et al., Free Spoken Digit Dataset, 3,000 recordings of 6 speakers;
LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document
recognition, Proc. IEEE 1998. Paired by label only, as AV-MNIST is: image and
sound are independent given the label. 12,000 pairs for training, 2,000 for
validation, 3,000 for testing, class balanced; no image is in two pairs, but
recordings are: count the recordings as the sample size of the sound.

Licences: FSDD is CC BY-SA 4.0, MNIST CC BY-SA 3.0 (Yann LeCun and Corinna
Cortes). Share alike: what you publish of these data, these features included,
carries the same licences and names.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from arm_jax.data import avdigits_sources, packed, prepared
from arm_jax.data.dataset import (
    SPLITS,
    Dataset,
    Split,
    checked,
    standardized,
)
from arm_jax.data.logmel import BANDS, PARTS, log_mel
from arm_jax.data.options import typed
from arm_jax.errors import InputError, check_known

PROTOCOLS = ("official", "speaker")
# Axes of the spectrograms, [example, part, band], that are centred.
_NORMALIZE = {"bands": (1,), "loudness": (1, 2), "none": ()}
_PARTS = dict(zip(SPLITS, ("train", "val", "test"), strict=True))


class AvDigits(tfds.core.GeneratorBasedBuilder):
    """Pairs of an image and the log-mel spectrogram of a recording.

    The configuration's variant is the protocol, its source the packed file or
    a folder for `avdigits_sources`.
    """

    name = "avdigits"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            homepage="https://github.com/Jakobovski/free-spoken-digit-dataset",
            license="CC BY-SA 4.0 (audio), CC BY-SA 3.0 (images)",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(
                        shape=(28, 28, 1), dtype=np.uint8
                    ),
                    "audio": tfds.features.Tensor(
                        shape=(PARTS, BANDS), dtype=np.float32
                    ),
                    "label": tfds.features.ClassLabel(
                        num_classes=avdigits_sources.CLASSES
                    ),
                    # Numbers of the recording and of the speaker in the order
                    # of (digit, speaker's name, take).
                    "recording": np.int32,
                    "speaker": np.int32,
                    # Number of the image.
                    "id": np.int32,
                }
            ),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        del dl_manager  # nothing to download
        config = self.builder_config
        arrays = _read(config.source, config.variant)
        return {
            name: self._generate_examples(
                arrays, arrays[f"pairs_{config.variant}_{part}"]
            )
            for name, part in _PARTS.items()
        }

    def _generate_examples(
        self, arrays: Mapping[str, np.ndarray], pairs: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        spectrograms = {}
        for recording in np.unique(pairs[:, 1]).tolist():
            start = arrays["audio_start"][recording]
            stop = start + arrays["audio_len"][recording]
            spectrograms[recording] = log_mel(arrays["audio_pcm"][start:stop])
        for image, recording in pairs.tolist():
            yield (
                image,
                {
                    "image": arrays["image"][image, :, :, None],
                    "audio": spectrograms[recording],
                    "label": int(arrays["image_label"][image]),
                    "recording": recording,
                    "speaker": int(arrays["audio_speaker"][recording]),
                    "id": image,
                },
            )


@typed
def load(
    *,
    protocol: str = "speaker",
    held_out: int = -1,
    normalize: str = "bands",
    path: str = "",
    source_dir: str = "",
    data_dir: str = "",
) -> Dataset:
    """Prepares the data set on first use, and loads it.

    Args:
      protocol: "speaker" tests on a speaker (lucas) that was never heard and
        validates on another one (theo); "official" tests on takes 0 to 4 of
        all speakers and validates on takes 5 to 9. The images are the same.
      held_out: number of a training speaker who becomes the test speaker, and
        whose pairs are not trained on: what is chosen on all of them in turn
        was chosen without the test speaker. -1 leaves the protocol as it is.
      normalize: what is subtracted from each spectrogram: "bands" its mean in
        each band, and with it the average spectrum of speaker and microphone
        (cepstral mean normalisation); "loudness" its mean, how loud it is;
        "none" nothing.
      path: the packed file; empty for avdigits.npz in the folder of the
        variable ARM_JAX_DATA.
      source_dir: instead of it, a folder with FSDD and MNIST as published, see
        arm_jax.data.avdigits_sources.
      data_dir: where TFDS keeps prepared data sets; empty for its default
        (the variable TFDS_DATA_DIR, or ~/tensorflow_datasets).

    Returns:
      Modalities `image` [28, 28, 1] and `audio` [16 parts, 40 bands], see
      arm_jax.data.logmel; groups `recording` and `speaker`. On the training
      pairs, each band of the sound has mean 0 and deviation 1, and so have
      the pixels of the image taken all together: they share one unit, and
      pixels at the border, almost always 0, would be blown up by a scale of
      their own.

    Raises:
      InputError: unknown protocol, speaker or normalisation, missing or
        inconsistent files, or a folder that cannot be written.
    """
    for name, value, known in (
        ("protocol", protocol, PROTOCOLS),
        ("normalize", normalize, _NORMALIZE),
    ):
        check_known(f"avdigits: unknown {name}", value, known)
    builder = prepared.prepare(
        AvDigits,
        data_dir,
        prepared.from_source(protocol, _source(path, source_dir)),
    )
    splits = {
        name: prepared.read(
            builder, [name], ("image", "audio"), ("recording", "speaker")
        )
        for name in SPLITS
    }
    if held_out != -1:
        splits = _hold_out(splits, held_out)
    axes = _NORMALIZE[normalize]
    if axes:
        splits = {k: _centred(split, axes) for k, split in splits.items()}
    return checked(
        Dataset(
            name=f"avdigits_{protocol}",
            class_names=tuple(builder.info.features["label"].names),
            splits=standardized(splits),
        )
    )


def _source(path: str, source_dir: str) -> Path:
    if not source_dir:
        return packed.find("avdigits", path, avdigits_sources.HINT)
    if path:
        raise InputError("avdigits: give path or source_dir, not both")
    folder = packed.expanded(source_dir)
    if not folder.is_dir():
        raise InputError(f"avdigits: source_dir {folder} is no folder")
    return folder


def _read(source: Path, protocol: str) -> dict[str, np.ndarray]:
    """Returns the arrays of a source, pairs checked."""
    if source.is_dir():
        arrays = avdigits_sources.build(source)
    else:
        arrays = packed.read(
            source,
            (
                *("image", "image_label", "image_split"),
                *("audio_pcm", "audio_start", "audio_len"),
                *("audio_label", "audio_speaker", f"audio_split_{protocol}"),
                *(f"pairs_{protocol}_{part}" for part in _PARTS.values()),
            ),
        )
    _check_arrays(source, arrays)
    _check_pairs(source, arrays, protocol)
    return arrays


def _check_arrays(source: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Raises InputError naming an array of another type or shape."""
    images, recordings = (
        arrays[key].shape[:1] for key in ("image", "audio_start")
    )
    for key, x in arrays.items():
        kind = "integers"
        if key == "image":
            kind, shape = "uint8", (*images, 28, 28)
        elif key == "audio_pcm":
            kind, shape = "int16", x.shape[:1]
        elif key.startswith("pairs_"):
            shape = (*x.shape[:1], 2)
        elif key in ("speaker_names", "image_mnist_index", "audio_take"):
            continue  # for people
        else:
            shape = images if key.startswith("image") else recordings
        fits = x.dtype.kind in "iu" if kind == "integers" else x.dtype == kind
        if not fits or x.shape != shape or not shape:
            raise InputError(
                f"avdigits: {source}: '{key}' is {x.dtype} {x.shape}, expected "
                f"{kind} {shape}"
            )
    start, length = (
        arrays[key].astype(np.int64) for key in ("audio_start", "audio_len")
    )
    outside = (start < 0) | (length < 1)
    outside |= start + length > len(arrays["audio_pcm"])
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"avdigits: {source}: recording {at}, {length[at]} samples from "
            f"{start[at]} on, is outside the {len(arrays['audio_pcm'])} of "
            "'audio_pcm'"
        )


def _check_pairs(
    source: Path, arrays: Mapping[str, np.ndarray], protocol: str
) -> None:
    """Raises InputError naming a pair that breaks the rules of pairing."""
    sizes = len(arrays["image"]), len(arrays["audio_start"])
    recording_split = arrays[f"audio_split_{protocol}"]
    for code, part in enumerate(_PARTS.values()):
        key = f"pairs_{protocol}_{part}"
        pairs = arrays[key]
        image, recording = pairs.T
        outside = ((pairs < 0) | (pairs >= sizes)).any(axis=1)
        if outside.any():
            bad = outside
            why = f"outside {sizes[0]} images and {sizes[1]} recordings"
        else:
            label = arrays["image_label"][image]
            bad = (
                (label != arrays["audio_label"][recording])
                | (arrays["image_split"][image] != code)
                | (recording_split[recording] != code)
            )
            why = "not of one label, or not both of this part"
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"avdigits: {source}: {key}[{at}] is {pairs[at].tolist()}, "
                f"{why}"
            )


def _hold_out(splits: Mapping[str, Split], speaker: int) -> dict[str, Split]:
    train = splits["train"]
    speakers = train.groups["speaker"]
    if speaker not in speakers:
        raise InputError(
            f"avdigits: held_out {speaker} is no training speaker; these are "
            + ", ".join(map(str, np.unique(speakers)))
        )
    return {
        **splits,
        "train": train.where(speakers != speaker),
        "test": train.where(speakers == speaker),
    }


def _centred(split: Split, axes: tuple[int, ...]) -> Split:
    arrays = {name: split.arrays(name) for name in split.modalities}
    audio = arrays["audio"]
    audio = audio - audio.mean(axis=axes, keepdims=True)
    return dataclasses.replace(split, inputs=arrays | {"audio": audio})
