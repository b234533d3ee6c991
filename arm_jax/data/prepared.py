"""From a source to prepared TFDS records, and from records to splits."""

import dataclasses
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from arm_jax.data import packed, storage
from arm_jax.data.dataset import Split
from arm_jax.errors import InputError


@dataclasses.dataclass(eq=False)
class FromSource(tfds.core.BuilderConfig):
    """A variant of a data set, prepared from one file or folder.

    Attributes:
      variant: name of the variant, such as the protocol of the splits.
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

    A folder that was copied in part, so that it lacks its description, is
    prepared anew.

    Args:
      builder_class: the builder.
      data_dir: where TFDS keeps prepared data sets; empty for its default
        (the variable TFDS_DATA_DIR, or ~/tensorflow_datasets).
      config: configuration of the builder, if it has one.

    Raises:
      InputError: a folder that cannot be written, or a full disk.
    """
    name = builder_class.name
    if data_dir and "://" not in data_dir:
        data_dir = str(packed.expanded(data_dir))
    root = data_dir or tfds.core.constants.DATA_DIR
    variant = (config.name,) if config else ()
    folder = Path(root, name, *variant, str(builder_class.VERSION))
    with storage.storing(name, root):
        if folder.is_dir() and not _described(folder):
            shutil.rmtree(folder)
        builder = builder_class(
            data_dir=data_dir or None, config=config, file_format="array_record"
        )
        if builder.data_path.exists():
            return builder
        try:
            builder.download_and_prepare()
        except OSError:
            # Another process was faster, and its folder is in the way.
            if not _described(folder):
                raise
            return prepare(builder_class, data_dir, config)
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
      names: names of its splits.
      modalities: names of the features that are inputs.
      groups: names of the features that are groups.

    Raises:
      InputError: damaged records.
    """
    examples: list[dict[str, Any]] = []
    try:
        for name in names:
            examples.extend(builder.as_data_source(name))
    except (OSError, RuntimeError, LookupError) as error:
        words = str(error).partition("\n")[0][:100]
        raise InputError(
            f"data set {builder.name}: the records in {builder.data_path} are "
            f"damaged ({words}); remove that folder, and they are prepared anew"
        ) from error
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


def _described(folder: Path) -> bool:
    """Whether a folder has TFDS's description of what is in it."""
    try:
        text = (folder / "dataset_info.json").read_text(encoding="utf-8")
        return isinstance(json.loads(text), dict)
    except (FileNotFoundError, ValueError):
        return False
