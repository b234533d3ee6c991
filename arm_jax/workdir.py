"""The folder of one run: what was run, with what, and what came out.

    config.json     the configuration, resolved
    versions.json   of Python, of the packages, of the code, of the devices
    metrics.jsonl   one strict JSON object a line, none of it depends on time
    checkpoints/    see arm_jax.checkpoint

A folder belongs to one configuration: opening it with another is an error, so
that a resumed run can only be the run that was interrupted.
"""

import functools
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from arm_jax.errors import InputError

_PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy",
    "scipy", "scikit-learn", "tensorflow-datasets",
)  # fmt: skip


def open_workdir(
    path: str | os.PathLike[str], config: Mapping[str, Any]
) -> Path:
    """Creates the folder of a run, or returns to it.

    Args:
      path: the folder; parents are created.
      config: nested mapping of JSON values that identifies the run.

    Returns:
      The absolute path.

    Raises:
      InputError: the folder holds a run of another configuration; the message
        lists the keys that differ.
    """
    workdir = Path(path).expanduser().absolute()
    if workdir.exists() and not workdir.is_dir():
        raise InputError(f"workdir {workdir} is a file")
    workdir.mkdir(parents=True, exist_ok=True)
    wanted = to_json(config)
    config_file = workdir / "config.json"
    if config_file.exists():
        differences = list(_differences(read_json(config_file), wanted))
        if differences:
            raise InputError(
                f"workdir {workdir} holds a run of another configuration "
                f"({'; '.join(differences)}); choose another workdir or "
                "restore these values"
            )
    else:
        write_json(config_file, wanted)
    write_json(workdir / "versions.json", versions())
    return workdir


def versions() -> dict[str, Any]:
    """Returns the versions and devices that this process runs with."""
    packages: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            packages[name] = None
    devices = jax.devices()
    return {
        "python": platform.python_version(),
        "packages": packages,
        "code": source_digest(),
        "revision": _git_revision(),
        "device_kind": devices[0].device_kind,
        "device_count": len(devices),
    }


class JsonLines:
    """An append-only file of JSON objects, one a line, flushed line by line.

    Only process 0 writes. NaN and infinities, which JSON does not have, are
    written as null.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record."""
        if jax.process_index() != 0:
            return
        line = json.dumps(to_json(record), allow_nan=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def read(self) -> list[dict[str, Any]]:
        """Returns all complete records; a half-written last line is left out.

        Raises:
          InputError: a line before the last one is not JSON.
        """
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        records = []
        for number, line in enumerate(lines, start=1):
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                if number == len(lines):
                    break
                raise InputError(
                    f"{self.path}, line {number}: not JSON ({error})"
                ) from error
        return records

    def keep(self, records: list[dict[str, Any]]) -> None:
        """Replaces the file's contents by `records`, in one step."""
        if jax.process_index() != 0:
            return
        text = "".join(json.dumps(r, allow_nan=False) + "\n" for r in records)
        _replace(self.path, text)


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
      InputError: the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON ({error})") from error


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file in one step, so that it is never half-written."""
    if jax.process_index() == 0:
        text = json.dumps(to_json(value), indent=2, allow_nan=False)
        _replace(path, text + "\n")


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


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(
                old.get(key), new.get(key), f"{path}.{key}" if path else key
            )
    elif old != new:
        yield f"{path}: {old!r} there, {new!r} now"


@functools.cache
def source_digest() -> str:
    """Returns a digest of the sources of `arm_jax` and `bounds`."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for package in ("arm_jax", "bounds"):
        for file in sorted((root / package).rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _git_revision() -> str | None:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
