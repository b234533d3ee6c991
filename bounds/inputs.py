"""Arrays as people have them, taken in without a change of value or meaning.

One function per kind of input, used by every entry point of the project. What
cannot be taken as it is, such as a mask, a missing value or a name in the place
of a number, is refused; the message names the argument, the entry and the cure.
"""

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
# How far the entries of a distribution may be from a sum of 1.
_SUM_TOLERANCE = 1e-4
CODES = "np.unique({name}, return_inverse=True)[1]"


def numbers(name: str, value: Any) -> np.ndarray:
    """Returns an array of booleans, integers or floats.

    Args:
      name: Name of the argument, for messages.
      value: Array-like: nested lists, NumPy, JAX or PyTorch arrays, pandas
        frames and series. The types of `ml_dtypes`, such as bfloat16, are
        widened, which changes no value; all others keep their dtype.

    Returns:
      NumPy array without a mask, of kind b, i, u or f.

    Raises:
      InputError: Masked or missing entries; sparse matrices; objects, strings,
        dates, complex numbers, records; rows of different lengths.
    """
    array = _plain(name, value)
    kind = array.dtype.kind
    if kind in "biuf":
        return array
    if jax.dtypes.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32)
    if jax.dtypes.issubdtype(array.dtype, np.integer):
        return array.astype(np.int8)
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
    bad = ~np.isfinite(array)
    if bad.any():
        index = first(bad)
        raise InputError(f"{name}{subscript(index)} is {array[index]}")


def integers(name: str, value: Any) -> np.ndarray:
    """Returns a vector of integers, such as classes, symbols or groups.

    Args:
      name: Name of the argument, for messages.
      value: Array-like `[n]` of integers or booleans.

    Returns:
      int64 `[n]`.

    Raises:
      InputError: As `numbers`, with the way to make codes of names; another
        rank; floats; integers that int64 cannot hold.
    """
    array = _plain(name, value)
    codes = CODES.format(name=name)
    if array.dtype.kind not in "biu":
        if jax.dtypes.issubdtype(array.dtype, np.integer):
            array = array.astype(np.int8)
        else:
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
    most = np.iinfo(np.int64).max
    if array.dtype == np.uint64 and (array > most).any():
        at = int(np.flatnonzero(array > most)[0])
        raise InputError(
            f"{name}[{at}] is {array[at]}, more than int64 holds: {codes} "
            "makes codes of it"
        )
    return array.astype(np.int64)


def probabilities(name: str, value: Any) -> np.ndarray:
    """Returns rows that are distributions, such as a classifier's outputs.

    Args:
      name: Name of the argument, for messages.
      value: Array-like `[n, y]`; rows may miss a sum of 1 by 1e-4, as float16
        and float32 ones do.

    Returns:
      float64 `[n, y]`, as given.

    Raises:
      InputError: As `finite`; another rank; a negative entry; a row that does
        not sum to 1.
    """
    p = finite(name, value).astype(np.float64)
    if p.ndim != 2 or not p.size:
        raise InputError(
            f"{name} must have one row of probabilities per sample, got shape "
            f"{p.shape}"
        )
    negative = p < 0
    if negative.any():
        index = first(negative)
        raise InputError(
            f"{name}{subscript(index)} is {p[index]:.9g}, a negative "
            "probability; of logits take the softmax"
        )
    total = p.sum(1)
    bad = np.abs(total - 1) > _SUM_TOLERANCE
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{name}[{at}] sums to {total[at]:.9g}, no distribution; of logits "
            "take the softmax"
        )
    return p


def float32(name: str, x: np.ndarray) -> np.ndarray:
    """Returns finite numbers `[n, ..., channels]` in float32.

    Raises:
      InputError: A channel (last axis) that float32 does not carry, because
        its values are too large or small, or too close together for their
        distance from 0.
    """
    if x.dtype == np.float32 or x.dtype.itemsize < 4:
        return x.astype(np.float32)
    with np.errstate(over="ignore"):
        small = x.astype(np.float32)
    channels = x.reshape(-1, x.shape[-1] if x.ndim > 1 else 1)
    rounded = small.reshape(channels.shape)
    lost = np.asarray(~np.isfinite(rounded).all(0))
    moved = (channels != rounded).any(0) | (x.dtype.kind in "iu")
    for at in np.flatnonzero(~lost & moved).tolist():
        lost[at] = _loses(channels[:, at], rounded[:, at])
    if lost.any():
        where = int(np.flatnonzero(lost)[0])
        low, high = channels[:, where].min(), channels[:, where].max()
        raise InputError(
            f"{name}: channel {where}, {low:.9g} to {high:.9g}, loses its "
            "values in float32: subtract its mean and divide by its deviation "
            "first"
        )
    return small


