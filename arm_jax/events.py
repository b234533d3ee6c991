"""Metrics as TensorBoard's event files, beside the JSON lines.

They hold what metrics.jsonl holds: a folder for each seed and split, a curve
for each number. A resumed run writes them anew from the lines that it goes on
from, so that no curve goes back.
"""

import importlib.util
import shutil
import struct
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from arm_jax import processes
from arm_jax.errors import InputError
from arm_jax.workdir import JsonLines

FOLDER = "events"
# What a line is about; the rest are numbers.
_KEYS = ("step", "split", "seed")
_VERSION = "brain.Event:2"


class EventLines(JsonLines):
    """An append-only file of metrics that also writes event files."""

    def __init__(self, path: Path) -> None:
        """Opens the file; the events are in a folder beside it.

        Raises:
          InputError: tensorboardX is not installed.
        """
        if importlib.util.find_spec("tensorboardX") is None:
            raise InputError(
                "event files need tensorboardX: pip install "
                "'arm-jax[tensorboard]'"
            )
        super().__init__(path)
        self._folder = path.parent / FOLDER

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record, and its numbers as events."""
        super().append(record)
        self._write([record])

    def keep(self, records: list[dict[str, Any]]) -> None:
        """Replaces the contents of the file, and the events, by `records`."""
        super().keep(records)
        if not processes.leads():
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._write(records)

    def _write(self, records: Iterable[Mapping[str, Any]]) -> None:
        if not processes.leads():
            return
        from tensorboardX.proto.event_pb2 import Event

        # The package's own writer has a thread, which may come late.
        for record in records:
            folder = self._folder / f"seed_{record['seed']}_{record['split']}"
            folder.mkdir(parents=True, exist_ok=True)
            event = Event(wall_time=time.time(), step=record["step"])
            for key, value in record.items():
                # A number that is not finite is null in the lines.
                if key not in _KEYS and value is not None:
                    event.summary.value.add(tag=key, simple_value=value)
            with (folder / "events.out.tfevents.0").open("ab") as file:
                if not file.tell():
                    first = Event(wall_time=time.time(), file_version=_VERSION)
                    file.write(_framed(first.SerializeToString()))
                file.write(_framed(event.SerializeToString()))


def _framed(data: bytes) -> bytes:
    """A record of TensorFlow's format: length and data, each with its sum."""
    from tensorboardX.crc32c import crc32c

    def checked(part: bytes) -> bytes:
        crc = crc32c(part)
        masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        return part + struct.pack("<I", masked)

    return checked(struct.pack("<Q", len(data))) + checked(data)
