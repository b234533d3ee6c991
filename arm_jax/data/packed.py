"""Files of arrays: where they are, and reading those arrays that are asked for.

An .npz file is a zip archive of .npy files. They are read here one by one: an
array that nobody asks for costs neither time nor memory and cannot be wrong,
and nothing is ever unpickled. One long file, because reading and what can be
wrong with it belong together.
"""

import contextlib
import hashlib
import lzma
import os
import stat
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from arm_jax.data import kinds, memory
from arm_jax.errors import InputError, shortened
from bounds import inputs

# Names the folder of the packed data sets.
FOLDER_VARIABLE = "ARM_JAX_DATA"
_BLOCK = 2**24
# Share of the memory that arrays may take: the program needs some, too.
_MEMORY_SHARE = 0.8
# What the standard library and NumPy raise for damaged archives.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    SyntaxError,
    RuntimeError,  # NotImplementedError, too: encryption, unknown compression
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tokenize.TokenError,
)


class Header(NamedTuple):
    """What is known of an array before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Number of entries; may be more than any integer type holds."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the array takes."""
        return self.size * self.dtype.itemsize


def expanded(path: str | os.PathLike[str]) -> Path:
    """Returns a path with ~ as the home folder.

    Raises:
      InputError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{path}: no home folder is known; write the whole path"
        ) from error


def find(name: str, path: str | os.PathLike[str], hint: str) -> Path:
    """Returns the packed file of the data set `name`.

    Args:
      name: name of the data set; its packed file is NAME.npz.
      path: the file; empty for that in the folder of the variable
        ARM_JAX_DATA.
      hint: sentence that says what the file is packed from, for the message.

    Raises:
      InputError: there is no such file; the message says how to get it.
    """
    folder = os.environ.get(FOLDER_VARIABLE, "")
    if not os.fspath(path) and not folder:
        raise InputError(
            f"data set {name}: where is {name}.npz? Give it as the option "
            f"'path' or its folder in the variable {FOLDER_VARIABLE}. {hint}"
        )
    file = expanded(path or Path(folder) / f"{name}.npz")
    try:
        check_file(file)
    except InputError as error:
        raise InputError(
            f"data set {name}: {error}; give its place as the option 'path' or "
            f"its folder in the variable {FOLDER_VARIABLE}. {hint}"
        ) from error
    return file


def check_file(path: Path) -> None:
    """Raises InputError that says what `path` is unless it is a file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        if path.is_symlink():
            raise InputError(
                f"{path} is a link to {path.readlink()}, which is not there"
            ) from error
        raise InputError(f"no file {path}") from error
    except (OSError, ValueError) as error:  # null characters
        raise InputError(f"cannot read {path}: {_words(error)}") from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise InputError(
            f"{path} is a pipe or a device; copy its content to a file"
        )


class Archive:
    """An open .npz file, for use with `with`.

    Attributes:
      path: the file.
      names: names of its arrays, in their order.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file.

        Raises:
          InputError: no such file, another kind of file, or a damaged one.
        """
        check_file(path)
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise InputError(f"{path} {_kind_of(path, error)}") from error
        self._members = {
            info.filename.removesuffix(".npy"): info
            for info in self._zip.infolist()
            if info.filename.endswith(".npy")
        }
        self.names = tuple(self._members)
        if not self.names:
            there = [info.filename for info in self._zip.infolist()]
            self._zip.close()
            raise InputError(f"{path} {kinds.of_archive(there)}")

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def header(self, key: str) -> Header:
        """Returns the shape and type of an array.

        Raises:
          InputError: no such array, two of that name, one of objects, or a
            damaged one.
        """
        self._check_name(key)
        with self._open(key) as file:
            header = _read_header(file)
        if header.dtype.hasobject:
            raise InputError(
                f"{self.path}: '{shown(key)}' holds Python objects, which are "
                "pickled and never loaded; save it with .astype(np.float32), "
                "or as codes by np.unique(..., return_inverse=True)[1]"
            )
        if header.nbytes > self._members[key].file_size:
            raise InputError(
                f"{self.path}: '{shown(key)}' is cut short; save or copy the "
                "file again"
            )
        return header

    def read(self, key: str) -> np.ndarray:
        """Returns an array, in this machine's byte order.

        Raises:
          InputError: as `header`.
        """
        self.header(key)
        with self._open(key) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def check_fits(self, needed: int) -> None:
        """Raises InputError if this machine has no `needed` bytes of memory."""
        there = memory.physical_memory()
        if there is not None and needed > _MEMORY_SHARE * there:
            raise InputError(
                f"{self.path} needs {needed / 1e9:.1f} GB, more than "
                f"{_MEMORY_SHARE:.0%} of this machine's memory "
                f"({there / 1e9:.1f} GB): take fewer rows or features, or "
                "store them in float32"
            )

    def _check_name(self, key: str) -> None:
        if key not in self._members:
            raise InputError(
                f"{self.path} has no array '{shown(key)}'; it has: "
                + listed(self.names)
            )
        name = self._members[key].filename
        if sum(i.filename == name for i in self._zip.infolist()) > 1:
            raise InputError(
                f"{self.path} has two arrays '{shown(key)}'; save it anew"
            )

    @contextlib.contextmanager
    def _open(self, key: str) -> Iterator[IO[bytes]]:
        """Opens an array for reading; damage becomes an InputError."""
        try:
            # Of files written by Python 2.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                with self._zip.open(self._members[key]) as file:
                    yield file
        except _DAMAGE as error:
            raise InputError(
                f"{self.path}: cannot read '{shown(key)}' ({_words(error)}); "
                "save or copy the file again"
            ) from error


