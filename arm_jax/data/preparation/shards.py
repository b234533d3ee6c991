"""One shard: records in one file, and a manifest that says it is whole.

Both get their names when they are complete, the manifest last: a shard without
a manifest is not there.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flax import serialization

from arm_jax.data.preparation.files import Unusable
from arm_jax.data.preparation.items import Item
from arm_jax.errors import InputError
from arm_jax.workdir import write_text

TEMPORARY = ".tmp"


class Row(NamedTuple):
    """An item that has a record; `number` is its place in the index."""

    number: int
    key: str
    split: str
    label: int
    group: str
    state: str


class Skipped(NamedTuple):
    """An item that has none, and why."""

    key: str
    reason: str
    detail: str
    state: str


class Manifest(NamedTuple):
    """What is in a shard.

    Attributes:
      rows: One for each record, in their order.
      skipped: The items that could not be used.
      bytes: Size of the file of the records; 0 if there are none.
      digest: SHA-256 of the records.
    """

    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]
    bytes: int
    digest: str


class Job(NamedTuple):
    """What a process is asked to do: items become the shard `number`."""

    folder: Path
    number: int
    first: int
    items: Sequence[Item]
    decode: Callable[[Any], Mapping[str, Any]]


def records_file(folder: Path, number: int) -> Path:
    """Returns the file of a shard's records."""
    return folder / f"shard-{number:05d}.array_record"


def manifest_file(folder: Path, number: int) -> Path:
    """Returns the file that says what the records of a shard are."""
    return folder / f"shard-{number:05d}.json"


def make(job: Job) -> tuple[int, Manifest]:
    """Decodes the items of a shard and writes it; returns what is in it.

    Raises:
      InputError: A disk that does not let a file be read.
      OSError, RuntimeError: One that does not let the records be written.
    """
    # Not at the head: only this needs it, and not every platform has it.
    from array_record.python.array_record_module import ArrayRecordWriter

    file = records_file(job.folder, job.number)
    manifest = manifest_file(job.folder, job.number)
    temporary = file.with_name(file.name + TEMPORARY)
    sha = hashlib.sha256()
    rows, skipped = [], []
    # Records one by one: they are read in any order.
    writer = ArrayRecordWriter(str(temporary), "group_size:1")
    try:
        for number, item in enumerate(job.items, start=job.first):
            try:
                record = encode(decoded(job, item))
            except Unusable as error:
                row = item.key, error.reason, error.detail[:200], item.state
                skipped.append(Skipped(*row))
                continue
            writer.write(record)
            sha.update(len(record).to_bytes(8, "little"))
            sha.update(record)
            place = item.key, item.split, item.label, item.group, item.state
            rows.append(Row(number, *place))
    finally:
        writer.close()
    # What was there is replaced; in between there is no such shard.
    manifest.unlink(missing_ok=True)
    if rows:
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(file)
    else:
        temporary.unlink()
    size = file.stat().st_size if rows else 0
    made = Manifest(tuple(rows), tuple(skipped), size, sha.hexdigest())
    write_text(manifest, json.dumps(made._asdict()) + "\n")
    return job.number, made


def decoded(job: Job, item: Item) -> Mapping[str, Any]:
    """Returns what `decode` makes of an item.

    Raises:
      Unusable: It cannot be used.
      InputError: A disk that does not let it be read.
    """
    if item.fault:
        raise Unusable(item.fault)
    try:
        return job.decode(item.source)
    except OSError as error:
        # Decoders say what is wrong with a file; this is the disk.
        reason = error.strerror or str(error)[:100]
        raise InputError(
            f"cannot read '{item.key}': {reason}; what is prepared is kept: "
            "repeat the command"
        ) from error
    except Exception as error:
        error.add_note(f"while decoding '{item.key}'")
        raise


def encode(example: Mapping[str, Any]) -> bytes:
    """Returns a record: arrays, bytes and texts by name."""
    return serialization.msgpack_serialize(dict(example))


def read(folder: Path, number: int) -> Manifest | None:
    """Returns the manifest of a shard; None if it is not there, or not whole.

    Raises:
      InputError: A manifest that is none.
    """
    file = manifest_file(folder, number)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        manifest = Manifest(
            tuple(Row(*row) for row in content["rows"]),
            tuple(Skipped(*row) for row in content["skipped"]),
            content["bytes"],
            content["digest"],
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{file} is damaged: remove it, and its shard is prepared anew"
        ) from error
    records = records_file(folder, number)
    size = records.stat().st_size if records.is_file() else 0
    return manifest if size == manifest.bytes or not manifest.rows else None
