"""A data set in memory: splits of named modalities, labels and ids."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from arm_jax.errors import InputError
from bounds import inputs

SPLITS = ("train", "validation", "test")
# Entries that are standardised at once: 128 MiB in float64.
_BLOCK = 2**24
# Integers up to here are exact in float64.
_EXACT = 2**53
# Deviations whose squares float64 holds with all digits.
_LEAST = 1e-140
# Rows in which the distinct values of a channel are counted.
_COUNTED_ROWS = 512
# Fewer distinct values than these are no sample of a continuous one.
_CONTINUOUS = 16


@dataclasses.dataclass(frozen=True)
class Split:
    """Examples of one split.

    Attributes:
      inputs: modality name to float32 array `[n, ...]`.
      label: int32 array `[n]`, classes 0 to K-1.
      id: int32 array `[n]`, stable over runs and machines.
      groups: further integer arrays `[n]`, such as the subject; only whether
        two of them are equal counts.
    """

    inputs: Mapping[str, np.ndarray]
    label: np.ndarray
    id: np.ndarray
    groups: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)

    def where(self, chosen: np.ndarray) -> "Split":
        """Returns the examples that `chosen`, bool `[n]`, marks."""
        return Split(
            inputs={name: x[chosen] for name, x in self.inputs.items()},
            label=self.label[chosen],
            id=self.id[chosen],
            groups={name: x[chosen] for name, x in self.groups.items()},
        )

    def take(self, indices: np.ndarray) -> dict:
        """Returns the examples at `indices` as one batch."""
        return {
            "inputs": {name: x[indices] for name, x in self.inputs.items()},
            "label": self.label[indices],
            "id": self.id[indices],
        }


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The three splits and what a model has to know about them."""

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one example of each modality, sorted by name."""
        inputs = self.splits["train"].inputs
        return {name: inputs[name].shape[1:] for name in sorted(inputs)}

    @property
    def log_prior(self) -> np.ndarray:
        """Log share of each class in the training split, `[K]`, nats."""
        label = self.splits["train"].label
        counts = np.bincount(label, minlength=len(self.class_names))
        return np.log(counts / counts.sum())

    @functools.cached_property
    def digest(self) -> str:
        """12 hexadecimal digits that tell what was loaded, but for the name.

        Equal data have equal digests on all machines.
        """
        sha = hashlib.sha256(repr([str(k) for k in self.class_names]).encode())
        for split_name, split in sorted(self.splits.items()):
            arrays = {
                **{("input", name): x for name, x in split.inputs.items()},
                **{("group", name): x for name, x in split.groups.items()},
                ("label", ""): split.label,
                ("id", ""): split.id,
            }
            for key in sorted(arrays):
                x = arrays[key]
                # Integers by value, whatever their type.
                dtype = "<i8" if x.dtype.kind in "biu" else x.dtype
                x = np.ascontiguousarray(x, np.dtype(dtype).newbyteorder("<"))
                title = split_name, *key, x.dtype.str, x.shape
                sha.update(repr(title).encode())
                sha.update(x.reshape(-1).view(np.uint8).data)
        return sha.hexdigest()[:12]


def checked(dataset: Dataset) -> Dataset:
    """Returns `dataset` if a model can be trained on it.

    Raises:
      InputError: splits other than the three; arrays that do not belong
        together; an empty split, missing or infinite features, labels outside
        0..K-1, or a class that has no training example.
    """
    if set(dataset.splits) != set(SPLITS):
        raise InputError(
            f"{dataset.name}: the splits must be {', '.join(SPLITS)}; got "
            f"{', '.join(map(str, dataset.splits)) or 'none'}"
        )
    for split_name, split in dataset.splits.items():
        where = f"{dataset.name}, split '{split_name}'"
        _check_arrays(where, split, dataset.splits["train"])
    classes = len(dataset.class_names)
    for split_name, split in dataset.splits.items():
        where = f"{dataset.name}, split '{split_name}'"
        check_range(where, split.label, classes)
    check_learnable(
        dataset.name,
        {key: split.label for key, split in dataset.splits.items()},
        classes,
        dataset.class_names,
    )
    for split_name, split in dataset.splits.items():
        where = f"{dataset.name}, split '{split_name}'"
        for modality, x in split.inputs.items():
            check_complete(f"{where}: {modality}", x)
    return dataset


def _check_arrays(where: str, split: Split, train: Split) -> None:
    """Checks that the arrays of a split belong together and to `train`."""
    shapes = {name: x.shape[1:] for name, x in split.inputs.items()}
    expected = {name: x.shape[1:] for name, x in train.inputs.items()}
    if shapes != expected or not shapes:
        raise InputError(
            f"{where}: samples have the shapes {shapes}, those of the training "
            f"split {expected}"
        )
    vectors = {"label": split.label, "id": split.id, **split.groups}
    for name, x in vectors.items():
        if x.ndim != 1 or x.dtype.kind not in "iu":
            raise InputError(
                f"{where}: {name} must be a vector of integers, got "
                f"{x.dtype} {x.shape}"
            )
    for name, x in {**split.inputs, **vectors}.items():
        if len(x) != len(split):
            raise InputError(
                f"{where}: {name} has {len(x)} rows, label {len(split)}"
            )
    for name, x in split.inputs.items():
        if x.dtype != np.float32:
            raise InputError(f"{where}: {name} must be float32, got {x.dtype}")
    if not len(split):
        raise InputError(f"{where}: no examples")


def check_range(name: str, label: np.ndarray, classes: int) -> None:
    """Raises InputError that names the first label outside 0..classes - 1."""
    bad = np.flatnonzero((label < 0) | (label >= classes))
    if len(bad):
        raise InputError(
            f"{name}: label[{bad[0]}] is {label[bad[0]]}, outside "
            f"0..{classes - 1}"
        )


def check_learnable(
    name: str,
    labels: Mapping[str, np.ndarray],
    classes: int,
    class_names: Sequence[str] = (),
) -> None:
    """Checks that there are classes, and training examples of each.

    Args:
      name: name of the data set, for messages.
      labels: integers `[n]` in 0..K-1 of each split.
      classes: number K of classes.
      class_names: their names, if they have any.

    Raises:
      InputError: fewer than two classes, or one without a training example.
    """
    if classes < 2:
        raise InputError(
            f"{name}: a task needs two classes or more, got {classes}"
        )
    present = np.unique(labels["train"])
    absent = classes - len(present)
    if not absent:
        return
    # No more than the first ones: there may be millions.
    first = np.setdiff1d(np.arange(len(present) + 3), present)
    words = [
        f"{k} ({class_names[k]})" if class_names else str(k)
        for k in first[: min(3, absent)].tolist()
    ]
    elsewhere = np.setdiff1d(np.concatenate(list(labels.values())), present)
    if len(elsewhere):
        cure = (
            f"rows of class {elsewhere[0]} are in other splits only: move some "
            "to the training split, or drop them"
        )
    else:
        cure = (
            "classes are 0 to K-1 without holes, such as "
            "np.unique(label, return_inverse=True)[1]"
        )
    raise InputError(
        f"{name}: no training example of class {', '.join(words)}"
        + (f" and {absent - 3} more" if absent > 3 else "")
        + f" (K is {classes}); {cure}"
    )


def check_complete(name: str, x: np.ndarray) -> None:
    """Raises InputError if any of the rows `[n, ...]` has NaN or infinities."""
    if x.dtype.kind != "f":
        return
    rows, first = 0, None
    for start, block in _blocks(x, np.arange(len(x))):
        bad = ~np.isfinite(block)
        if bad.any():
            row, *rest = inputs.first(bad)
            first = first or (start + row, *rest)
            rows += int(bad.reshape(len(bad), -1).any(1).sum())
    if first is not None:
        raise InputError(
            f"{name}{inputs.subscript(first)} is {x[first]}, and {rows} of "
            f"{len(x)} rows ({rows / len(x):.1%}) have such entries: drop "
            "these rows, or fill them, as with the mean of the training rows. "
            "Training with missing modalities is not supported yet"
        )


def standardized(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Returns splits with each channel at mean 0 and deviation 1 on `train`.

    The channels of a modality are its last axis. A channel that is constant in
    the training split, up to rounding, is only centred. Inputs may be of any
    type of numbers and are float32 afterwards.

    Raises:
      InputError: as `standardized_parts`.
    """
    order = ["train", *(name for name in splits if name != "train")]
    scaled: dict[str, dict[str, np.ndarray]] = {name: {} for name in splits}
    for modality in splits["train"].inputs:
        parts = [splits[name].inputs[modality] for name in order]
        arrays = standardized_parts(
            modality, [(x, np.arange(len(x))) for x in parts]
        )
        for name, x in zip(order, arrays, strict=True):
            scaled[name][modality] = x
    return {
        name: dataclasses.replace(split, inputs=scaled[name])
        for name, split in splits.items()
    }


