"""What examples are labelled with: classes, several labels, or a number."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from arm_jax.errors import InputError
from bounds import inputs

if TYPE_CHECKING:
    from arm_jax.data.dataset import Dataset


class Target(NamedTuple):
    """A number to be predicted, in the training split.

    Attributes:
      mean: Mean.
      deviation: Standard deviation.
    """

    mean: float
    deviation: float


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
    if dataset.class_names or dataset.label_names:
        raise InputError(
            f"{dataset.name}: a number to be predicted has no names of classes "
            "or labels"
        )
    for split_name, split in dataset.splits.items():
        where = f"{dataset.name}, split '{split_name}': label"
        inputs.check_finite(where, split.label)
        if (split.label == split.label[0]).all():
            raise InputError(
                f"{where} is the same for all examples, so that nothing of it "
                "can be explained"
            )
    train = dataset.splits["train"].label.astype(np.float64)
    if abs(train.mean()) > 1e-3 or abs(train.std() - 1) > 1e-3:
        raise InputError(
            f"{dataset.name}: label must be standardised by the training split "
            "(arm_jax.data.labels.standardized_target), got there mean "
            f"{train.mean():.3g} and deviation {train.std():.3g}"
        )


def standardized_target(
    name: str, x: np.ndarray, train: np.ndarray
) -> tuple[np.ndarray, Target]:
    """Brings a number to mean 0 and deviation 1 on the training rows.

    Args:
      name: What it is, for messages.
      x: Finite numbers, `[n]`.
      train: Rows of the training split.

    Returns:
      float32 `[n]`, and what they were.

    Raises:
      InputError: They are the same in all training rows, or their deviation is
        no number of float64.
    """
    x = x.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = float(x[train].mean()), float(x[train].std())
    if not 0 < deviation < np.inf:
        raise InputError(
            f"{name} has the deviation {deviation} in the training split: "
            "there is nothing to predict, or it must be scaled"
        )
    scaled = (x - mean) / deviation
    return scaled.astype(np.float32), Target(mean, deviation)


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
