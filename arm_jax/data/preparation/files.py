"""Files as people have them: what is wrong with one before it is decoded."""

import csv
import os
from collections.abc import Collection
from pathlib import Path

from arm_jax.errors import InputError

_HEAD = 512
# Reasons that say nothing of a file's bytes, or something of other files that
# belong to it: its size stays when it is mended.
APART = frozenset(
    {
        *("missing", "folder", "no_permission"),
        *("no_flow", "too_few_flow", "flow_differs", "flow_damaged"),
    }
)


class Unusable(Exception):
    """A file cannot be used; it becomes a row of `skipped.csv`.

    Attributes:
      reason: One word, by which such files are counted.
      detail: What else there is to say.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def content(path: str | os.PathLike[str]) -> bytes:
    """Returns the bytes of a media file.

    Raises:
      Unusable: It is missing, cannot be opened, is empty, or is something that
        was left in a media file's place.
    """
    try:
        data = Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise Unusable("missing") from None
    except IsADirectoryError:
        raise Unusable("folder") from None
    except PermissionError:
        raise Unusable("no_permission") from None
    if reason := impostor(data[:_HEAD]):
        raise Unusable(reason)
    return data


def impostor(head: bytes) -> str:
    """Names what stands in the place of a file; empty if nothing is known.

    Args:
      head: Its first bytes, some hundred.
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "empty"
    if start.startswith(b"version https://git-lfs"):
        return "git_lfs_pointer"
    if start.startswith((b"<!doctype html", b"<html")):
        return "html_page"
    return ""


def text(path: Path) -> str:
    """Returns the text of a list, whatever of it is no UTF-8 replaced.

    Raises:
      InputError: It cannot be read, or something else is in its place.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"cannot read {path}: {reason}") from error
    cures = {
        "empty": "is empty: copy it anew",
        "git_lfs_pointer": "is a git-lfs pointer: get the file by git lfs pull",
        "html_page": "is a web page: download the file itself",
    }
    if reason := impostor(data[:_HEAD]):
        raise InputError(f"{path} {cures[reason]}")
    return data.decode("utf-8-sig", "replace")


def rows(path: Path) -> list[list[str]]:
    """Returns the rows of a list of values with commas between them.

    Raises:
      InputError: As `text`; or a quote that nobody closed swallowed the rest.
    """
    reader = csv.reader(text(path).splitlines())
    try:
        return list(reader)
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: {error}; is a quote before it "
            "not closed?"
        ) from error


def folders(path: Path) -> list[Path]:
    """Returns the folders in a folder, sorted by name, but hidden ones."""
    try:
        with os.scandir(path) as entries:
            names = [e.name for e in entries if e.is_dir()]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"cannot read {path}: {reason}") from error
    return [path / n for n in sorted(names) if not n.startswith(".")]


def sizes(path: Path, suffixes: Collection[str]) -> dict[str, int]:
    """Returns the files of a folder, but hidden ones, with their bytes.

    Args:
      path: The folder.
      suffixes: What names end in, in lower case, such as ".jpg".

    Raises:
      InputError: A folder that cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            return {
                entry.name: entry.stat().st_size
                for entry in entries
                if not entry.name.startswith(".")
                and os.path.splitext(entry.name)[1].lower() in suffixes
                and entry.is_file()
            }
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"cannot read {path}: {reason}") from error
