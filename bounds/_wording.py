"""What messages say of names, values and arrays: bounded, with the cure."""

import math
import reprlib
from numbers import Real
from typing import Any

import numpy as np

# How much is said of a name, a value, a list of words.
_NAME, _VALUE, WORDS = 80, 40, 200
DROP = "drop the samples that lack a value, or fill them"


def first(bad: np.ndarray) -> tuple[int, ...]:
    """Returns the index of the first true entry."""
    index = np.unravel_index(int(bad.argmax()), bad.shape)
    return tuple(int(i) for i in index)


def subscript(index: tuple[int, ...]) -> str:
    """Returns an index as it is written behind a name."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def is_missing(entry: Any) -> bool:
    # pandas' NA is neither equal nor unequal to itself.
    if entry is None or type(entry).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(entry, Real) and math.isnan(entry)


def what(name: str, array: np.ndarray, *, vector: bool = False) -> str:
    """Says what an array holds instead of numbers, and the cure."""
    kind, dtype = array.dtype.kind, dtype_name(array.dtype)
    if not array.shape and kind in "OUST":
        return f"got {type(array.item()).__name__} {shown(array.item())}"
    if kind == "O":
        return _what_object(name, array, vector=vector)
    if kind in "UST":
        return f"got strings ({dtype}); {make_codes(name)} makes codes of them"
    if kind == "M":
        return (
            f"got dates ({dtype}); ({name} - {name}.min()) / "
            "np.timedelta64(1, 's') makes seconds of them"
        )
    if kind == "m":
        return (
            f"got durations ({dtype}); {name} / np.timedelta64(1, 's') makes "
            "seconds of them"
        )
    if kind == "c":
        return f"got complex ones ({dtype}); give .real and .imag as channels"
    if array.dtype.names:
        fields = ", ".join(array.dtype.names)
        return f"got records with the fields {fields[:WORDS]}"
    if kind == "V" and array.dtype.type is np.void:
        return (
            f"got raw bytes ({dtype}), as a file keeps bfloat16; save "
            f"{name}.astype(np.float32)"
        )
    if kind == "f":
        good = np.isfinite(array)
        if not good.all():
            index = first(~good)
            return f"{name}{subscript(index)} is {array[index]}; {DROP}"
        if (array == np.rint(array)).all():
            return f"got {dtype}; {name}.astype(int) makes integers of it"
        return (
            f"got {dtype} with fractions; {make_codes(name)} makes codes of it"
        )
    return f"got {dtype}"


def _what_object(name: str, array: np.ndarray, *, vector: bool) -> str:
    odd = next(
        (
            (i, x)
            for i, x in enumerate(array.flat)
            if not isinstance(x, Real | np.bool_)
            or (vector and isinstance(x, float) and math.isnan(x))
        ),
        None,
    )
    if odd is None:
        dtype = "np.int64" if vector else "np.float64"
        return f"got objects; {name}.astype({dtype}) makes numbers of it"
    at, entry = odd
    index = tuple(int(i) for i in np.unravel_index(at, array.shape))
    if is_missing(entry):
        cure = DROP
    elif hasattr(entry, "timestamp"):
        cure = "give seconds from a first date"
    elif vector or isinstance(entry, str | bytes):
        cure = f"{make_codes(name)} makes codes of it"
    else:
        cure = "give every sample the same number of numbers"
    return f"got objects: {name}{subscript(index)} is {shown(entry)}; {cure}"


def make_codes(name: str) -> str:
    return f"np.unique({name}, return_inverse=True)[1]"


def dtype_name(dtype: Any) -> str:
    return str(dtype)[:_VALUE]


def short(name: str) -> str:
    """Bounds what is said of a name, of a column or a file for example."""
    name = str(name)
    if len(name) <= _NAME:
        return name
    half = (_NAME - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def shown(value: Any) -> str:
    """Returns `repr` in a few characters, also of what is very long."""
    if isinstance(value, np.generic):
        value = value.item()
    text = reprlib.repr(value).partition("\n")[0]
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 3]}..."
