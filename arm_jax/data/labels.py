"""What examples are labelled with: classes, several labels, or numbers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from arm_jax.errors import InputError
from bounds import inputs

if TYPE_CHECKING:
    from arm_jax.data.dataset import Dataset


class Target(NamedTuple):
    """A number to be predicted, or several at once, in the training split.

    Attributes:
      mean: Mean; of several numbers float64 `[numbers]`.
      deviation: Standard deviation, likewise.
    """

    mean: float | np.ndarray
    deviation: float | np.ndarray


def check(dataset: "Dataset") -> None:
    """Checks the labels of a data set whose arrays belong together.

    Raises:
      InputError: see `arm_jax.data.dataset.checked`.
    """
    if dataset.target is not None:
        _check_target(dataset)
    elif dataset.label_names:
        _check_labels(dataset)
    else:
        _check_classes(dataset)


def check_array(where: str, label: np.ndarray, dataset: "Dataset") -> None:
    """Checks type and shape of the labels of a split.

    Args:
      where: Name of the split, for the message.
      label: Its labels.
      dataset: What they are to be labels of.

    Raises:
      InputError: They are others than the data set's fields say.
    """
    columns = len(dataset.label_names)
    if dataset.target is not None:
        right = label.dtype == np.float32
        kind = "float32"
    else:
        right, kind = label.dtype.kind in "iu", "integers"
    wanted = f"a vector of {kind}"
    if columns:
        wanted = f"{kind} [n, {columns}], a column for each label"
    if not right or label.shape[1:] != ((columns,) if columns else ()):
        raise InputError(
            f"{where}: label must be {wanted}, got {label.dtype} {label.shape}"
        )


def _check_classes(dataset: "Dataset") -> None:
    """Checks the range of classes, and that each can be learned."""
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


def _check_labels(dataset: "Dataset") -> None:
    """Checks that labels are 0 or 1, and that each can be learned."""
    if len(dataset.class_names) != 2:
        raise InputError(
            f"{dataset.name}: each of several labels has two values, got the "
            f"names of {len(dataset.class_names)}"
        )
    for split_name, split in dataset.splits.items():
        check_table(f"{dataset.name}, split '{split_name}': label", split.label)
    share = dataset.splits["train"].label.mean(axis=0)
    constant = np.flatnonzero((share == 0) | (share == 1))
    if len(constant):
        first = constant[0]
        raise InputError(
            f"{dataset.name}: {'every' if share[first] else 'no'} training "
            f"example has label {first} ({dataset.label_names[first]}), and "
            f"so for {len(constant)} of {len(share)} labels: leave them out"
        )


def _check_target(dataset: "Dataset") -> None:
    """Checks that numbers to be predicted are standardised, and vary."""
    if dataset.class_names:
        raise InputError(
            f"{dataset.name}: a number to be predicted has no names of classes"
        )
    for split_name, split in dataset.splits.items():
        where = f"{dataset.name}, split '{split_name}': label"
        inputs.check_finite(where, split.label)
        for which, number in _by_number(split.label):
            if (number == number[0]).all():
                raise InputError(
                    f"{where}{which} is the same for all examples, so that "
                    "nothing of it can be explained"
                )
    for which, number in _by_number(dataset.splits["train"].label):
        train = number.astype(np.float64)
        if abs(train.mean()) > 1e-3 or abs(train.std() - 1) > 1e-3:
            raise InputError(
                f"{dataset.name}: label{which} must be standardised by the "
                "training split (arm_jax.data.labels.standardized_target), "
                f"got there mean {train.mean():.3g} and deviation "
                f"{train.std():.3g}"
            )


def _by_number(x: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The columns of a table and their places; a vector as it is, and ""."""
    if x.ndim == 1:
        return [("", x)]
    return [(f"[:, {number}]", column) for number, column in enumerate(x.T)]


def standardized_target(
    name: str, x: np.ndarray, train: np.ndarray
) -> tuple[np.ndarray, Target]:
    """Brings numbers to mean 0 and deviation 1 on the training rows.

    Args:
      name: What it is, for messages.
      x: Finite numbers, `[n]`, or `[n, numbers]` with several in each row.
      train: Rows of the training split.

    Returns:
      float32 likewise, and what they were.

    Raises:
      InputError: They are the same in all training rows, or their deviation is
        no number of float64.
    """
    x = x.astype(np.float64)
    means, deviations = [], []
    for which, number in _by_number(x):
        with np.errstate(over="ignore", invalid="ignore"):
            means.append(float(number[train].mean()))
            deviations.append(float(number[train].std()))
        if not 0 < deviations[-1] < np.inf:
            raise InputError(
                f"{name}{which} has the deviation {deviations[-1]} in the "
                "training split: there is nothing to predict, or it must be "
                "scaled"
            )
    target = (
        Target(means[0], deviations[0])
        if x.ndim == 1
        else Target(np.array(means), np.array(deviations))
    )
    scaled = (x - target.mean) / target.deviation
    return scaled.astype(np.float32), target


def check_table(name: str, table: np.ndarray) -> None:
    """Raises InputError that names the first entry other than 0 and 1."""
    bad = np.argwhere((table != 0) & (table != 1))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"{name}[{row}, {column}] is {table[row, column]}; in a table of "
            "labels, 1 says that the row has the label, and 0 that it has not"
        )


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
