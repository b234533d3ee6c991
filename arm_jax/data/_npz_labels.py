"""The labels of an .npz file: classes, a table of labels, or numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from arm_jax.data import packed
from arm_jax.data.labels import check_learnable, check_range, check_table
from arm_jax.errors import InputError, shortened
from bounds import inputs

_REGRESSION = "regression"


class Labels(NamedTuple):
    """What the array says.

    Attributes:
      values: classes `[n]`, a table of 0 and 1 `[n, labels]`, or numbers, `[n]`
        or `[n, numbers]`.
      class_names: see `arm_jax.data.Dataset`.
      label_names: likewise.
    """

    values: np.ndarray
    class_names: tuple[str, ...]
    label_names: tuple[str, ...]

    @property
    def strata(self) -> np.ndarray:
        """What splits are drawn by: classes or the table; numbers are alike."""
        if self.class_names:
            return self.values
        return np.zeros(len(self.values), np.int64)


def check_task(task: str) -> None:
    """Raises InputError if there is no such task."""
    if task not in ("", _REGRESSION):
        raise InputError(
            "data set 'npz': config data.options.task must be 'regression' or "
            f"empty, got '{shortened(task)}'"
        )


def read(
    archive: packed.Archive,
    key: str,
    task: str,
    num_classes: int,
    label_names: Sequence[str],
) -> Labels:
    """Reads labels; the options are those of `arm_jax.data.npz.load`.

    Raises:
      InputError: as there.
    """
    name = archive.path.name
    if task == _REGRESSION:
        numbers = _numbers(archive, key, num_classes, label_names)
        if numbers.ndim == 1:
            return Labels(numbers, (), ())
        return Labels(numbers, (), _columns(archive, key, numbers, label_names))
    if _is_table(archive.header(key)):
        table = _table(archive, key, num_classes)
        return Labels(
            table, ("0", "1"), _columns(archive, key, table, label_names)
        )
    labels, names = _classes(archive, key, num_classes, label_names)
    classes = len(names) or num_classes or int(labels.max()) + 1
    check_range(name, labels, classes)
    check_learnable(name, {"train": labels}, classes)
    return Labels(labels, names or tuple(str(k) for k in range(classes)), ())


def _classes(
    archive: packed.Archive,
    key: str,
    num_classes: int,
    label_names: Sequence[str],
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns classes `[n]`, and their names if those are the labels."""
    if label_names:
        raise InputError(
            f"{archive.path.name}: label_names are for a table of labels "
            f"[n, labels], and '{key}' has one axis"
        )
    kind = archive.header(key).dtype.kind
    if kind != "U":
        try:
            return integers(archive, key), ()
        except InputError as error:
            if kind != "f":
                raise
            raise InputError(
                f"{error}; training predicts a number as such with "
                "--config.data.options.task=regression"
            ) from error
    text = archive.read(key)
    where = f"{archive.path.name}: '{key}'"
    if text.ndim != 1:
        raise InputError(f"{where} must be a vector, got shape {text.shape}")
    if num_classes:
        raise InputError(f"{where} holds names: num_classes is for numbers")
    empty = np.flatnonzero(text == "")
    if len(empty):
        raise InputError(f"{where}[{empty[0]}] is an empty name")
    names, labels = np.unique(text, return_inverse=True)
    return labels, tuple(map(str, names))


def _numbers(
    archive: packed.Archive,
    key: str,
    num_classes: int,
    label_names: Sequence[str],
) -> np.ndarray:
    """Returns the numbers to be predicted, `[n]` or `[n, numbers]`."""
    where = f"{archive.path.name}: '{packed.shown(key)}'"
    header = archive.header(key)
    several = len(header.shape) == 2 and header.shape[1] > 1
    if header.dtype.kind not in "iuf" or not (
        several or len(header.shape) == 1
    ):
        raise InputError(
            f"{where} must be a vector of numbers, one for each row, or a "
            "table with a column for each of several, for task='regression', "
            f"got {header.dtype} {header.shape}"
        )
    if num_classes or (label_names and not several):
        raise InputError(
            f"{where} is a number for task='regression': num_classes is for "
            "classes, and label_names are for several labels or numbers"
        )
    with packed.about(archive.path.name):
        return inputs.finite(packed.shown(key), archive.read(key))


def _is_table(header: packed.Header) -> bool:
    """Whether labels are a table; what is none of a right type has no task."""
    shape = header.shape
    return len(shape) == 2 and shape[1] > 1 and header.dtype.kind in "biu"


def _table(archive: packed.Archive, key: str, num_classes: int) -> np.ndarray:
    """Returns a table of labels, 0 and 1, int64 `[n, labels]`."""
    where = f"{archive.path.name}: '{packed.shown(key)}'"
    if num_classes:
        raise InputError(f"{where} is a table: num_classes is for classes")
    table = archive.read(key)
    check_table(where, table)
    table = table.astype(np.int64)
    if (table.sum(axis=1) == 1).all():
        raise InputError(
            f"{where} has one 1 in each row, as one class of several has: of "
            f"one-hot rows take {packed.shown(key)}.argmax(axis=1)"
        )
    return table


def _columns(
    archive: packed.Archive,
    key: str,
    table: np.ndarray,
    given: Sequence[str],
) -> tuple[str, ...]:
    """Returns the names of the labels of a table."""
    count = table.shape[1]
    if not given:
        return tuple(map(str, range(count)))
    names = tuple(x.strip() for item in given for x in item.split(","))
    if len(names) != count or len(set(names)) < count or "" in names:
        raise InputError(
            f"{archive.path.name}: label_names must name each of the {count} "
            f"columns of '{packed.shown(key)}' once, got {packed.listed(names)}"
        )
    return names


def integers(archive: packed.Archive, key: str) -> np.ndarray:
    """Returns an array of integers, as they are."""
    with packed.about(archive.path.name):
        return inputs.integers(packed.shown(key), archive.read(key))