def read(path: Path, required: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Returns arrays of an .npz file.

    Args:
      path: the file.
      required: names of the arrays to read; all if empty.

    Raises:
      InputError: no such file or array, one that cannot be read, or more than
        this machine's memory holds.
    """
    with Archive(path) as archive:
        wanted = tuple(required) or archive.names
        archive.check_fits(sum(archive.header(key).nbytes for key in wanted))
        return {key: archive.read(key) for key in wanted}


def shown(name: str) -> str:
    """Returns a name as messages show it: printable, and not too long."""
    if not name.isprintable():
        name = ascii(name)[1:-1]
    return shortened(name)


def listed(names: Sequence[str]) -> str:
    """Returns names as messages list them, no more than ten."""
    words = ", ".join(shown(name) for name in sorted(names)[:10])
    more = len(names) - 10
    return words + (f" and {more} more" if more > 0 else "")


def _read_header(file: IO[bytes]) -> Header:
    version = np.lib.format.read_magic(file)
    # Version 3 differs from 2 in the encoding of the names of fields only.
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(file)
    return Header(shape, dtype)


def _kind_of(path: Path, error: Exception) -> str:
    """Says what a file is that is no zip archive, and the cure."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as unreadable:
        return f"cannot be read: {_words(unreadable)}"
    if not start:
        return f"is empty; {kinds.SAVE}"
    if start.startswith(b"PK"):
        return (
            f"is a damaged .npz file ({_words(error)}), perhaps cut short; "
            "save or copy it again"
        )
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS; get the file by git lfs pull"
    return kinds.of_start(start)


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0][:100] or type(error).__name__


def check_shapes(
    name: str,
    arrays: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """Checks that the rows of all arrays belong together.

    Args:
      name: name of the data set.
      arrays: arrays by name, among them `label`.
      shapes: shapes of a row, of those arrays that have more than a number.

    Raises:
      InputError: an array has another shape.
    """
    rows = arrays["label"].shape[:1]
    for key, x in arrays.items():
        shape = (*rows, *shapes.get(key, ()))
        if x.shape != shape:
            raise InputError(
                f"{name}: '{key}' has shape {x.shape}, expected {shape}"
            )


def features(
    name: str, arrays: Mapping[str, np.ndarray], keys: Iterable[str]
) -> dict[str, np.ndarray]:
    """Returns some of a data set's arrays in float32.

    Raises:
      InputError: an entry is no number, or not one that float32 carries.
    """
    with about(name):
        return {
            key: inputs.float32(key, inputs.finite(key, arrays[key]))
            for key in keys
        }


def codes(
    name: str, arrays: Mapping[str, np.ndarray], key: str, known: range
) -> np.ndarray:
    """Returns one of a data set's arrays as integers, int64 `[n]`.

    Raises:
      InputError: an entry is no integer, or not in `known`.
    """
    with about(name):
        x = inputs.integers(key, arrays[key])
    bad = np.flatnonzero((x < known.start) | (x >= known.stop))
    if len(bad):
        raise InputError(
            f"{name}: {key}[{bad[0]}] is {x[bad[0]]}, outside "
            f"{known.start}..{known.stop - 1}"
        )
    return x


@contextlib.contextmanager
def about(what: str) -> Iterator[None]:
    """Puts `what` before the messages of InputErrors."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{what}: {error}") from error


def digest(source: Path) -> str:
    """Returns 12 hexadecimal digits that tell the content of a source.

    Args:
      source: a file, or a folder: then names and contents of all its files.

    Raises:
      InputError: a file that cannot be read.
    """
    if not source.is_dir():
        return _hashed([("", source)])
    files = [file for file in source.rglob("*") if file.is_file()]
    return _hashed(
        sorted((file.relative_to(source).as_posix(), file) for file in files)
    )


def _hashed(files: Sequence[tuple[str, Path]]) -> str:
    sha = hashlib.sha256()
    for name, path in files:
        try:
            if name:
                # Names need not be text.
                title = f"{name} {path.stat().st_size}\n"
                sha.update(title.encode("utf-8", "surrogateescape"))
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    sha.update(block)
        except OSError as error:
            raise InputError(f"cannot read {path}: {_words(error)}") from error
    return sha.hexdigest()[:12]
