"""Your own data: one .npz file with an array a modality and a label array."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from arm_jax.data import packed
from arm_jax.data.dataset import (
    SPLITS,
    Dataset,
    Split,
    check_finite,
    checked,
    standardized,
)
from arm_jax.errors import InputError

# A drawn validation or test part is one fold of this many.
FOLDS = 5


def load(
    *,
    path: str,
    modalities: Sequence[str] = (),
    label: str = "label",
    split: str = "split",
    group: str = "",
    num_classes: int = 0,
    seed: int = 0,
    standardize: bool = True,
) -> Dataset:
    """Loads modalities, labels and splits from an .npz file.

    The rows of all arrays belong together. If the file has no array `split`,
    a fifth of the rows is drawn for testing and a fifth for validation,
    stratified by class and, with `group`, without a group on two sides; if the
    array marks no validation rows, a fifth of the training rows is drawn.

    Args:
      path: the file; arrays of objects (pickles) are refused.
      modalities: names of the arrays to use; all but the named others if empty.
      label: name of the array of classes 0 to K-1, `[n]`.
      split: name of the array of 0 (train), 1 (validation), 2 (test), `[n]`.
      group: name of an integer array `[n]`, such as the subject; empty for
        none.
      num_classes: K; 0 takes the largest label plus one.
      seed: of the drawn parts.
      standardize: bring each channel (last axis) of the training rows to mean
        0 and deviation 1.

    Returns:
      The data set; `id` is the row in the file.

    Raises:
      InputError: an unreadable file, a missing array, lengths that differ,
        NaN or infinite features, labels that are no integers or outside
        0..K-1, unknown split codes, or a class without training rows.
    """
    arrays = packed.read(Path(path).expanduser())
    name = Path(path).name
    special = [key for key in (label, split, group) if key]
    chosen = list(modalities) or [k for k in arrays if k not in special]
    required = [*chosen, label] + ([group] if group else [])
    for key in required:
        if key not in arrays:
            raise InputError(
                f"{name} has no array '{key}'; it has: "
                + ", ".join(sorted(arrays))
            )
    if not chosen:
        raise InputError(f"{name} has no modality beside {', '.join(special)}")
    rows = len(np.atleast_1d(arrays[label]))
    for key in [*required, *([split] if split in arrays else [])]:
        if arrays[key].ndim == 0 or len(arrays[key]) != rows:
            raise InputError(
                f"{name}: '{key}' has shape {arrays[key].shape}, but '{label}' "
                f"has {rows} rows"
            )
    if not rows:
        raise InputError(f"{name} has no rows")
    labels = _integers(name, label, arrays[label])
    groups = {group: _integers(name, group, arrays[group])} if group else {}
    inputs = {key: _features(name, key, arrays[key]) for key in chosen}
    codes = _split_codes(
        name,
        split,
        arrays.get(split),
        labels,
        groups.get(group),
        seed,
    )
    splits = {}
    for code, split_name in enumerate(SPLITS):
        at = np.flatnonzero(codes == code)
        splits[split_name] = Split(
            inputs={key: x[at] for key, x in inputs.items()},
            label=labels[at],
            id=at.astype(np.int32),
            groups={key: x[at] for key, x in groups.items()},
        )
    classes = num_classes or int(labels.max(initial=0)) + 1
    dataset = checked(
        Dataset(
            name=name,
            class_names=tuple(str(k) for k in range(classes)),
            splits=splits,
        )
    )
    if not standardize:
        return dataset
    return Dataset(name, dataset.class_names, standardized(splits))


def _integers(name: str, key: str, x: np.ndarray) -> np.ndarray:
    if x.ndim != 1 or x.dtype.kind not in "iub":
        raise InputError(
            f"{name}: '{key}' must be a vector of integers, got "
            f"{x.dtype} {x.shape}"
        )
    return x.astype(np.int32)


def _features(name: str, key: str, x: np.ndarray) -> np.ndarray:
    if x.dtype.kind not in "iubf":
        raise InputError(f"{name}: '{key}' must be numbers, got {x.dtype}")
    if x.ndim < 2:
        raise InputError(
            f"{name}: '{key}' must have rows and features, got shape {x.shape}"
        )
    check_finite(f"{name}: {key}", x)
    return x.astype(np.float32)


def _split_codes(
    name: str,
    key: str,
    given: np.ndarray | None,
    labels: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> np.ndarray:
    rows = np.arange(len(labels))
    if given is None:
        codes = np.zeros(len(labels), np.int32)
        codes[_draw(name, rows, labels, groups, seed)] = SPLITS.index("test")
    else:
        codes = _integers(name, key, given)
        unknown = np.flatnonzero((codes < 0) | (codes >= len(SPLITS)))
        if len(unknown):
            raise InputError(
                f"{name}: {key}[{unknown[0]}] is {codes[unknown[0]]}; known: "
                "0 (train), 1 (validation), 2 (test)"
            )
    if not (codes == SPLITS.index("validation")).any():
        train = rows[codes == SPLITS.index("train")]
        drawn = _draw(
            name,
            train,
            labels[train],
            None if groups is None else groups[train],
            seed,
        )
        codes[drawn] = SPLITS.index("validation")
    return codes


def _draw(
    name: str,
    rows: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> np.ndarray:
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    if groups is None:
        units = int(np.unique(labels, return_counts=True)[1].min())
    else:
        units = len(np.unique(groups))
    if units < FOLDS:
        what = "rows of a class" if groups is None else "groups"
        raise InputError(
            f"{name}: too few {what} ({units}) to draw a part of one in "
            f"{FOLDS}; give a split array"
        )
    folds = kind(FOLDS, shuffle=True, random_state=seed)
    _, drawn = next(folds.split(rows, labels, groups))
    return rows[drawn]
