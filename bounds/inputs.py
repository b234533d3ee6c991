"""Arrays as people have them, taken in without a change of value or meaning.

One function per kind of input, used by every entry point of the project. What
cannot be taken as it is, such as a mask, a missing value or a name in the place
of a number, is refused; the message names the argument, the entry and the cure.
"""

import math
import operator
import reprlib
from numbers import Real
from typing import Any

import jax
import numpy as np
import scipy.sparse

from bounds.errors import InputError

# Largest rounding error that a cast may make, in deviations of the channel.
_ROUNDING = 1e-3
# Rows in which the distinct values of a channel are counted.
_COUNTED_ROWS = 512
# Fewer distinct values than these are no sample of a continuous one.
_CONTINUOUS = 16
# Numbers of `float32` that are compared with what they become at a time.
_COMPARED = 2**20
# How far the entries of a distribution may be from a sum of 1.
_SUM_TOLERANCE = 1e-4
# Integers of a larger size are not all numbers of float64.
_EXACT = 2**53
_MOST_SEED = 2**32 - 1
# Characters of a name, or of a value, in a message.
_NAME, _VALUE, _WORDS = 80, 40, 200
_DROP = "drop the samples that lack a value, or fill them"


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
    name = _short(name)
    array = _native(_plain(name, value))
    if array.dtype.kind in "biuf":
        return array
    raise InputError(f"{name} must be numbers, {_what(name, array)}")


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
        raise InputError(f"{_short(name)}{subscript(index)} is {array[index]}")


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
    name = _short(name)
    array = _native(_plain(name, value), integer=True)
    if array.dtype.kind not in "biu" and array.shape != (0,):
        what = _what(name, array, vector=True)
        raise InputError(f"{name} must be integers, {what}")
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
                f"{_make_codes(name)} makes codes of it"
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
    name = _short(name)
    array = _plain(name, value)
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
            f"{name}[{at}] is {_shown(array[at])}: every sample needs a value"
        )
    try:
        return np.unique(array, return_inverse=True)[1].astype(np.int64)
    except TypeError as error:
        raise InputError(
            f"{name} has entries that cannot be compared: {str(error)[:_WORDS]}"
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
    name = _short(name)
    array = _plain(name, value)
    tolerance = _SUM_TOLERANCE
    if array.dtype.itemsize < 4 and jax.dtypes.issubdtype(
        array.dtype, np.floating
    ):
        tolerance = max(tolerance, float(jax.numpy.finfo(array.dtype).eps))
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
    if p.min() < 0:
        index = first(p < 0)
        raise InputError(
            f"{name}{subscript(index)} is {p[index]:.9g}, a negative "
            "probability; of logits take the softmax"
        )
    total = p.sum(1)
    bad = np.abs(total - 1) > tolerance
    if bad.any():
        at = int(bad.argmax())
        raise InputError(
            f"{name}[{at}] sums to {total[at]:.9g}, no distribution; of logits "
            "take the softmax"
        )
    return p / total[:, None] if tolerance > _SUM_TOLERANCE else p


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
        lost = _loses(channels, rounded)
    if lost.any():
        where = int(lost.argmax())
        low, high = channels[:, where].min(), channels[:, where].max()
        raise InputError(
            f"{_short(name)}: channel {where}, {low:.9g} to {high:.9g}, loses "
            "its values in float32: subtract its mean and divide by its "
            "deviation first"
        )
    return small


def difference(x: np.ndarray, origin: Any) -> np.ndarray:
    """Returns x - origin in float64, rounded once; infinite if too large.

    Integers of 64 bits may be far from 0 and close together: their difference
    is exact where that of their float64 values is not.

    Args:
      x: Numbers, see `numbers`.
      origin: Numbers that broadcast against x.
    """
    origin = np.asarray(origin)
    if all(a.dtype.kind in "iu" and a.dtype.itemsize == 8 for a in (x, origin)):
        half = lambda a: ((a >> 32).astype(np.int64), (a & 0xFFFFFFFF))
        (high, low), (high0, low0) = half(x), half(origin)
        low_difference = low.astype(np.int64) - low0.astype(np.int64)
        return (high - high0) * 2.0**32 + low_difference
    wide = np.result_type(x.dtype, origin.dtype, np.float64)
    with np.errstate(over="ignore"):
        return np.subtract(x, origin, dtype=wide).astype(np.float64, copy=False)


def integer(name: str, value: Any, least: int = 0) -> int:
    """Returns an integer of at least `least`, such as a number of replicates.

    Raises:
      InputError: Another type, booleans and floats among them; less.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_):
        raise InputError(
            f"{_short(name)} must be an integer, got {_shown(value)}"
        )
    if number < least:
        raise InputError(
            f"{_short(name)} must be at least {least}, got {_shown(number)}"
        )
    return number


def seed(name: str, value: Any) -> int:
    """Returns a seed, an integer from 0 to 2**32 - 1.

    Raises:
      InputError: Anything else; None would give other numbers each time.
    """
    number = integer(name, value)
    if number > _MOST_SEED:
        raise InputError(
            f"{_short(name)} must be below 2**32, got {_shown(number)}"
        )
    return number


def real(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """Returns a number strictly between two others, such as a level.

    Raises:
      InputError: Another type; NaN; on or outside the limits.
    """
    array = value if isinstance(value, Real) else np.asarray(value)
    if isinstance(array, np.ndarray) and (
        array.shape or array.dtype.kind not in "iuf"
    ):
        raise InputError(
            f"{_short(name)} must be a number, got {_shown(value)}"
        )
    number = float(array)
    if above < number < below:
        return number
    wanted = "finite"
    if above == 0 and below == math.inf:
        wanted = "positive"
    elif above > -math.inf and below < math.inf:
        wanted = f"between {above:g} and {below:g}"
    elif above > -math.inf:
        wanted = f"above {above:g}"
    elif below < math.inf:
        wanted = f"below {below:g}"
    raise InputError(f"{_short(name)} must be {wanted}, got {_shown(value)}")


def choice(name: str, value: Any, known: tuple[str, ...]) -> str:
    """Returns `value` if it is one of the words `known`.

    Raises:
      InputError: It is not.
    """
    if not isinstance(value, str) or value not in known:
        raise InputError(
            f"{_short(name)} must be one of {', '.join(known)}, got "
            f"{_shown(value)}"
        )
    return value


def first(bad: np.ndarray) -> tuple[int, ...]:
    """Returns the index of the first true entry."""
    index = np.unravel_index(int(bad.argmax()), bad.shape)
    return tuple(int(i) for i in index)


def subscript(index: tuple[int, ...]) -> str:
    """Returns an index as it is written behind a name."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def _loses(x: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    """Whether float32 blurs what tells the values of a channel apart.

    Args:
      x: `[n, channels]`, finite.
      rounded: x in float32.

    Returns:
      `[channels]`.
    """
    n, channels = x.shape
    low, high = x.min(0), x.max(0)
    lost = ~np.isfinite(rounded.min(0)) | ~np.isfinite(rounded.max(0))
    # Deviations are of distances from the smallest value, in units of the
    # largest: squares of very small or large numbers are no numbers.
    largest = difference(high, low)
    unit = np.where(largest > 0, largest, 1)
    error, mean, square = np.zeros((3, channels))
    rows = max(1, _COMPARED // channels)
    for start in range(0, n, rows):
        part = x[start : start + rows]
        small = np.where(lost, 0, rounded[start : start + rows])
        distance = difference(part, low) / unit
        mean += distance.sum(0) / n
        square += (distance**2).sum(0) / n
        error = np.maximum(error, _errors(part, small).max(0))
    deviation = np.sqrt(np.maximum(square - mean**2, 0)) * unit
    lost |= (error > _ROUNDING * deviation) & (largest > 0)
    step = max(1, -(-n // _COUNTED_ROWS))
    columns = max(1, _COMPARED // _COUNTED_ROWS)
    for start in range(0, channels, columns):
        block = np.s_[::step, start : start + columns]
        before, after = _distinct(x[block]), _distinct(rounded[block])
        lost[block[1]] |= (before >= _CONTINUOUS) & (2 * after <= before)
    return lost


def _errors(x: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    """Returns how far finite numbers were moved by rounding."""
    if x.dtype.kind == "f" or x.dtype.itemsize < 8:
        return np.abs(difference(x, rounded))
    # 2**63 or 2**64 is no number of this type, and may be off by a spacing.
    inside = rounded < float(np.iinfo(x.dtype).max)
    back = np.where(inside, rounded, 0).astype(x.dtype)
    return np.where(inside, np.abs(difference(x, back)), np.spacing(rounded))


def _distinct(x: np.ndarray) -> np.ndarray:
    """Number of distinct values of each column."""
    ordered = np.sort(x, axis=0)
    return 1 + (ordered[1:] != ordered[:-1]).sum(0)


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


def _plain(name: str, value: Any) -> np.ndarray:
    """Returns a NumPy array of whatever dtype, nothing masked or missing."""
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
            raise InputError(f"{name}{subscript(index)} is masked: {_DROP}")
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
        words = str(error).partition("\n")[0][:_WORDS]
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
            _plain(f"{name}[{at}]", part)


def _is_pandas(value: Any) -> bool:
    return hasattr(value, "isna") and hasattr(value, "to_numpy")


def _of_pandas(name: str, value: Any) -> np.ndarray:
    """Of a pandas Series, Index or DataFrame, column by column."""
    if getattr(value, "ndim", 1) == 2:
        names = [f"{name}[{_shown(label)}]" for label in value.columns]
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
            f"{name}{subscript(index)} is missing ({_dtype(value.dtype)}): "
            f"{_DROP}"
        )
    dtype = getattr(value.dtype, "numpy_dtype", None)
    return np.asarray(value.to_numpy(dtype) if dtype else value)


def _missing(array: np.ndarray) -> np.ndarray:
    """Where entries are NaN, NaT, None or the like, `[n]`."""
    if array.dtype.kind == "O":
        return np.array([_is_missing(x) for x in array], bool)
    if array.dtype.kind in "fcmM":
        return array != array
    return np.zeros(array.shape, bool)


def _is_missing(entry: Any) -> bool:
    # pandas' NA is neither equal nor unequal to itself.
    if entry is None or type(entry).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(entry, Real) and math.isnan(entry)


def _what(name: str, array: np.ndarray, *, vector: bool = False) -> str:
    """Says what an array holds instead of numbers, and the cure."""
    kind, dtype = array.dtype.kind, _dtype(array.dtype)
    if not array.shape and kind in "OUST":
        return f"got {type(array.item()).__name__} {_shown(array.item())}"
    if kind == "O":
        return _what_object(name, array, vector=vector)
    if kind in "UST":
        return f"got strings ({dtype}); {_make_codes(name)} makes codes of them"
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
        return f"got records with the fields {fields[:_WORDS]}"
    if kind == "V" and array.dtype.type is np.void:
        return (
            f"got raw bytes ({dtype}), as a file keeps bfloat16; save "
            f"{name}.astype(np.float32)"
        )
    if kind == "f":
        good = np.isfinite(array)
        if not good.all():
            index = first(~good)
            return f"{name}{subscript(index)} is {array[index]}; {_DROP}"
        if (array == np.rint(array)).all():
            return f"got {dtype}; {name}.astype(int) makes integers of it"
        return (
            f"got {dtype} with fractions; {_make_codes(name)} makes codes of it"
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
    if _is_missing(entry):
        cure = _DROP
    elif hasattr(entry, "timestamp"):
        cure = "give seconds from a first date"
    elif vector or isinstance(entry, str | bytes):
        cure = f"{_make_codes(name)} makes codes of it"
    else:
        cure = "give every sample the same number of numbers"
    return f"got objects: {name}{subscript(index)} is {_shown(entry)}; {cure}"


def _make_codes(name: str) -> str:
    return f"np.unique({name}, return_inverse=True)[1]"


def _dtype(dtype: Any) -> str:
    return str(dtype)[:_VALUE]


def _short(name: str) -> str:
    """Bounds what is said of a name, of a column or a file for example."""
    name = str(name)
    if len(name) <= _NAME:
        return name
    half = (_NAME - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def _shown(value: Any) -> str:
    """Returns `repr` in a few characters, also of what is very long."""
    if isinstance(value, np.generic):
        value = value.item()
    text = reprlib.repr(value).partition("\n")[0]
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 3]}..."
