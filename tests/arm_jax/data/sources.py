"""Tiny sources in the formats of the real ones, and where those are."""

import gzip
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from arm_jax.data import packed

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
SPEAKERS = ("george", "lucas", "theo", "zoe")
TAKES = (0, 5, 10, 11)
# In place of avdigits_sources.IMAGES_PER_CLASS.
IMAGES_PER_CLASS = (8, 5, 6)


def shared(name: str) -> str:
    """Returns the path of a real packed file, or skips the test."""
    folder = Path(os.environ.get(packed.FOLDER_VARIABLE) or SHARED)
    file = folder / f"{name}.npz"
    if not file.is_file():
        pytest.skip(f"needs the optional data sets: no {name}.npz in {folder}")
    return str(file)


def write_wav(file: Path, samples: np.ndarray, rate: int = 8000) -> None:
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.astype("<i2").tobytes())


def write_idx(file: Path, x: np.ndarray) -> None:
    header = bytes((0, 0, 8, x.ndim)) + np.array(x.shape, ">i4").tobytes()
    content = header + x.astype(np.uint8).tobytes()
    zipped = gzip.compress(content) if file.suffix == ".gz" else content
    file.write_bytes(zipped)


def write_digits(folder: Path) -> None:
    """Writes a small FSDD and a small MNIST."""
    rng = np.random.default_rng(3)
    recordings = folder / "fsdd" / "recordings"
    recordings.mkdir(parents=True)
    for digit in range(10):
        for s, speaker in enumerate(SPEAKERS):
            for take in TAKES:
                time = np.arange(rng.integers(150, 900)) / 8000
                x = np.sin(2 * np.pi * (200 + 300 * digit) * time)
                x = 1000 * (s + 1) * x + rng.normal(size=len(x))
                name = f"{digit}_{speaker}_{take}.wav"
                write_wav(recordings / name, x)
    for prefix, n, suffix in (("train", 140, ""), ("t10k", 60, ".gz")):
        label = rng.permutation(np.arange(n) % 10)
        image = rng.integers(0, 200, (n, 28, 28)) + 5 * label[:, None, None]
        write_idx(folder / f"{prefix}-images-idx3-ubyte{suffix}", image)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte{suffix}", label)
