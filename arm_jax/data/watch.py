"""Shoulder exercises on a smartwatch: accelerometer and gyroscope.

Burns et al., Shoulder physiotherapy exercise recognition, arXiv 1802.01489:
140 series of 10 subjects at 50 Hz, 7 exercises. The file comes with the PyPI
package seglearn 1.2.5 (BSD-3-Clause, copyright 2018 David M. Burns), which is
read but never imported.
"""

import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from arm_jax.data import prepared
from arm_jax.data.dataset import Dataset, checked, standardized
from arm_jax.data.options import typed
from arm_jax.errors import InputError

WINDOW = 100  # time steps, 2 s
STRIDE = 50
SUBJECTS = {
    "train": (1, 2, 3, 4, 5, 6),
    "validation": (7,),
    "test": (8, 9, 10),
}
MODALITIES = {"accel": slice(0, 3), "gyro": slice(3, 6)}
_SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"


class Watch(tfds.core.GeneratorBasedBuilder):
    """Windows of 2 s, half overlapping, none across two series."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}

    def _info(self) -> tfds.core.DatasetInfo:
        sensor = tfds.features.Tensor(shape=(WINDOW, 3), dtype=np.float32)
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            homepage="https://github.com/dmbee/seglearn",
            license="BSD-3-Clause",
            features=tfds.features.FeaturesDict(
                {
                    "accel": sensor,
                    "gyro": sensor,
                    "label": tfds.features.ClassLabel(
                        names=["PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW"]
                    ),
                    "subject": np.int32,
                    "series": np.int32,
                    # Position in the source: records are stored in the order
                    # of their hashes.
                    "id": np.int32,
                }
            ),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        del dl_manager  # nothing to download
        source = _read_source(_source_file())
        return {
            name: self._generate_examples(source, subjects)
            for name, subjects in SUBJECTS.items()
        }

    def _generate_examples(
        self, source: dict[str, Any], subjects: tuple[int, ...]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        names = self.info.features["label"].names
        if list(source["y_labels"]) != names:
            raise InputError(
                f"watch: the file has classes {list(source['y_labels'])}, "
                f"expected {names}"
            )
        id_ = -1
        for series, x in enumerate(source["X"]):
            subject = int(source["subject"][series])
            for start in range(0, len(x) - WINDOW + 1, STRIDE):
                id_ += 1
                if subject not in subjects:
                    continue
                window = x[start : start + WINDOW].astype(np.float32)
                example = {m: window[:, c] for m, c in MODALITIES.items()}
                yield (
                    id_,
                    example
                    | {
                        "label": int(source["y"][series]),
                        "subject": subject,
                        "series": series,
                        "id": id_,
                    },
                )


@typed
def load(*, data_dir: str = "") -> Dataset:
    """Prepares the data set on first use, and loads it.

    Args:
      data_dir: where TFDS keeps prepared data sets; empty for its default
        (the variable TFDS_DATA_DIR, or ~/tensorflow_datasets).

    Returns:
      Modalities `accel` and `gyro` of shape [100, 3], standardised by channel
      with training statistics; groups `subject` and `series`.

    Raises:
      InputError: seglearn is not installed, its file is another one, or a
        folder cannot be written.
    """
    builder = prepared.prepare(Watch, data_dir)
    splits = {
        name: prepared.read(
            builder, [name], tuple(MODALITIES), ("subject", "series")
        )
        for name in SUBJECTS
    }
    return checked(
        Dataset(
            name="watch",
            class_names=tuple(builder.info.features["label"].names),
            splits=standardized(splits),
        )
    )


def _source_file() -> Path:
    hint = "pip install 'arm-jax[watch]' brings it"
    try:
        files = importlib.metadata.files("seglearn") or []
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError(
            f"data set watch: the package seglearn 1.2.5 is missing; {hint}"
        ) from error
    for file in files:
        if file.name == "watch_dataset.npy":
            return Path(str(file.locate()))
    raise InputError(
        f"data set watch: seglearn has no watch_dataset.npy; {hint}"
    )


def _read_source(path: Path) -> dict[str, Any]:
    # The array is pickled: unpickle only the very file we know.
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != _SHA256:
        raise InputError(
            f"data set watch: {path} has SHA-256 {digest}, expected {_SHA256}; "
            "install seglearn 1.2.5"
        )
    return np.load(path, allow_pickle=True).item()
