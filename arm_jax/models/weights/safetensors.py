"""Reading .safetensors files: a JSON header, and numbers behind it.

The format (github.com/huggingface/safetensors): 8 bytes, the length of the
header, little-endian; the header, JSON, by name of the tensor its `dtype`,
`shape` and `data_offsets`, begin and end behind the header; the numbers,
without gaps. There is no code in such a file, and everything that is said in
the header is checked against the length of the file before a number is read.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from arm_jax.errors import InputError, shortened

SUFFIX = ".safetensors"
# As in the format's own library.
_LONGEST_HEADER = 100_000_000
_DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F16": np.float16,
    "BF16": jnp.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
}
_FLOATS = ("F16", "BF16", "F32", "F64")
# First bytes of what is found in the place of such a file.
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
PICKLE_SUFFIXES = (".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth")
CONVERT = (
    "pickles can run any code and are never loaded; convert it once where it "
    "comes from, with PyTorch: safetensors.torch.save_file(model.state_dict(), "
    "'model.safetensors') (docs/encoders.md)"
)
_OTHERS = {
    b"version https://git-lfs": "is a git-lfs pointer: get it by git lfs pull",
    b"<!doctype html": "is a web page: download the file itself",
    b"<html": "is a web page: download the file itself",
    b"\x89HDF": "is an HDF5 file, and no .safetensors file",
    b"GGUF": "is a GGUF file, and no .safetensors file",
    b"\x93NUMPY": "is an .npy array, and no .safetensors file",
}


class Tensor(NamedTuple):
    """A tensor in a file.

    Attributes:
      file: The file.
      dtype: Its type, as the format calls it.
      shape: Its shape.
      start: Where its numbers begin in the file, in bytes.
    """

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def is_floating(self) -> bool:
        """Whether it holds floats."""
        return self.dtype in _FLOATS

    def read(self) -> np.ndarray:
        """Returns the numbers, in the type that they have in the file.

        Raises:
          InputError: The file cannot be read, or has become shorter.
        """
        count = math.prod(self.shape)
        dtype = np.dtype(_DTYPES[self.dtype]).newbyteorder("<")
        try:
            with self.file.open("rb") as opened:
                opened.seek(self.start)
                data = opened.read(count * dtype.itemsize)
        except OSError as error:
            raise _unreadable(self.file, error) from error
        if len(data) != count * dtype.itemsize:
            raise InputError(f"{self.file} has become shorter: copy it anew")
        return np.frombuffer(data, dtype).reshape(self.shape)


def tensors(file: Path) -> dict[str, Tensor]:
    """Returns the tensors of a file by name, without reading their numbers.

    Raises:
      InputError: The file cannot be read, is no .safetensors file, or is
        damaged.
    """
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            head = opened.read(8)
            length = int.from_bytes(head, "little")
            start = 8 + length
            if len(head) < 8 or not 2 <= length <= min(
                _LONGEST_HEADER, size - 8
            ):
                raise _no_header(file, head + opened.read(504), size)
            text = opened.read(length)
    except OSError as error:
        raise _unreadable(file, error) from error
    if not text.startswith(b"{"):
        raise _no_header(file, head + text[:504], size)
    try:
        header = json.loads(text)
        entries = {
            name: _checked(name, entry)
            for name, entry in header.items()
            if name != "__metadata__"
        }
    # JSON that is none, or has something else in a place.
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            f"{file} is damaged: its header cannot be read "
            f"({shortened(str(error))}); copy it anew"
        ) from error
    end = 0
    for begin, stop, _, _ in sorted(entries.values()):
        if begin != end:
            raise InputError(
                f"{file} is damaged: its tensors overlap or leave gaps; copy "
                "it anew"
            )
        end = stop
    if start + end != size:
        kind = "truncated" if start + end > size else "damaged"
        raise InputError(
            f"{file} is {kind}: it has {size} bytes, its header says "
            f"{start + end}; copy it anew"
        )
    return {
        name: Tensor(file, dtype, shape, start + begin)
        for name, (begin, _, dtype, shape) in entries.items()
    }


def _checked(
    name: str, entry: Mapping[str, Any]
) -> tuple[int, int, str, tuple[int, ...]]:
    """Returns begin, end, dtype and shape of an entry of a header."""
    begin, end = entry["data_offsets"]
    dtype, shape = entry["dtype"], tuple(entry["shape"])
    if any(type(n) is not int or n < 0 for n in (begin, end, *shape)):
        raise ValueError(f"the entry of {name}")
    if dtype not in _DTYPES:
        raise ValueError(f"{name} is of type {dtype}")
    if end - begin != math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize:
        raise ValueError(f"the size of {name}")
    return begin, end, dtype, shape


def is_pickle(file: Path) -> bool:
    """Whether a file is a pickle, or a zip archive as PyTorch makes of them.

    A file that cannot be read is none.
    """
    try:
        with file.open("rb") as opened:
            return opened.read(8).startswith(_PICKLES)
    except OSError:
        return False


def _no_header(file: Path, head: bytes, size: int) -> InputError:
    """Says what is in the place of a .safetensors file."""
    if head.startswith(_PICKLES):
        return InputError(f"{file} is a pickle: {CONVERT}")
    if not size:
        return InputError(f"{file} is empty: copy it anew")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, what in _OTHERS.items():
        if start.lower().startswith(magic.lower()):
            return InputError(f"{file} {what}")
    return InputError(f"{file} is no .safetensors file, or is truncated")


def _unreadable(file: Path, error: OSError) -> InputError:
    reason = error.strerror or type(error).__name__
    return InputError(f"cannot read {file}: {reason}")
