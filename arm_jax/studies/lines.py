"""Studies with a line for each part that is done, resumed behind the last.

Several processes do as many parts at a time, each its own; process 0 writes
their lines, in the order of the parts, so that the file is the same on any
number of them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from arm_jax import processes, record
from arm_jax.workdir import JsonLines, open_workdir, to_json

Part = TypeVar("Part")


def resume(
    folder: Path,
    config: Mapping[str, Any],
    name: str,
    allow: Collection[str],
    data: str | None = None,
) -> tuple[JsonLines, list[dict[str, Any]]]:
    """Opens the folder of a study, and the lines that are there.

    Args:
      folder: The folder, held by a lock.
      config: The study's configuration.
      name: Name of the file of lines.
      allow: What may differ from the study's beginning, see
        `arm_jax.record.ALLOWED`.
      data: Digest of its data, if there are any.

    Returns:
      The file, to append to, and its whole lines; torn ones are dropped.

    Raises:
      InputError: A workdir of another configuration, or of a study that was
        made with something else.
    """
    made_with = record.current(data)
    processes.agree({"config": to_json(config)} | record.of_numbers(made_with))
    open_workdir(folder, config)
    record.enter(folder, made_with, allow)
    lines = JsonLines(folder / name, sealed=True)
    records = processes.tell(lines.read() if processes.leads() else None)
    lines.keep(records)
    return lines, records


def do(
    log: JsonLines,
    parts: Sequence[Part],
    make: Callable[[Part], Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """Does parts of a study, appends their lines, and yields them in order.

    Args:
      log: File of the lines.
      parts: Those that are still to be done.
      make: `make(part) -> line`.
    """
    for start in range(0, len(parts), processes.count()):
        now = parts[start : start + processes.count()]
        index = processes.index()
        mine = to_json(make(now[index])) if index < len(now) else None
        for line in processes.gather(mine)[: len(now)]:
            log.append(line)
            yield line
