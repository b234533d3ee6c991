"""Weights as people have them: a file, or a folder of Hugging Face's."""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from arm_jax.errors import InputError, shortened
from arm_jax.models.weights import safetensors
from arm_jax.models.weights.safetensors import Tensor

_NAME = "model.safetensors"
_INDEX = "model.safetensors.index.json"


class Beside(NamedTuple):
    """What files beside the tensors say; each is empty if there is none.

    Attributes:
      config: config.json.
      preprocessor: preprocessor_config.json, of images.
      pooling: 1_Pooling/config.json, of sentence-transformers.
    """

    config: Mapping[str, Any] = {}
    preprocessor: Mapping[str, Any] = {}
    pooling: Mapping[str, Any] = {}


class Opened(NamedTuple):
    """What lies at a path.

    Attributes:
      path: The path.
      files: The files of tensors.
      tensors: All of them by name.
      beside: What files beside them say.
    """

    path: Path
    files: tuple[Path, ...]
    tensors: Mapping[str, Tensor]
    beside: Beside


def find(path: str) -> tuple[Path, ...]:
    """Returns the files of tensors at a path.

    Args:
      path: A file, or a folder with one, or with several and their index.

    Raises:
      InputError: There is none, there are several, or there are only pickles.
    """
    try:
        place = Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{path}: no home folder is known; write the whole path"
        ) from error
    if not place.exists():
        raise InputError(f"there is no {place}; nothing is downloaded")
    if not place.is_dir():
        if safetensors.is_pickle(place):
            raise InputError(f"{place} is a pickle: {safetensors.CONVERT}")
        return (place,)
    if (place / _INDEX).is_file():
        return _of_index(place / _INDEX)
    there = sorted(
        file
        for file in place.iterdir()
        if file.suffix == safetensors.SUFFIX and not file.name.startswith(".")
    )
    if len(there) == 1:
        return (there[0],)
    named = [file for file in there if file.name == _NAME]
    if named:
        return (named[0],)
    if there:
        names = ", ".join(file.name for file in there[:5])
        raise InputError(f"{place} has several files ({names}): name one")
    pickles = sorted(
        file.name
        for file in place.iterdir()
        if file.suffix in safetensors.PICKLE_SUFFIXES
    )
    if pickles:
        raise InputError(
            f"{place} has no .safetensors file, but {pickles[0]}: "
            f"{safetensors.CONVERT}"
        )
    raise InputError(f"{place} has no .safetensors file")


def opened(path: str) -> Opened:
    """Returns what lies at a path; numbers are not read yet.

    Raises:
      InputError: Files that are missing, unreadable or damaged.
    """
    files = find(path)
    tensors: dict[str, Tensor] = {}
    for file in files:
        more = safetensors.tensors(file)
        if twice := tensors.keys() & more.keys():
            raise InputError(f"{file} has {min(twice)} a second time")
        tensors |= more
    return Opened(
        Path(path).expanduser(), files, tensors, _beside(files[0].parent)
    )


def _beside(folder: Path) -> Beside:
    return Beside(
        _json(folder / "config.json"),
        _json(folder / "preprocessor_config.json"),
        _json(folder / "1_Pooling" / "config.json"),
    )


def digest(path: str) -> str:
    """Returns the SHA-256 of the file, hexadecimal; of several, of theirs.

    Raises:
      InputError: See `find`; or a file that cannot be read.
    """
    digests = []
    for file in find(path):
        try:
            status = file.stat()
            digests.append(_digest(file, status.st_size, status.st_mtime_ns))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise InputError(f"cannot read {file}: {reason}") from error
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def digest_beside(path: str) -> str:
    """Returns the SHA-256 of what files beside the tensors say, hexadecimal.

    Raises:
      InputError: See `find`; or a file that is no JSON.
    """
    said = _beside(find(path)[0].parent)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@functools.lru_cache
def _digest(file: Path, size: int, changed: int) -> str:
    """Size and time of the last change tell whether it is the same file."""
    del size, changed
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _of_index(index: Path) -> tuple[Path, ...]:
    parts = _json(index).get("weight_map")
    if not isinstance(parts, Mapping) or not all(
        isinstance(name, str) and "/" not in name for name in parts.values()
    ):
        raise InputError(f"{index} has no weight_map: copy it anew")
    files = tuple(index.parent / name for name in sorted(set(parts.values())))
    for file in files:
        if not file.is_file():
            raise InputError(f"{index} names {file.name}, which is missing")
    return files


def _json(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"cannot read {file}: {reason}") from error
    except ValueError as error:
        raise InputError(
            f"{file} is no JSON ({shortened(str(error))}): copy it anew"
        ) from error
    return value if isinstance(value, Mapping) else {}
