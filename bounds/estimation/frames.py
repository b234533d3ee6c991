"""What people have in hands: data frames, and labels that are names."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bounds import inputs
from bounds.errors import InputError


def of_frame(
    frame: Any,
    columns: Mapping[str, Sequence[Any]],
    others: Mapping[str, Any],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Takes arrays out of a data frame.

    Args:
      frame: see `pid_of_frame`.
      columns: names of each modality's columns, by its name.
      others: names of single columns, by what they are; None for none.

    Returns:
      Features `[n, columns]` by modality, and the other columns.

    Raises:
      InputError: No frame; a column that is not there; a modality without
        columns.
    """
    known = getattr(frame, "columns", None)
    if known is None or not hasattr(frame, "__getitem__"):
        raise InputError(
            "frame must be a data frame, with `columns`, got "
            f"{type(frame).__name__}; arrays are for pid_of_features"
        )
    known = list(known)
    groups = {
        name: [some] if isinstance(some, str) else list(some)
        for name, some in columns.items()
    }
    single = {name: one for name, one in others.items() if one is not None}
    for name, some in (*groups.items(), *((k, [v]) for k, v in single.items())):
        if not some:
            raise InputError(f"modality '{name}' has no columns")
        for column in some:
            if column not in known:
                there = ", ".join(map(str, known[:10]))
                more = f" and {len(known) - 10} more" if len(known) > 10 else ""
                raise InputError(
                    f"{name}: the frame has no column '{column}'; it has: "
                    f"{there}{more}"
                )
    features = {
        name: np.stack([inputs.finite(str(c), frame[c]) for c in some], axis=1)
        for name, some in groups.items()
    }
    return features, {name: frame[one] for name, one in single.items()}


def class_codes(labels: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns classes `[n]` and their names, none if they were codes.

    Args:
      labels: integers, or names, `[n]`.

    Raises:
      InputError: Labels of mixed types; as `inputs.plain`, `inputs.integers`
        or, of names, `inputs.codes`.
    """
    array = inputs.plain("labels", labels)
    kinds = {"names"} if array.dtype.kind in "US" else set()
    if array.dtype.kind == "O" and array.ndim == 1:
        kinds = {_kind(entry) for entry in array}
        if len(kinds) > 1:
            raise InputError(
                f"labels are of mixed types, {' and '.join(sorted(kinds))}: "
                "drop what is missing, or make all of them names by "
                "[str(x) for x in labels]"
            )
    if kinds != {"names"}:
        return inputs.integers("labels", labels), ()
    codes = inputs.codes("labels", labels)
    return codes, tuple(map(str, np.unique(array.astype(str))))


def _kind(entry: Any) -> str:
    if isinstance(entry, str | bytes):
        return "names"
    if isinstance(entry, numbers.Number | np.generic) and entry == entry:
        return "numbers"
    return "missing values"
