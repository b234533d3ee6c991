"""The folder of one run: what was run, with what, and what came out.

    config.json     the configuration, resolved
    record.jsonl    what the run was made with, see arm_jax.record
    metrics.jsonl   one strict JSON object per line, none of it depends on time
    checkpoints/    see arm_jax.checkpoint
    lock            while a process works here, see arm_jax.lock

A folder belongs to one configuration: opening it with another is an error, so
that a resumed run can only be the run that was interrupted.
"""

import hashlib
import json
import math
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import jax
import numpy as np

from arm_jax import processes
from arm_jax.errors import InputError, shortened

# Keys that a message lists.
_MOST_DIFFERENCES = 8
# Bytes; lines are much shorter.
_MOST_OF_A_LINE = 2**24
_DIGEST = "digest"
_STRICT: dict[str, Any] = {"allow_nan": False}


def open_workdir(
    path: str | os.PathLike[str],
    config: Mapping[str, Any],
    apart: Collection[str] = (),
) -> Path:
    """Creates the folder of a run, or returns to it.

    Args:
      path: the folder; parents are created.
      config: nested mapping of JSON values that identifies the run.
      apart: keys, joined by dots, whose values may differ; those in the folder
        stay.

    Returns:
      The absolute path.

    Raises:
      InputError: the folder holds a run of another configuration; the message
        lists the keys that differ. Of several processes the one that leads
        looks.
    """
    workdir = Path(path).expanduser().absolute()
    if workdir.exists() and not workdir.is_dir():
        raise InputError(f"workdir {workdir} is a file")
    if not processes.leads():
        return workdir
    workdir.mkdir(parents=True, exist_ok=True)
    wanted = to_json(config)
    config_file = workdir / "config.json"
    if config_file.exists():
        differences = list(_differences(read_json(config_file), wanted, apart))
        if differences:
            shown = "; ".join(differences[:_MOST_DIFFERENCES])
            more = len(differences) - _MOST_DIFFERENCES
            if more > 0:
                shown += f"; and {more} more"
            raise InputError(
                f"workdir {workdir} holds a run of another configuration "
                f"({shown}); choose another workdir or restore these values"
            )
    else:
        write_json(config_file, wanted)
    return workdir


class JsonLines:
    """An append-only file of JSON objects, one per line.

    Only the process that leads writes. NaN and infinities, which JSON does not
    have, are written as null.
    """

    def __init__(self, path: Path, *, sealed: bool = False) -> None:
        """Opens nothing yet.

        Args:
          path: The file.
          sealed: Whether each line has a digest of the rest of it, which is
            checked where there is one.
        """
        self.path = path
        self._sealed = sealed
        # Whether the last line is known to end.
        self._whole = False

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record."""
        if not processes.leads():
            return
        line = self._line(record)
        with self.path.open("ab+") as file:
            if not self._whole:
                _cut_torn_line(file)
                self._whole = True
            file.write(line.encode() + b"\n")

    def read(self) -> list[dict[str, Any]]:
        """Returns all complete records; a half-written last line is left out.

        Raises:
          InputError: a line that ends is not JSON.
        """
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        lines, ends = content.splitlines(), content.endswith(b"\n")
        records = []
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
            # Not JSON, or not UTF-8.
            except ValueError as error:
                if number == len(lines) and not ends:
                    break
                raise InputError(
                    f"{self.path}, line {number} is damaged ({error}): restore "
                    "the file, or use another workdir"
                ) from error
            if not isinstance(record, dict):
                raise InputError(
                    f"{self.path}, line {number} is no JSON object: restore "
                    "the file, or use another workdir"
                )
            if self._sealed and not _unseal(record):
                raise InputError(
                    f"{self.path}, line {number} is not as it was written: "
                    "restore the file, or use another workdir"
                )
            records.append(record)
        return records

    def keep(self, records: list[dict[str, Any]]) -> None:
        """Replaces the file's contents by `records`, in one step."""
        if not processes.leads():
            return
        write_text(self.path, "".join(self._line(r) + "\n" for r in records))

    def _line(self, record: Mapping[str, Any]) -> str:
        value = to_json(record)
        return json.dumps(_seal(value) if self._sealed else value, **_STRICT)


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
      InputError: the file is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    # Not JSON, or not UTF-8.
    except ValueError as error:
        raise InputError(
            f"{path} is damaged, no JSON ({error}): restore the file, or use "
            "another workdir"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file in one step, so that it is never half-written."""
    if processes.leads():
        text = json.dumps(to_json(value), indent=2, allow_nan=False)
        write_text(path, text + "\n")


def write_results(path: Path, value: Mapping[str, Any]) -> None:
    """Writes results as `write_json` does, with a digest of the rest."""
    write_json(path, _seal(to_json(value)))


def read_results(path: Path) -> dict[str, Any]:
    """Reads what `write_results` wrote; without a digest, unchecked.

    Raises:
      InputError: The file is no JSON object, or not as it was written.
    """
    found = read_json(path)
    if not isinstance(found, dict) or not _unseal(found):
        raise InputError(
            f"{path} is not as it was written: restore the file, or remove it "
            "to have it made anew"
        )
    return found


def _seal(value: Mapping[str, Any]) -> dict[str, Any]:
    return {**value, _DIGEST: _digest(value)}


def _unseal(value: dict[str, Any]) -> bool:
    """Takes the digest out; false if it is that of something else."""
    written = value.pop(_DIGEST, None)
    return written is None or written == _digest(value)


def _digest(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def to_json(value: Any) -> Any:
    """Returns `value` with arrays as lists and non-finite numbers as null."""
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return to_json(np.asarray(value).tolist())
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _cut_torn_line(file: BinaryIO) -> None:
    """Removes what a process that was killed wrote of a last line."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - _MOST_OF_A_LINE)
    file.seek(start)
    tail = file.read()
    if tail and not tail.endswith(b"\n"):
        file.truncate(start + tail.rfind(b"\n") + 1)


def sync(path: Path) -> None:
    """Brings what was appended to a file to the disk, should the power fail."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Writes a text file in one step, so that it is never half-written."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        # On the disk before it has the name, should the power fail.
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _differences(
    old: Any, new: Any, apart: Collection[str], path: str = ""
) -> Iterator[str]:
    if path in apart:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            below = f"{path}.{key}" if path else key
            yield from _differences(old.get(key), new.get(key), apart, below)
    elif old != new:
        shown = [shortened(repr(value)) for value in (old, new)]
        yield f"{path}: {shown[0]} there, {shown[1]} now"
