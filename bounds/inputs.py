"""Arrays as people have them, taken in without a change of value or meaning.

One function per kind of input, used by every entry point of the project. What
cannot be taken as it is, such as a mask, a missing value or a name in the place
of a number, is refused; the message names the argument, the entry and the cure.
"""

from typing import Any

import jax
import numpy as np
import scipy.sparse

from bounds._narrowing import difference as difference
from bounds._narrowing import loses
from bounds._scalars import boolean as boolean
from bounds._scalars import choice as choice
from bounds._scalars import integer as integer
from bounds._scalars import listed as listed
from bounds._scalars import real as real
from bounds._scalars import seed as seed
from bounds._wording import (
    DROP,
    WORDS,
    dtype_name,
    is_missing,
    make_codes,
    short,
    shown,
    what,
)
from bounds._wording import first as first
from bounds._wording import subscript as subscript
from bounds.errors import InputError

# How far the entries of a distribution may be from a sum of 1.
_SUM_TOLERANCE = 1e-4
# Integers of a larger size are not all numbers of float64.
_EXACT = 2**53


def numbers(name: str, value: Any) -> np.ndarray:
    """Returns an array of booleans, integers or floats.

    Args:
      name: Name of the argument, for messages.
      value: Array-like: nested lists, NumPy, JAX or PyTorch arrays, pandas
        frames and series. The types of `ml_dtypes`, such as bfloat16, are
        widened, and bytes brought into the machine's order, which changes no
        value; all others keep their dtype.

    Returns:
      NumPy array without a mask, of kind b, i, u or f; not a copy of `value`
      if it is such an array already.

    Raises:
      InputError: Masked or missing entries; sparse matrices; objects, strings,
        dates, complex numbers, records; rows of different lengths.
    """
    name = short(name)
    array = _native(plain(name, value))
    if array.dtype.kind in "biuf":
        return array
    raise InputError(f"{name} must be numbers, {what(name, array)}")


def finite(name: str, value: Any) -> np.ndarray:
    """Returns `numbers`, none of which is NaN or infinite.

    Raises:
      InputError: As `numbers`; or an entry that is not finite.
    """
    array = numbers(name, value)
    check_finite(name, array)
    return array


def check_finite(name: str, array: np.ndarray) -> None:
    """Raises InputError that names the first NaN or infinite entry, if any."""
    if array.dtype.kind != "f":
        return
    # The sum is not finite if an entry is not, and takes no memory.
    with np.errstate(invalid="ignore", over="ignore"):
        total = array.sum(dtype=np.result_type(array.dtype, np.float64))
    if np.isfinite(total):
        return
    good = np.isfinite(array)
    if not good.all():
        index = first(~good)
        raise InputError(f"{short(name)}{subscript(index)} is {array[index]}")


def integers(name: str, value: Any) -> np.ndarray:
    """Returns a vector of integers, such as classes, symbols or groups.

    Args:
      name: Name of the argument, for messages.
      value: Array-like `[n]` of integers or booleans.

    Returns:
      int64 `[n]`; not a copy of `value` if it is such an array already.

    Raises:
      InputError: As `numbers`, with the way to make codes of names; another
        rank; floats; integers that int64 cannot hold.
    """
    name = short(name)
    array = _native(plain(name, value), integer=True)
    if array.dtype.kind not in "biu" and array.shape != (0,):
        words = what(name, array, vector=True)
        raise InputError(f"{name} must be integers, {words}")
    if array.ndim != 1:
        cure = ""
        if array.ndim == 2 and array.shape[1] > 1:
            cure = f"; of one-hot rows take {name}.argmax(axis=1)"
        elif array.ndim == 2:
            cure = f"; take {name}[:, 0]"
        raise InputError(
            f"{name} must be a vector of integers, got shape {array.shape}"
            f"{cure}"
        )
    if array.dtype == np.uint64:
        large = array > np.iinfo(np.int64).max
        if large.any():
            at = int(large.argmax())
            raise InputError(
                f"{name}[{at}] is {array[at]}, more than int64 holds: "
                f"{make_codes(name)} makes codes of it"
            )
    return array.astype(np.int64, copy=False)


