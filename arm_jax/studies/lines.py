"""Studies with a line for each part that is done, resumed behind the last."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from arm_jax import record
from arm_jax.workdir import JsonLines, open_workdir


def resume(
    folder: Path,
    config: Mapping[str, Any],
    name: str,
    allow: Collection[str],
) -> tuple[JsonLines, list[dict[str, Any]]]:
    """Opens the folder of a study, and the lines that are there.

    Args:
      folder: The folder, held by a lock.
      config: The study's configuration.
      name: Name of the file of lines.
      allow: What may differ from the study's beginning, see
        `arm_jax.record.ALLOWED`.

    Returns:
      The file, to append to, and its whole lines; torn ones are dropped.

    Raises:
      InputError: A workdir of another configuration, or of a study that was
        made with something else.
    """
    open_workdir(folder, config)
    record.enter(folder, record.current(), allow)
    lines = JsonLines(folder / name)
    records = lines.read()
    lines.keep(records)
    return lines, records
