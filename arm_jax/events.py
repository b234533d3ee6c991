"""Metrics as TensorBoard's event files, beside the JSON lines.

They hold what metrics.jsonl holds: a folder for each seed and split, a curve
for each number. A resumed run writes them anew from the lines that it goes on
from, so that no curve goes back.
"""

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arm_jax import processes
from arm_jax.errors import InputError
from arm_jax.workdir import JsonLines

FOLDER = "events"
# What a line is about; the rest are numbers.
_KEYS = ("step", "split", "seed")


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
        self._writers: dict[str, Any] = {}

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record, and its numbers as events."""
        super().append(record)
        self._write(record)
        for writer in self._writers.values():
            writer.flush()

    def keep(self, records: list[dict[str, Any]]) -> None:
        """Replaces the contents of the file, and the events, by `records`."""
        super().keep(records)
        if not processes.leads():
            return
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        shutil.rmtree(self._folder, ignore_errors=True)
        for record in records:
            self._write(record)

    def _write(self, record: Mapping[str, Any]) -> None:
        if not processes.leads():
            return
        from tensorboardX import SummaryWriter

        name = f"seed_{record['seed']}_{record['split']}"
        if name not in self._writers:
            self._writers[name] = SummaryWriter(
                str(self._folder / name), write_to_disk=True
            )
        for key, value in record.items():
            # A number that is not finite is null in the lines.
            if key not in _KEYS and value is not None:
                self._writers[name].add_scalar(key, value, record["step"])
