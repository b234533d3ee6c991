"""Is a spoken opinion positive? Text, audio and video of an utterance.

Zadeh et al., MOSI, arXiv 1606.06259: 93 videos, 2,199 utterances; features of
Poria et al., Context-dependent sentiment analysis in user-generated videos,
ACL 2017, published under the MIT licence in the GitHub repository
declare-lab/multimodal-deep-learning. The videos belong to their authors.

The source's training part leaks its labels: its text and video features come
from networks that were trained on that part, so that a linear classifier gets
98 % on training videos it never saw and 75 % on the test videos. Nothing
selected or estimated on that part is worth anything. The clean protocol uses
the 752 utterances of the source's test part alone, in 5 folds by video.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from arm_jax.data import packed, prepared
from arm_jax.data.dataset import Dataset, checked, standardized
from arm_jax.data.options import typed
from arm_jax.errors import InputError, check_known

FOLDS = 5
PROTOCOLS = ("test_folds", "source_leaky")
WIDTHS = {"text": 100, "audio": 73, "video": 100}
_HINT = (
    "Its arrays are packed from bc-LSTM/data of the GitHub repository "
    "declare-lab/multimodal-deep-learning"
)
_GROUPS = ("video_id", "segment")


class Mosi(tfds.core.GeneratorBasedBuilder):
    """Utterances; the splits are parts that no protocol divides further.

    `test_0` to `test_4` are the folds of the source's test part, `leaky_0` to
    `leaky_4` its leaky training part, by video modulo 5.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}

    def _info(self) -> tfds.core.DatasetInfo:
        modalities = {
            key: tfds.features.Tensor(shape=(width,), dtype=np.float32)
            for key, width in WIDTHS.items()
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            homepage=(
                "https://github.com/declare-lab/multimodal-deep-learning"
            ),
            license="MIT",
            features=tfds.features.FeaturesDict(
                modalities
                | {
                    "label": tfds.features.ClassLabel(
                        names=["negative", "positive"]
                    ),
                    "video_id": np.int32,
                    # Order inside the video.
                    "segment": np.int32,
                    # Row in the file.
                    "id": np.int32,
                }
            ),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        del dl_manager  # nothing to download
        keys = (*WIDTHS, "label", *_GROUPS)
        arrays = packed.read(self.builder_config.source, (*keys, "test_fold"))
        packed.check_shapes(
            "mosi", arrays, {key: (width,) for key, width in WIDTHS.items()}
        )
        examples = packed.features("mosi", arrays, WIDTHS)
        examples["label"] = packed.codes("mosi", arrays, "label", range(2))
        for key in _GROUPS:
            examples[key] = packed.codes(
                "mosi", arrays, key, range(np.iinfo(np.int32).max + 1)
            )
        test_fold = packed.codes("mosi", arrays, "test_fold", range(-1, FOLDS))
        parts = {}
        for k in range(FOLDS):
            parts[f"test_{k}"] = test_fold == k
            parts[f"leaky_{k}"] = (test_fold < 0) & (
                examples["video_id"] % FOLDS == k
            )
        return {
            name: self._generate_examples(examples, np.flatnonzero(rows))
            for name, rows in parts.items()
        }

    def _generate_examples(
        self, arrays: Mapping[str, np.ndarray], rows: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for row in rows.tolist():
            yield row, {k: x[row] for k, x in arrays.items()} | {"id": row}


@typed
def load(
    *,
    protocol: str = "test_folds",
    fold: int = 0,
    path: str = "",
    data_dir: str = "",
) -> Dataset:
    """Prepares the data set on first use, and loads it.

    Args:
      protocol: "test_folds" is the clean one: of the 5 folds of the source's
        test part, `fold` is for testing, the next one (modulo 5) for
        validation, the others for training. "source_leaky" is the source's own
        split, for comparison with published numbers only: its training part,
        of which the fifth `fold` of the videos is for validation, leaks labels
        (above), and what is selected on it is not selected.
      fold: 0 to 4.
      path: the packed file; empty for mosi.npz in the folder of the variable
        ARM_JAX_DATA.
      data_dir: where TFDS keeps prepared data sets; empty for its default
        (the variable TFDS_DATA_DIR, or ~/tensorflow_datasets).

    Returns:
      Modalities `text` [100], `audio` [73] and `video` [100], each feature
      standardised with training statistics; groups `video_id` and `segment`.

    Raises:
      InputError: unknown protocol or fold, a missing or inconsistent file, or
        a folder that cannot be written.
    """
    check_known("mosi: unknown protocol", protocol, PROTOCOLS)
    if fold not in range(FOLDS):
        raise InputError(f"mosi: fold must be 0 to {FOLDS - 1}, got {fold}")
    source = packed.find("mosi", path, _HINT)
    builder = prepared.prepare(
        Mosi, data_dir, prepared.from_source("parts", source)
    )
    validation = (fold + 1) % FOLDS
    if protocol == "test_folds":
        parts = {
            "train": [
                f"test_{k}" for k in range(FOLDS) if k not in (fold, validation)
            ],
            "validation": [f"test_{validation}"],
            "test": [f"test_{fold}"],
        }
    else:
        parts = {
            "train": [f"leaky_{k}" for k in range(FOLDS) if k != fold],
            "validation": [f"leaky_{fold}"],
            "test": [f"test_{k}" for k in range(FOLDS)],
        }
    splits = {
        name: prepared.read(builder, names, tuple(WIDTHS), _GROUPS)
        for name, names in parts.items()
    }
    return checked(
        Dataset(
            name=f"mosi_{protocol}_{fold}",
            class_names=tuple(builder.info.features["label"].names),
            splits=standardized(splits),
        )
    )
