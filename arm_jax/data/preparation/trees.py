"""Folders of media: which files there are, and what they seem to be."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from arm_jax.data import packed
from arm_jax.errors import InputError

# What names of files of known data sets look like.
_KINDS = {
    "UCF-101": re.compile(r"v_[A-Za-z]+_g\d\d_c\d\d\."),
    "CREMA-D": re.compile(r"\d{4}_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}\."),
    "Kinetics": re.compile(r".{11}_\d{6}_\d{6}\."),
}
_PACKED = (".zip", ".tar", ".gz", ".tgz", ".rar", ".7z", ".001")
_DEPTH = 5
# At the root of a disk, and of nobody's data: users may not look into it.
_OF_THE_DISK = "lost+found"


class File(NamedTuple):
    """A file, and its size in bytes."""

    path: Path
    size: int


def files(
    root: Path,
    suffixes: Collection[str],
    *,
    enters: Callable[[str], bool] = lambda name: True,
    depth: int = _DEPTH,
) -> Iterator[File]:
    """Yields the files below a folder, but hidden ones, by their path.

    Args:
      root: The folder.
      suffixes: What names end in, in lower case, such as ".mp4".
      enters: Tells by its name whether a folder is looked into.
      depth: How many folders deep.

    Raises:
      InputError: A folder that cannot be read.
    """
    folders = []
    try:
        with os.scandir(root) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.name == _OF_THE_DISK:
                    continue
                if os.path.splitext(entry.name)[1].lower() in suffixes:
                    yield File(Path(entry.path), _size(entry))
                elif entry.is_dir() and enters(entry.name):
                    folders.append(entry.path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"cannot read {root}: {reason}") from error
    if depth:
        for folder in folders:
            yield from files(
                Path(folder), suffixes, enters=enters, depth=depth - 1
            )


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # a link to nowhere
        return -1


def folder(name: str, path: str, holds: str) -> Path:
    """Returns the folder of a data set.

    Args:
      name: Name of the data set.
      path: The option `path`.
      holds: What the folder holds, for messages.

    Raises:
      InputError: It is not given, or not there.
    """
    option = "--config.data.options.path=FOLDER"
    if not path:
        raise InputError(
            f"data set {name} needs the option 'path' ({option}), the folder "
            f"with {holds}"
        )
    root = packed.expanded(path)
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise InputError(
            f"data set {name}: {root} {what}; 'path' is the folder with {holds}"
        )
    return root


def hints(root: Path, own: str, found: Iterable[File]) -> str:
    """Says what a folder seems to hold in place of a data set.

    Args:
      root: The folder.
      own: The key of _KINDS that was hoped for.
      found: Files that are there.
    """
    said = []
    for file in found:
        kinds = [k for k, x in _KINDS.items() if x.match(file.path.name)]
        if kinds and own not in kinds:
            said.append(f"{file.path.name} looks like {kinds[0]}")
            break
    packs = [
        path.name
        for path in sorted(root.iterdir())
        if path.name.lower().endswith(_PACKED)
    ]
    if packs:
        said.append(f"unpack {packs[0]} first")
    return "".join(f"; {hint}" for hint in said)


def lists(
    name: str, roots: Iterable[Path], pattern: str, depth: int = 3
) -> dict[str, Path]:
    """Returns the lists below some folders, by their names, first come.

    Args:
      name: Name of the data set.
      roots: Folders, or files that are lists themselves.
      pattern: Regular expression of their names, in lower case.
      depth: How many folders deep.
    """
    wanted = re.compile(pattern)
    found: dict[str, Path] = {}
    for root in roots:
        if root.is_file():
            if wanted.fullmatch(root.name.lower()):
                found.setdefault(root.name.lower(), root)
            continue
        if not root.is_dir():
            raise InputError(
                f"data set {name}: {root} does not exist; 'lists' is the "
                "folder with the lists"
            )
        suffixes = {".csv", ".txt"}
        for file in files(root, suffixes, enters=_no_class, depth=depth):
            if wanted.fullmatch(file.path.name.lower()):
                found.setdefault(file.path.name.lower(), file.path)
    return found


def _no_class(name: str) -> bool:
    """Tells folders that may have lists from those of one class or clip."""
    return not name.startswith("v_")