def codes(name: str, value: Any) -> np.ndarray:
    """Returns codes 0 to K-1 of entries of any type that can be sorted.

    Args:
      name: Name of the argument, for messages.
      value: Array-like `[n]`, such as the names of groups.

    Returns:
      int64 `[n]`, equal where entries are; in the order of the entries.

    Raises:
      InputError: Masked or missing entries, None and NaN among them; another
        rank; entries that cannot be compared.
    """
    name = short(name)
    array = plain(name, value)
    if array.ndim != 1:
        cure = ""
        if array.ndim == 2:
            cure = (
                f"; np.unique({name}, axis=0, return_inverse=True)[1] joins "
                "its columns"
            )
        raise InputError(
            f"{name} must be a vector, got shape {array.shape}{cure}"
        )
    missing = _missing(array)
    if missing.any():
        at = int(missing.argmax())
        raise InputError(
            f"{name}[{at}] is {shown(array[at])}: every sample needs a value"
        )
    try:
        return np.unique(array, return_inverse=True)[1].astype(np.int64)
    except TypeError as error:
        raise InputError(
            f"{name} has entries that cannot be compared: {str(error)[:WORDS]}"
        ) from error


def probabilities(name: str, value: Any) -> np.ndarray:
    """Returns rows that are distributions, such as a classifier's outputs.

    Args:
      name: Name of the argument, for messages.
      value: Array-like `[n, y]`. Rows may miss a sum of 1 by 1e-4; of types
        coarser than float32 by one rounding of 1, and are then divided by it.

    Returns:
      float64 `[n, y]`.

    Raises:
      InputError: As `finite`; another rank; a negative entry; a row that does
        not sum to 1.
    """
    name = short(name)
    array = plain(name, value)
    tolerance = _sum_tolerance(array)
    p = finite(name, array).astype(np.float64, copy=False)
    if p.ndim != 2 or not p.size:
        cure = ""
        if p.ndim == 1 and p.size:
            cure = (
                f"; of the probabilities of class 1 make np.stack([1 - {name}, "
                f"{name}], axis=1)"
            )
        raise InputError(
            f"{name} must have one row of probabilities per sample, got shape "
            f"{p.shape}{cure}"
        )
    return _distributions(name, p, tolerance, "; of logits take the softmax")


def distribution(name: str, value: Any) -> np.ndarray:
    """Returns one distribution, such as that of a label.

    Args:
      name: Name of the argument, for messages.
      value: Array-like `[y]`, like a row of `probabilities`.

    Returns:
      float64 `[y]`.

    Raises:
      InputError: As `finite`; another rank; a negative entry; another sum.
    """
    name = short(name)
    array = plain(name, value)
    if array.ndim != 1 or not array.size:
        raise InputError(
            f"{name} must be a vector of probabilities, got shape {array.shape}"
        )
    p = finite(name, array).astype(np.float64, copy=False)
    return _distributions(name, p, _sum_tolerance(array))


def _distributions(
    name: str, p: np.ndarray, tolerance: float, cure: str = ""
) -> np.ndarray:
    """Returns what is a distribution along the last axis."""
    if p.min() < 0:
        index = first(p < 0)
        raise InputError(
            f"{name}{subscript(index)} is {p[index]:.9g}, a negative "
            f"probability{cure}"
        )
    total = np.asarray(p.sum(-1))
    bad = np.abs(total - 1) > tolerance
    if bad.any():
        index = first(bad)
        raise InputError(
            f"{name}{subscript(index)} sums to {total[index]:.9g}, no "
            f"distribution{cure}"
        )
    return p / total[..., None] if tolerance > _SUM_TOLERANCE else p


def _sum_tolerance(array: np.ndarray) -> float:
    """How far from 1 a sum of numbers of this type may be."""
    is_float = jax.dtypes.issubdtype(array.dtype, np.floating)
    if is_float and array.dtype.itemsize < 4:
        return max(_SUM_TOLERANCE, float(jax.numpy.finfo(array.dtype).eps))
    return _SUM_TOLERANCE


def float32(name: str, value: Any) -> np.ndarray:
    """Returns finite numbers `[n, ..., channels]` in float32.

    No number moves by more than a thousandth of the standard deviation of its
    channel, and no sample of a continuous quantity loses half of its distinct
    values. A channel of one value is rounded.

    Args:
      name: Name of the argument, for messages.
      value: Array-like, see `numbers`.

    Raises:
      InputError: As `finite`; or a channel (last axis) that float32 does not
        carry, because its values are too large or small, or too close together
        for their distance from 0.
    """
    x = finite(name, value)
    if x.dtype.itemsize < 4 or x.dtype == np.float32 or not x.size:
        return x.astype(np.float32, copy=False)
    with np.errstate(all="ignore"):
        small = x.astype(np.float32)
    channels = x.reshape(-1, x.shape[-1] if x.ndim > 1 else 1)
    rounded = small.reshape(channels.shape)
    with np.errstate(all="ignore"):
        lost = loses(channels, rounded)
    if lost.any():
        where = int(lost.argmax())
        low, high = channels[:, where].min(), channels[:, where].max()
        raise InputError(
            f"{short(name)}: channel {where}, {low:.9g} to {high:.9g}, loses "
            "its values in float32: subtract its mean and divide by its "
            "deviation first"
        )
    return small


