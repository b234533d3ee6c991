"""Files of arrays: where they are, and reading each array of them once."""

import hashlib
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from arm_jax.errors import InputError

# Names the folder of the packed data sets. Without it, they are looked for in
# shared/data beside the checkout.
FOLDER_VARIABLE = "ARM_JAX_DATA"
_CHECKOUT = Path(__file__).resolve().parents[2]
_DEFAULT_FOLDER = _CHECKOUT.parent / "shared" / "data"


def find(name: str, path: str, hint: str) -> Path:
    """Returns the packed file of the data set `name`.

    Args:
      name: of the data set; its packed file is NAME.npz.
      path: the file if it is not empty; the default place otherwise.
      hint: what the file is packed from, for the message.

    Raises:
      InputError: there is no such file; the message says how to get it.
    """
    if path:
        file = Path(path).expanduser()
    else:
        folder = os.environ.get(FOLDER_VARIABLE)
        file = Path(folder or _DEFAULT_FOLDER).expanduser() / f"{name}.npz"
    if not file.is_file():
        raise InputError(
            f"data set {name}: no file {file}; give its place as the option "
            f"'path' or its folder in the variable {FOLDER_VARIABLE}. {hint}"
        )
    return file


def read(path: Path, required: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Returns the arrays of an .npz file; pickles are refused.

    Args:
      path: the file.
      required: names of the arrays to read; all if empty.

    Raises:
      InputError: no such file or array, one that cannot be read, or more than
        half of this machine's memory could hold.
    """
    if not path.is_file():
        raise InputError(f"no file {path}")
    try:
        # Each access decompresses an array anew: read every one just once.
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise InputError(f"{path} is one array, not an .npz file")
            absent = [key for key in required if key not in file.files]
            if absent:
                raise InputError(f"{path} has no array '{absent[0]}'")
            wanted = required or file.files
            _check_size(path, wanted)
            return {key: file[key] for key in wanted}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot read {path}: {error}") from error


def _check_size(path: Path, keys: Sequence[str]) -> None:
    """Raises InputError before arrays are unpacked that would not fit."""
    with zipfile.ZipFile(path) as archive:
        sizes = {
            info.filename.removesuffix(".npy"): info.file_size
            for info in archive.infolist()
        }
    needed = sum(sizes[key] for key in keys)
    memory = physical_memory()
    # Half of it: features are copied once to be standardised.
    if needed > memory / 2:
        raise InputError(
            f"{path} unpacks to {needed / 1e9:.1f} GB, more than half of this "
            f"machine's memory ({memory / 1e9:.1f} GB): take fewer rows, or "
            "store features in float32"
        )


def physical_memory() -> int:
    """Returns the bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_shapes(
    name: str, arrays: Mapping[str, np.ndarray], widths: Mapping[str, int]
) -> None:
    """Checks that the rows of all arrays belong together.

    Args:
      name: of the data set.
      arrays: by name, among them `label`.
      widths: of the arrays `[n, width]`; all others are `[n]`.

    Raises:
      InputError: an array has another shape.
    """
    rows = len(arrays["label"])
    for key, x in arrays.items():
        shape = (rows, widths[key]) if key in widths else (rows,)
        if x.shape != shape:
            raise InputError(
                f"{name}: '{key}' has shape {x.shape}, expected {shape}"
            )


def check_codes(name: str, key: str, x: np.ndarray, codes: range) -> None:
    """Raises InputError naming the first entry of `x` outside `codes`."""
    bad = np.flatnonzero((x < codes.start) | (x >= codes.stop))
    if len(bad):
        raise InputError(
            f"{name}: {key}[{bad[0]}] is {x[bad[0]]}, outside "
            f"{codes.start}..{codes.stop - 1}"
        )


def digest(source: Path) -> str:
    """Returns 12 hexadecimal digits that tell the content of a source.

    Args:
      source: a file, or a folder: then names and contents of all its files.
    """
    files = [source]
    if source.is_dir():
        files = sorted(file for file in source.rglob("*") if file.is_file())
    sha = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        if source.is_dir():
            sha.update(f"{file.relative_to(source)} {len(content)}\n".encode())
        sha.update(content)
    return sha.hexdigest()[:12]
