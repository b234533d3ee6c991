"""From a source to prepared TFDS records, and from records to splits."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from arm_jax.data import packed
from arm_jax.data.dataset import Split


@dataclasses.dataclass(eq=False)
class FromSource(tfds.core.BuilderConfig):
    """A variant of a data set, prepared from one file or folder.

    Attributes:
      variant: such as the protocol of the splits.
      source: the file or folder.
    """

    variant: str = ""
    source: Path = Path()


def from_source(variant: str, source: Path) -> FromSource:
    """Returns the builder configuration of a variant and a source.

    Its name has a digest of the source's content: what was prepared from one
    source is never taken for what another one holds.
    """
    name = f"{variant}_{packed.digest(source)}"
    return FromSource(name=name, variant=variant, source=source)


def prepare(
    builder_class: type[tfds.core.GeneratorBasedBuilder],
    data_dir: str,
    config: FromSource | None = None,
) -> tfds.core.GeneratorBasedBuilder:
    """Returns a builder whose records are there, prepared now if need be.

    Args:
      builder_class: the builder.
      data_dir: where TFDS keeps prepared data sets; empty for its default
        (the variable TFDS_DATA_DIR, or ~/tensorflow_datasets).
      config: of the builder, if it has one.
    """
    builder = builder_class(
        data_dir=data_dir or None, config=config, file_format="array_record"
    )
    if not builder.data_path.exists():
        builder.download_and_prepare()
    return builder


def read(
    builder: tfds.core.GeneratorBasedBuilder,
    names: Iterable[str],
    modalities: Sequence[str],
    groups: Sequence[str],
) -> Split:
    """Returns the records of some TFDS splits as one split, ordered by `id`.

    Args:
      builder: a prepared builder.
      names: of its splits.
      modalities: names of the features that are inputs.
      groups: names of the features that are groups.
    """
    examples: list[dict[str, Any]] = []
    for name in names:
        examples.extend(builder.as_data_source(name))
    # Records are stored in the order of the hashes of their keys.
    examples.sort(key=lambda example: example["id"])

    def column(key: str, dtype: type) -> np.ndarray:
        return np.stack([example[key] for example in examples]).astype(dtype)

    return Split(
        inputs={key: column(key, np.float32) for key in modalities},
        label=column("label", np.int32),
        id=column("id", np.int32),
        groups={key: column(key, np.int32) for key in groups},
    )