def _loses(x: np.ndarray, rounded: np.ndarray) -> bool:
    """Whether rounding the finite numbers `x` blurs what tells them apart."""
    # Integers beyond 2**53 and what they are rounded to look alike in float64.
    exact = np.abs(x.astype(np.float64)).max() < 2**53
    error = (
        np.abs(x - rounded.astype(np.float64)) if exact else np.spacing(rounded)
    )
    spread = np.std(x - x[0], dtype=np.float64)
    if spread == 0:
        return False
    if error.max() > _ROUNDING * spread:
        return True
    step = max(1, -(-len(x) // _COUNTED_ROWS))
    distinct = len(np.unique(x[::step]))
    return (
        distinct >= _CONTINUOUS
        and 2 * len(np.unique(rounded[::step])) <= distinct
    )


def first(bad: np.ndarray) -> tuple[int, ...]:
    """Returns the index of the first true entry."""
    return tuple(int(i) for i in np.argwhere(bad)[0])


def subscript(index: tuple[int, ...]) -> str:
    """Returns an index as it is written behind a name."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def _plain(name: str, value: Any) -> np.ndarray:
    """Returns a NumPy array of whatever dtype, nothing masked or missing."""
    if scipy.sparse.issparse(value):
        raise InputError(
            f"{name} is a sparse matrix {value.shape}; pass {name}.toarray(), "
            "or fewer dense columns, such as those of TruncatedSVD"
        )
    if isinstance(value, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(value)
        if mask.any():
            index = first(mask)
            raise InputError(
                f"{name}{subscript(index)} is masked: drop the samples that "
                "lack a value, or fill them"
            )
        return np.asarray(value.data)
    if hasattr(value, "isna") and hasattr(value, "to_numpy"):
        return _of_pandas(name, value)
    try:
        return np.asarray(value)
    except jax.errors.TracerArrayConversionError:
        raise
    # Rows of different lengths; tensors on another device, or with gradients.
    except (ValueError, TypeError, RuntimeError) as error:
        words = str(error).partition("\n")[0][:200]
        raise InputError(
            f"{name} cannot be read as an array: {words}"
        ) from error


def _of_pandas(name: str, value: Any) -> np.ndarray:
    """Of a pandas Series, Index or DataFrame, column by column."""
    if getattr(value, "ndim", 1) == 2:
        columns = [
            numbers(f"{name}[{label!r}]", value.iloc[:, at])
            for at, label in enumerate(value.columns)
        ]
        if not columns:
            return np.zeros((len(value), 0))
        whole = np.stack(columns, axis=1)
        for at, column in enumerate(columns):
            # Integers among floats.
            if column.dtype.kind in "iu" and (whole[:, at] != column).any():
                raise InputError(
                    f"{name}[{value.columns[at]!r}] has integers that "
                    f"{whole.dtype} does not hold, as its other columns need: "
                    "subtract an offset first"
                )
        return whole
    missing = np.asarray(value.isna())
    if missing.any():
        index = first(missing)
        raise InputError(
            f"{name}{subscript(index)} is missing ({value.dtype}): drop the "
            "samples that lack a value, or fill them"
        )
    dtype = getattr(value.dtype, "numpy_dtype", None)
    return np.asarray(value.to_numpy(dtype) if dtype else value)


def _what(name: str, array: np.ndarray, *, vector: bool = False) -> str:
    """Says what an array holds instead of numbers, and the cure."""
    kind, dtype = array.dtype.kind, array.dtype
    codes = CODES.format(name=name)
    if kind == "O":
        entries = array.ravel()
        odd = next(
            (
                i
                for i, x in enumerate(entries)
                if not isinstance(x, int | float)
            ),
            None,
        )
        if odd is None:
            return f"got objects; {name}.astype(np.float64) makes numbers of it"
        index = tuple(int(i) for i in np.unravel_index(odd, array.shape))
        entry = repr(entries[odd])
        entry = entry if len(entry) <= 40 else entry[:37] + "..."
        if entries[odd] is None:
            cure = "drop the samples that lack a value, or fill them"
        elif vector or isinstance(entries[odd], str):
            cure = f"{codes} makes codes of it"
        else:
            cure = "give every sample the same number of numbers"
        return f"got objects: {name}{subscript(index)} is {entry}; {cure}"
    if kind in "US":
        return f"got strings ({dtype}); {codes} makes codes of them"
    if kind in "mM":
        return (
            f"got dates ({dtype}); ({name} - {name}.min()) / "
            "np.timedelta64(1, 's') makes seconds of them"
            if kind == "M"
            else f"got durations ({dtype}); {name} / np.timedelta64(1, 's') "
            "makes seconds of them"
        )
    if kind == "c":
        return f"got complex ones ({dtype}); give .real and .imag as channels"
    if dtype.names:
        return f"got records with the fields {', '.join(dtype.names)[:100]}"
    if kind == "V":
        return (
            f"got raw bytes ({dtype}), as a file keeps bfloat16; save "
            f"{name}.astype(np.float32)"
        )
    if kind == "f" and array.size and np.isfinite(array).all():
        if (array == np.rint(array)).all():
            return f"got {dtype}; {name}.astype(int) makes integers of it"
        return f"got {dtype} with fractions; {codes} makes codes of it"
    return f"got {dtype}"