def _native(array: np.ndarray, *, integer: bool = False) -> np.ndarray:
    """Widens the types of ml_dtypes, and swaps the bytes of foreign ones."""
    dtype = array.dtype
    # 2: of a type that NumPy was told of.
    if dtype.isbuiltin == 2 and jax.dtypes.issubdtype(dtype, np.integer):
        return array.astype(np.int8)
    if dtype.isbuiltin == 2 and jax.dtypes.issubdtype(dtype, np.floating):
        return array if integer else array.astype(np.float32)
    if dtype.kind in "biuf" and not dtype.isnative:
        return array.astype(dtype.newbyteorder("="))
    return array


def plain(name: str, value: Any) -> np.ndarray:
    """Returns a NumPy array of whatever dtype, nothing masked or missing.

    Raises:
      InputError: It cannot be read as one, or has masked or missing entries.
    """
    if isinstance(value, np.ndarray) and not isinstance(
        value, np.ma.MaskedArray
    ):
        return np.asarray(value)
    if scipy.sparse.issparse(value):
        raise InputError(
            f"{name} is a sparse matrix {value.shape}; pass {name}.toarray(), "
            "or fewer dense columns, such as those of TruncatedSVD"
        )
    if isinstance(value, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(value)
        if mask.dtype.names is None and mask.any():
            index = first(mask)
            raise InputError(f"{name}{subscript(index)} is masked: {DROP}")
        return np.asarray(value.data)
    try:
        if _is_pandas(value):
            return _of_pandas(name, value)
        if isinstance(value, list | tuple):
            _check_parts(name, value)
        return np.asarray(value)
    except (InputError, jax.errors.TracerArrayConversionError):
        raise
    # Rows of different lengths; tensors on another device, or with gradients.
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        words = str(error).partition("\n")[0][:WORDS]
        raise InputError(
            f"{name} cannot be read as an array: {words}"
        ) from error


def _check_parts(name: str, parts: list | tuple) -> None:
    """Refuses arrays in a list whose masks NumPy would drop, or the like."""
    for at, part in enumerate(parts):
        if isinstance(part, float | int | str):
            continue
        if isinstance(part, list | tuple):
            _check_parts(f"{name}[{at}]", part)
        elif (
            isinstance(part, np.ma.MaskedArray)
            or scipy.sparse.issparse(part)
            or _is_pandas(part)
        ):
            plain(f"{name}[{at}]", part)


def _is_pandas(value: Any) -> bool:
    return hasattr(value, "isna") and hasattr(value, "to_numpy")


def _of_pandas(name: str, value: Any) -> np.ndarray:
    """Of a pandas Series, Index or DataFrame, column by column."""
    if getattr(value, "ndim", 1) == 2:
        names = [f"{name}[{shown(label)}]" for label in value.columns]
        columns = [
            numbers(label, value.iloc[:, at]) for at, label in enumerate(names)
        ]
        if not columns:
            return np.zeros((len(value), 0))
        whole = np.stack(columns, axis=1)
        for label, column, kept in zip(names, columns, whole.T, strict=True):
            # Integers among floats, or with and without a sign.
            if column.dtype.kind not in "iu" or kept.dtype.kind != "f":
                continue
            if (np.abs(column.astype(np.float64)) >= _EXACT).any():
                raise InputError(
                    f"{label} has integers that {whole.dtype}, as its other "
                    "columns need, does not hold: subtract an offset first"
                )
        return whole
    missing = np.asarray(value.isna())
    if missing.any():
        index = first(missing)
        raise InputError(
            f"{name}{subscript(index)} is missing ({dtype_name(value.dtype)}): "
            f"{DROP}"
        )
    dtype = getattr(value.dtype, "numpy_dtype", None)
    return np.asarray(value.to_numpy(dtype) if dtype else value)


def _missing(array: np.ndarray) -> np.ndarray:
    """Where entries are NaN, NaT, None or the like, `[n]`."""
    if array.dtype.kind == "O":
        return np.array([is_missing(x) for x in array], bool)
    if array.dtype.kind in "fcmM":
        return array != array
    return np.zeros(array.shape, bool)
