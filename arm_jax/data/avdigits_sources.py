"""Builds the arrays of avdigits from FSDD and MNIST as they are published.

With the whole of both sources, these are the same as in the packed file: the
recordings, their order, labels, speakers, takes and splits; the number of
images of each class in each part, and which of MNIST's two files they are
drawn from; and the rules of pairing: labels equal, images not repeated, each
recording of a part used equally often up to one. Which images are drawn and
who is paired with whom is another draw than in the packed file (from a fixed
seed, so the same for everyone who builds it), because the seed of that one is
not known.
"""

import gzip
import re
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from arm_jax.data.dataset import SPLITS
from arm_jax.data.logmel import SAMPLE_RATE
from arm_jax.errors import InputError

HINT = (
    "To build it, give the option 'source_dir': a folder with the .wav files "
    "of github.com/Jakobovski/free-spoken-digit-dataset and MNIST's four idx "
    "files (train-images-idx3-ubyte and so on, .gz or not)"
)
CLASSES = 10
# In the order of SPLITS; the first two come from MNIST's training file.
IMAGES_PER_CLASS = (1200, 200, 300)
VALIDATION_SPEAKER = "theo"
TEST_SPEAKER = "lucas"
_SEED = 0
_FILE_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")


def build(folder: Path) -> dict[str, np.ndarray]:
    """Returns arrays as they are in the packed file.

    Args:
      folder: holds the files, in subfolders or not.

    Raises:
      InputError: missing or unreadable files, or too few images of a class.
    """
    rng = np.random.default_rng(_SEED)
    arrays = _recordings(folder) | _images(folder, rng)
    for protocol in ("official", "speaker"):
        recording_split = arrays[f"audio_split_{protocol}"]
        for code, part in enumerate(("train", "val", "test")):
            arrays[f"pairs_{protocol}_{part}"] = _pairs(
                np.flatnonzero(arrays["image_split"] == code),
                np.flatnonzero(recording_split == code),
                arrays["image_label"],
                arrays["audio_label"],
                rng,
            )
    return arrays


def _recordings(folder: Path) -> dict[str, np.ndarray]:
    found: dict[tuple[int, str, int], Path] = {}
    for file in sorted(folder.rglob("*.wav")):
        match = _FILE_NAME.fullmatch(file.name)
        if match is None:
            raise InputError(
                f"{file}: expected a name as 7_jackson_32.wav (digit, speaker, "
                "take)"
            )
        key = int(match[1]), match[2], int(match[3])
        if key in found:
            raise InputError(f"{file} is there twice, also as {found[key]}")
        found[key] = file
    if not found:
        raise InputError(f"no .wav files in {folder}. {HINT}")
    keys = sorted(found)
    label, speaker, take = (
        np.array(column) for column in zip(*keys, strict=True)
    )
    names, speaker_index = np.unique(speaker, return_inverse=True)
    sounds = [_samples(found[key]) for key in keys]
    length = np.array([len(x) for x in sounds], np.int32)
    return {
        "audio_pcm": np.concatenate(sounds),
        "audio_start": (np.cumsum(length) - length).astype(np.int32),
        "audio_len": length,
        "audio_label": label.astype(np.uint8),
        "audio_speaker": speaker_index.astype(np.uint8),
        "audio_take": take.astype(np.uint8),
        # Takes 0 to 4 are FSDD's own test part.
        "audio_split_official": np.select([take < 5, take < 10], [2, 1], 0),
        "audio_split_speaker": np.select(
            [speaker == TEST_SPEAKER, speaker == VALIDATION_SPEAKER], [2, 1], 0
        ),
        "speaker_names": names,
    }


def _samples(file: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            # A chunk beside the samples, such as a comment.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate, samples = wavfile.read(file)
    except (ValueError, OSError, EOFError, struct.error) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    if (
        rate != SAMPLE_RATE
        or samples.dtype != np.int16
        or samples.ndim != 1
        or not len(samples)
    ):
        raise InputError(
            f"{file}: expected 16-bit mono at {SAMPLE_RATE} Hz, got "
            f"{samples.dtype} {samples.shape} at {rate} Hz"
        )
    return samples


def _images(folder: Path, rng: np.random.Generator) -> dict[str, np.ndarray]:
    chosen: dict[str, list[np.ndarray]] = {"image": [], "image_label": []}
    chosen |= {"image_mnist_index": [], "image_split": []}
    for prefix, codes in (("train", (0, 1)), ("t10k", (2,))):
        image = _idx(folder, f"{prefix}-images-idx3-ubyte", 3)
        label = _idx(folder, f"{prefix}-labels-idx1-ubyte", 1)
        if len(image) != len(label) or image.shape[1:] != (28, 28):
            raise InputError(
                f"{folder}: {prefix} has images {image.shape} and labels "
                f"{label.shape}"
            )
        parts: list[list[np.ndarray]] = [[] for _ in codes]
        for k in range(CLASSES):
            order = rng.permutation(np.flatnonzero(label == k))
            for part, code in zip(parts, codes, strict=True):
                part.append(order[: IMAGES_PER_CLASS[code]])
                order = order[IMAGES_PER_CLASS[code] :]
                if len(part[-1]) < IMAGES_PER_CLASS[code]:
                    raise InputError(
                        f"{folder}: too few images of digit {k} in {prefix}"
                    )
        for part, code in zip(parts, codes, strict=True):
            index = np.sort(np.concatenate(part))
            chosen["image"].append(image[index])
            chosen["image_label"].append(label[index])
            chosen["image_mnist_index"].append(index.astype(np.int32))
            chosen["image_split"].append(np.full(len(index), code, np.uint8))
    return {key: np.concatenate(values) for key, values in chosen.items()}


def _idx(folder: Path, name: str, ndim: int) -> np.ndarray:
    """Reads MNIST's format: 0 0 8 ndim, the sizes (big endian), the bytes."""
    files = sorted(folder.rglob(name)) + sorted(folder.rglob(f"{name}.gz"))
    if not files:
        raise InputError(f"no {name} or {name}.gz in {folder}. {HINT}")
    try:
        content = files[0].read_bytes()
        if files[0].suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {files[0]}: {error}") from error
    header = 4 + 4 * ndim
    # Sizes of a shorter file are no whole numbers of bytes.
    shape = np.frombuffer(content[4:header].ljust(header - 4), ">i4").tolist()
    if content[:4] != bytes((0, 0, 8, ndim)) or len(
        content
    ) != header + np.prod(shape):
        raise InputError(f"{files[0]} is not an idx file of {ndim} dimensions")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _pairs(
    images: np.ndarray,
    recordings: np.ndarray,
    image_label: np.ndarray,
    recording_label: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Every image with a recording of its label, `[len(images), 2]`."""
    pairs = []
    for k in range(CLASSES):
        first = rng.permutation(images[image_label[images] == k])
        second = rng.permutation(recordings[recording_label[recordings] == k])
        if not len(second):
            raise InputError(
                f"no recording of digit {k} for one of the parts "
                f"{', '.join(SPLITS)}. {HINT}"
            )
        pairs.append(np.stack([first, np.resize(second, len(first))], axis=1))
    return rng.permutation(np.concatenate(pairs)).astype(np.int32)
