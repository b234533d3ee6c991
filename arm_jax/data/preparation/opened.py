"""Records that were prepared, read in any order."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flax import serialization

from arm_jax.data.preparation import shards
from arm_jax.data.preparation.shards import Manifest, Row
from arm_jax.errors import InputError

SUMMARY = "prepared.json"


class Records:
    """The records of a folder, in the order of the index.

    Files are opened when they are needed, once per process.
    """

    def __init__(self, folder: Path, manifests: Sequence[Manifest]) -> None:
        from array_record.python.array_record_data_source import (
            ArrayRecordDataSource,
        )

        self._folder = folder
        counts = [len(manifest.rows) for manifest in manifests]
        # Of each shard, the number of the first record behind it.
        self._ends = np.cumsum(counts)
        # With their lengths, which spares opening all of them now.
        files = [
            f"{shards.records_file(folder, number)}[0:{count}]"
            for number, count in enumerate(counts)
            if count
        ]
        self._source = ArrayRecordDataSource(files)

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        try:
            record = self._source[index]
        except RuntimeError as error:
            words = str(error).partition("\n")[0][:100]
            shard = int(np.searchsorted(self._ends, index, side="right"))
            file = shards.records_file(self._folder, shard)
            raise InputError(
                f"{file} is damaged or gone ({words}); remove it and prepare "
                "again, which makes only this shard anew"
            ) from error
        return serialization.msgpack_restore(record)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A folder that is prepared.

    Attributes:
      folder: Where it is.
      class_names: Names of the classes, in the order of the labels.
      rows: One for each record, in their order.
      manifests: What is in each shard.
      digest: What tells the records from others, 12 hexadecimal digits.
      options: What it was prepared with.
    """

    folder: Path
    class_names: tuple[str, ...]
    rows: tuple[Row, ...]
    manifests: tuple[Manifest, ...]
    digest: str
    options: Mapping[str, Any] = dataclasses.field(
        default_factory=dict, compare=False
    )

    def records(self) -> Records:
        """Returns the records, in the order of `rows`."""
        return Records(self.folder, self.manifests)

    @property
    def summary(self) -> str:
        """What there is, in one line."""
        count = len(self.rows) + sum(len(m.skipped) for m in self.manifests)
        return (
            f"{len(self.rows)} of {count} files are records in {self.folder} "
            f"(data {self.digest}); skipped.csv there names the others"
        )

    @property
    def labels(self) -> np.ndarray:
        """Class of each record, int32 `[n]`."""
        return np.array([row.label for row in self.rows], np.int32)

    @property
    def ids(self) -> np.ndarray:
        """Number of each record's item in the index, int32 `[n]`."""
        return np.array([row.number for row in self.rows], np.int32)


def collect(
    folder: Path, class_names: Sequence[str], manifests: Sequence[Manifest]
) -> Prepared:
    """Returns what shards that are all there hold together."""
    sha = hashlib.sha256("\n".join(class_names).encode())
    for manifest in manifests:
        sha.update(manifest.digest.encode())
    rows = tuple(row for manifest in manifests for row in manifest.rows)
    for row in rows:
        sha.update(json.dumps(row[:-1]).encode())
    return Prepared(
        folder, tuple(class_names), rows, tuple(manifests), sha.hexdigest()[:12]
    )


def opened(
    name: str, folder: Path, options: Mapping[str, Any], config: str = ""
) -> Prepared:
    """Returns what is prepared in a folder.

    Args:
      name: Name of the data set.
      folder: The folder.
      options: What the records must have been prepared with, as far as it is
        asked for.
      config: Name of the config that prepares it, where that is another.

    Raises:
      InputError: Nothing, or not all, is prepared there; it was prepared with
        other options; or shards are missing.
    """
    command = (
        f"python -m experiments.prepare --config=configs/{config or name}.py "
        "--config.data.options.path=FOLDER"
    )
    try:
        text = (folder / SUMMARY).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"data set {name}: {folder} is not prepared, or not to the end; "
            f"run {command}"
        ) from error
    except OSError as error:
        raise InputError(
            f"data set {name}: cannot read {folder / SUMMARY}: {error.strerror}"
        ) from error
    try:
        summary = json.loads(text)
        was, names = summary["options"], summary["class_names"]
        count, digest = summary["shards"], summary["digest"]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"data set {name}: {folder / SUMMARY} is damaged; repeat {command}"
        ) from error
    check_options(name, folder, was, options)
    manifests = []
    for number in range(count):
        manifest = shards.read(folder, number)
        if manifest is None:
            raise InputError(
                f"data set {name}: {shards.records_file(folder, number)} is "
                f"missing or not whole; copy it again, or run {command}"
            )
        manifests.append(manifest)
    prepared = collect(folder, names, manifests)
    if prepared.digest != digest:
        raise InputError(
            f"data set {name}: the shards in {folder} are not those of its "
            f"{SUMMARY}; run {command} to the end"
        )
    return dataclasses.replace(prepared, options=was)


def check_options(
    name: str, folder: Path, was: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Raises InputError if a folder was prepared with other options."""
    for key, value in now.items():
        if key not in was or was[key] != json.loads(json.dumps(value)):
            raise InputError(
                f"data set {name}: {folder} was prepared with {key} "
                f"{_shown(was.get(key))}, not {_shown(value)}; restore that, "
                "or name another folder by --config.data.options.data_dir="
                "FOLDER (records are never overwritten)"
            )


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