def standardized_parts(
    name: str, parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[np.ndarray]:
    """Brings channels to mean 0 and deviation 1 before they become float32.

    All is computed in float64, block by block, so that beside the result
    little memory is needed. Of integers that float64 does not hold, the least
    one of the channel is subtracted first.

    Args:
      name: name of the modality, for messages.
      parts: arrays `[n, ..., channels]` of finite numbers, and the rows of
        each that are meant; mean and deviation are those of the first part.

    Returns:
      float32 `[rows, ..., channels]` of each part.

    Raises:
      InputError: a channel whose deviation float64 cannot hold, or which has
        outliers so far that float32 blurs the others.
    """
    if parts[0][0].ndim < 2:
        raise InputError(
            f"{name} must have rows and channels, got shape {parts[0][0].shape}"
        )
    offset = _exact_offset([x for x, _ in parts])
    scale = _scale(name, *parts[0], offset)
    return [_scaled(name, x, rows, scale) for x, rows in parts]


class _Scale(NamedTuple):
    """How channels are centred and scaled; arrays of one entry per channel.

    Attributes:
      offset: what is subtracted first, in the type of the data; or None.
      mean: their mean, as far as its sum was exact.
      rest: what it lacks.
      deviation: their deviation, 1 for a constant channel.
    """

    offset: np.ndarray | None
    mean: np.ndarray
    rest: np.ndarray
    deviation: np.ndarray

    def centred(self, block: np.ndarray) -> np.ndarray:
        """Subtracts what is exact first; a new array in float64."""
        out = _minus(block, self.offset)
        out = np.subtract(out, self.mean, dtype=np.float64)
        return np.subtract(out, self.rest, out=out) if self.rest.any() else out


def _scale(
    name: str, x: np.ndarray, rows: np.ndarray, offset: np.ndarray | None
) -> _Scale:
    axes = tuple(range(x.ndim - 1))
    count = len(rows) * math.prod(x.shape[1:-1])
    if not count:
        raise InputError(f"{name}: no training rows to standardise on")
    lows, highs, total = [], [], np.zeros(x.shape[-1])
    squares, rest = np.zeros_like(total), np.zeros_like(total)
    with np.errstate(over="ignore", invalid="ignore"):
        for _, block in _blocks(x, rows):
            block = _minus(block, offset)
            lows.append(block.min(axes))
            highs.append(block.max(axes))
            total += block.sum(axes, dtype=np.float64)
        low = np.min(lows, axis=0).astype(np.float64)
        high = np.max(highs, axis=0).astype(np.float64)
        constant = high - low <= _tolerance(x.dtype, low, high)
        mean = np.where(high == low, low, total / count)
        first = _Scale(offset, mean, np.zeros_like(mean), np.ones_like(mean))
        for _, block in _blocks(x, rows):
            centred = first.centred(block)
            rest += centred.sum(axes) / count
            np.multiply(centred, centred, out=centred)
            squares += centred.sum(axes) / count
        deviation = np.sqrt(squares)
        # Sums of far values are rounded; where float32 does not show it, it
        # does not matter.
        rest = np.where(np.abs(rest) > 2**-24 * deviation, rest, 0)
        exact = np.sqrt(np.maximum(squares - rest**2, 0))
        deviation = np.where(rest == 0, deviation, exact)
    bad = ~constant & ~(np.isfinite(deviation) & (deviation > _LEAST))
    if bad.any():
        raise InputError(
            f"{name}: {_channel(bad, low, high, offset)}, cannot be "
            "standardised in float64: bring it near 1 by a factor first"
        )
    scale = _Scale(offset, mean, rest, np.where(constant, 1.0, deviation))
    lost = ~constant & _joined(x, rows, scale)
    if lost.any():
        raise InputError(
            f"{name}: {_channel(lost, low, high, offset)}, has outliers so far "
            "that float32 blurs its other values: drop or clip them, or take "
            "logarithms"
        )
    return scale


def _channel(
    chosen: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    offset: np.ndarray | None,
) -> str:
    """Names the first chosen channel and its least and largest value."""
    at = int(np.flatnonzero(chosen)[0])
    base = 0.0 if offset is None else float(offset[at])
    return f"channel {at}, {base + low[at]:.9g} to {base + high[at]:.9g}"


def _joined(x: np.ndarray, rows: np.ndarray, scale: _Scale) -> np.ndarray:
    """Whether float32 joins most values of each channel, once it is scaled."""
    most = min(_COUNTED_ROWS, _BLOCK // max(1, math.prod(x.shape[1:])))
    sample = x[rows[:: -(-len(rows) // max(1, most))]]
    values = np.sort(sample.reshape(-1, x.shape[-1]), axis=0)
    small = (scale.centred(values) / scale.deviation).astype(np.float32)
    distinct, left = (
        np.count_nonzero(v[1:] != v[:-1], axis=0) + 1 for v in (values, small)
    )
    return (distinct >= _CONTINUOUS) & (2 * left <= distinct)


def _scaled(
    name: str, x: np.ndarray, rows: np.ndarray, scale: _Scale
) -> np.ndarray:
    out = np.empty((len(rows), *x.shape[1:]), np.float32)
    with np.errstate(over="ignore"):
        for start, block in _blocks(x, rows):
            centred = scale.centred(block)
            np.divide(centred, scale.deviation, out=centred)
            part = out[start : start + len(block)]
            part[...] = centred
            bad = ~np.isfinite(part)
            if bad.any():
                index = inputs.first(bad)
                raise InputError(
                    f"{name}: {block[index]:.9g} is {centred[index]:.3g} "
                    "deviations of the training rows from their mean, more "
                    "than float32 holds: drop or clip such outliers"
                )
    return out


def _blocks(
    x: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields rows of `x` in blocks of bounded size, and where each begins."""
    step = max(1, _BLOCK // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(rows), step):
        yield start, x[rows[start : start + step]]


def _exact_offset(arrays: Sequence[np.ndarray]) -> np.ndarray | None:
    """The least number of each channel if float64 does not hold them all."""
    dtype = arrays[0].dtype
    if dtype.itemsize < 8 or dtype == np.float64:
        return None
    axes = tuple(range(arrays[0].ndim - 1))
    filled = [x for x in arrays if x.size]
    low = np.min([x.min(axes) for x in filled], axis=0)
    high = np.max([x.max(axes) for x in filled], axis=0)
    if dtype.kind in "iu" and (low >= -_EXACT).all() and (high <= _EXACT).all():
        return None
    return low


def _minus(block: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """Subtracts an offset that is nowhere larger than the block."""
    if offset is None:
        return block
    if block.dtype.kind == "f":
        return block - offset
    # Exact modulo 2**64, and no difference is negative or larger than that.
    return block.astype(np.uint64) - offset.astype(np.uint64)


def _tolerance(
    dtype: np.dtype, low: np.ndarray, high: np.ndarray
) -> np.ndarray | float:
    """Range below which the numbers of a channel differ by rounding only."""
    if dtype.kind != "f":
        return 0.0
    return 4 * np.spacing(np.maximum(np.abs(low), np.abs(high)))
