"""Prepared records once more, as TFDS keeps data sets.

For other programs: `tfds.builder_from_directory(folder)` reads what is written
here without this project. So does the name with its version; without it, one
that TFDS knows, such as food101, is TFDS's own. Training reads the records
themselves, in a fraction of the time, and they outlive a kill, where TFDS
writes all or nothing.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from arm_jax.data.preparation.opened import Prepared
from arm_jax.data.preparation.shards import Row
from arm_jax.errors import InputError

_VERSION = "1.0.0"
# Where lists say nothing of an example.
_UNLISTED = "unlisted"


class Builder(  # type: ignore[call-arg]
    tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """The records of a prepared folder, nothing decoded again.

    An example has the fields of its record (files that were encoded are their
    bytes), and `key`, `label`, `group` and `id`, its place in the index. Splits
    are the words that the lists of the data set have.
    """

    VERSION = tfds.core.Version(_VERSION)

    def __init__(self, prepared: Prepared, **where: Any) -> None:
        # What TFDS calls it, and its folder.
        self.name = prepared.folder.name
        self._prepared = prepared
        self._records = prepared.records()
        super().__init__(file_format="array_record", **where)

    def _info(self) -> tfds.core.DatasetInfo:
        fields = {k: feature(x) for k, x in self._records[0].items()}
        names = list(self._prepared.class_names)
        own = {
            "key": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=names),
            "group": tfds.features.Text(),
            "id": tfds.features.Scalar(np.int32),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(fields | own)
        )

    def _split_generators(self, manager: Any) -> dict[str, Any]:
        del manager
        words = sorted({word(row) for row in self._prepared.rows})
        return {name: self._generate_examples(name) for name in words}

    def _generate_examples(
        self, split: str
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for number, row in enumerate(self._prepared.rows):
            if word(row) == split:
                own = {
                    "key": row.key,
                    "label": row.label,
                    "group": row.group,
                    "id": row.number,
                }
                yield row.key, self._records[number] | own


def export(prepared: Prepared, data_dir: str | Path) -> Path:
    """Writes prepared records as a TFDS data set, and returns its folder.

    Args:
      prepared: A prepared folder.
      data_dir: Where TFDS keeps its data sets; it takes as much room once more.

    Raises:
      InputError: There is such a data set already.
      OSError: A folder that cannot be written, or a full disk.
    """
    builder = Builder(prepared, data_dir=str(data_dir))
    folder = Path(builder.data_dir)
    if folder.exists():
        raise InputError(
            f"{folder} is there already; remove it, or name another folder "
            "by --tfds"
        )
    builder.download_and_prepare()
    return folder


def word(row: Row) -> str:
    """Returns the name of an example's split, as TFDS allows names."""
    return re.sub(r"\W+", "_", row.split) or _UNLISTED


def feature(value: Any) -> Any:
    """Returns how TFDS keeps a field of a record."""
    if isinstance(value, str):
        return tfds.features.Text()
    if isinstance(value, bytes):
        return tfds.features.Tensor(shape=(), dtype=np.object_)
    if isinstance(value, list | tuple):
        return tfds.features.Sequence(feature(value[0]))
    # Sounds and texts differ in length.
    return tfds.features.Tensor(
        shape=(None, *value.shape[1:]),
        dtype=value.dtype,
        encoding=tfds.features.Encoding.BYTES,
    )
