"""Your own data: one .npz file with one array per modality, and the labels.

    np.savez("my.npz", image=..., text=..., label=...)

The rows of all arrays belong together. A modality is an array `[n, ...,
channels]` of any type of numbers. Labels are names, or the classes 0 to K-1; of
other numbers, `np.unique(label, return_inverse=True)[1]` makes such labels. Or
they are a table `[n, labels]` of True and False (or 1 and 0), where a row has
several of them at once, or none: the genres of a film (arm_jax.tasks). With
`task="regression"` they are numbers, such as an age, to be predicted as such,
one in each row or, in a table `[n, numbers]`, several.
An array `weights`, one number per row, counts rows more or less, as those of a
survey, or the inverse of the probability that a row is observed at all. An
array `group`, one integer per row, such as its speaker, says which rows are not
independent.

A row may lack modalities, those of a sensor that was off or a text that was
never written: an array `present_MODALITY`, True or False (or 1 or 0) for each
row, says which have it, as in `present_text=~np.isnan(text).any(1)`. What the
other rows hold is not looked at; NaN where the modality is present is refused.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from arm_jax.data import _npz_labels, drawing, packed, presence
from arm_jax.data.dataset import (
    SPLITS,
    Dataset,
    Split,
    check_complete,
    checked,
)
from arm_jax.data.labels import standardized_target
from arm_jax.data.options import typed
from arm_jax.data.scaling import standardized_parts
from arm_jax.errors import InputError
from bounds import inputs
from bounds.estimation.calibration import weights_of

_CODES = ", ".join(f"{code} ({name})" for code, name in enumerate(SPLITS))


@typed
def load(
    *,
    path: str = "",
    modalities: Sequence[str] = (),
    label: str = "label",
    split: str = "split",
    group: str = "group",
    weights: str = "weights",
    num_classes: int = 0,
    label_names: Sequence[str] = (),
    task: str = "",
    seed: int = 0,
    standardize: bool = True,
) -> Dataset:
    """Loads modalities, labels and splits from an .npz file.

    If the file has no array `split`, a fifth of the rows is drawn for testing
    and a fifth of the rest for validation, stratified by class, or by all
    labels of a table (not by numbers), and, with `group`, without a group on
    two sides; if the array marks no validation rows, a fifth of the training
    rows is drawn.
    Arrays that are not asked for are not read.

    Args:
      path: the file; arrays of objects (pickles) are refused.
      modalities: names of the arrays to use, also as one text with commas,
        "image,text"; all but the named others if empty.
      label: name of the array of classes 0 to K-1 or their names, `[n]`; or of
        a table of labels or numbers, `[n, labels]`.
      split: name of the array of 0 (train), 1 (validation), 2 (test), `[n]`.
      group: name of an integer array `[n]`, such as the subject. Its numbers
        are kept, as int64. Without an array of the default name, or with an
        empty one, rows are independent.
      weights: name of the array of weights of the rows, `[n]`, from 0 on; used
        where interactions are quantified. Without an array of the default name,
        or with an empty one, rows count the same.
      num_classes: number K of classes; 0 takes the largest label plus one.
      label_names: names of the columns of a table of labels or numbers, also as
        one text with commas; 0, 1, ... if empty.
      task: "regression" to predict the label as a number, or as several, each
        standardised by the training rows; empty for classes or a table of
        labels.
      seed: random seed of the drawn parts.
      standardize: bring each channel (last axis) to mean 0 and deviation 1 on
        the training rows, before it becomes float32.

    Returns:
      The data set; `id` is the row in the file.

    Raises:
      InputError: an unreadable file, a missing array, lengths that differ,
        NaN or infinite features, features that float32 does not carry, rows
        without a modality, labels that are no integers or outside 0..K-1,
        unknown split codes, weights that are negative or all zero, a class
        without training rows, or a table of labels with other entries than 0
        and 1, with one 1 in each row, as of classes, or with a label that all
        training rows have, or none; or numbers to be predicted that are not
        finite, or all the same in a split.
    """
    _check_options(path, num_classes, seed, task)
    file = packed.expanded(path)
    name = file.name
    with packed.Archive(file) as archive:
        others = _others(archive, label, split, group, weights)
        chosen = _modalities(archive, modalities, others)
        headers = _headers(archive, others, chosen, automatic=not modalities)
        present = presence.read(archive, chosen, headers[label].shape[0])
        archive.check_fits(_memory(headers, others, standardize=standardize))
        found = _npz_labels.read(archive, label, task, num_classes, label_names)
        groups = {group: _group(archive, group)} if group in others else {}
        weight = _weights(archive, weights) if weights in others else None
        codes = drawing.split_codes(
            name,
            _given_codes(archive, split) if split in others else None,
            found.strata,
            groups.get(group),
            seed,
        )
        rows = [np.flatnonzero(codes == code) for code in range(len(SPLITS))]
        for code, at in enumerate(rows):
            if not len(at):
                raise InputError(
                    f"{name}: no row of '{split}' is {code} ({SPLITS[code]})"
                )
        target = None
        if task:
            where = f"{name}: '{packed.shown(label)}'"
            labels, target = standardized_target(where, found.values, rows[0])
        else:
            labels = found.values.astype(np.int32)
        # One modality after another, so that only one is there unscaled.
        features = {
            key: _features(
                archive, key, rows, present.get(key), standardize=standardize
            )
            for key in chosen
        }
    splits = {
        split_name: Split(
            inputs={key: parts[code] for key, parts in features.items()},
            label=labels[rows[code]],
            id=rows[code].astype(np.int32),
            groups={key: x[rows[code]] for key, x in groups.items()},
            weights=None if weight is None else weight[rows[code]],
            present=presence.stacked(present, chosen, rows[code]),
        )
        for code, split_name in enumerate(SPLITS)
    }
    return checked(
        Dataset(
            name=name,
            class_names=found.class_names,
            splits=splits,
            label_names=found.label_names,
            target=target,
        )
    )


def _check_options(path: str, num_classes: int, seed: int, task: str) -> None:
    if not path:
        raise InputError(
            "data set 'npz' needs the option 'path' "
            "(--config.data.options.path=FILE.npz, of a comparison "
            "--config.training.data.options.path=FILE.npz)"
        )
    if num_classes < 0:
        raise InputError(
            f"data set 'npz': num_classes must be at least 0, got {num_classes}"
        )
    _npz_labels.check_task(task)
    if not 0 <= seed < 2**32:
        raise InputError(
            f"data set 'npz': seed must be in 0..{2**32 - 1}, got {seed}"
        )


def _others(
    archive: packed.Archive, label: str, split: str, group: str, weights: str
) -> tuple[str, ...]:
    """Names of the arrays that are used and are no modalities."""
    if not label:
        raise InputError("data set 'npz': the option 'label' names no array")
    names = [name for name in (label, split, group, weights) if name]
    if len(set(names)) < len(names):
        raise InputError(
            "data set 'npz': label, split, group and weights must be different "
            f"arrays, got '{label}', '{split}', '{group}', '{weights}'"
        )
    # Without the arrays of the default names, parts are drawn, rows are
    # independent and count the same.
    for default in ("split", "group", "weights"):
        if default in (split, group, weights) and default not in archive.names:
            names.remove(default)
    return tuple(names)


def _modalities(
    archive: packed.Archive, given: Sequence[str], others: Sequence[str]
) -> tuple[str, ...]:
    """Names of the modalities, all of the others' if none is given."""
    chosen = []
    for item in given:
        # What a shell passes on of "image,text" is one name.
        parts = [item] if item in archive.names else item.split(",")
        chosen += [item] if len(parts) == 1 else [x.strip() for x in parts]
    masks = {presence.PREFIX + key for key in archive.names}
    chosen = chosen or [
        key for key in archive.names if key not in others and key not in masks
    ]
    for at, key in enumerate(chosen):
        if key in others or key in chosen[:at]:
            why = "is no modality" if key in others else "is named twice"
            raise InputError(
                f"{archive.path.name}: '{packed.shown(key)}' {why}, got the "
                f"modalities {packed.listed(chosen)}"
            )
    if not chosen:
        raise InputError(
            f"{archive.path.name} has no modality beside "
            f"{packed.listed(others)}"
        )
    return tuple(chosen)


def _headers(
    archive: packed.Archive,
    others: Sequence[str],
    chosen: Sequence[str],
    *,
    automatic: bool,
) -> dict[str, packed.Header]:
    """Returns headers whose types and shapes are right, before any array is."""
    label = others[0]
    headers = {label: archive.header(label)}
    rows = headers[label].shape[:1]
    if not rows or not rows[0]:
        raise InputError(f"{archive.path.name}: '{label}' has no rows")
    for key in others[1:]:
        headers[key] = _header(archive, key, label, rows[0])
    for key in chosen:
        try:
            headers[key] = _header(archive, key, label, rows[0])
            _check_features(archive.path.name, key, headers[key])
        except InputError as error:
            if not automatic:
                raise
            raise InputError(
                f"{error}; or choose arrays by the option 'modalities', such "
                "as 'image,text'"
            ) from error
    return headers


def _header(
    archive: packed.Archive, key: str, label: str, rows: int
) -> packed.Header:
    header = archive.header(key)
    if header.shape[:1] != (rows,):
        raise InputError(
            f"{archive.path.name}: '{packed.shown(key)}' has shape "
            f"{header.shape}, but '{label}' has {rows} rows"
        )
    return header


def _memory(
    headers: Mapping[str, packed.Header],
    others: Sequence[str],
    *,
    standardize: bool,
) -> int:
    """Returns the bytes that loading needs when it needs most."""
    kept = sum(headers[key].nbytes for key in others)
    most = kept
    for key, header in headers.items():
        if key not in others:
            # Without standardising, a whole copy is made before the splits.
            result = 4 * header.size
            copies = result if standardize else 2 * result
            most = max(most, kept + header.nbytes + copies)
            kept += result
    return most


def _check_features(name: str, key: str, header: packed.Header) -> None:
    key, shape = packed.shown(key), header.shape
    if header.dtype.kind not in "biuf":
        # Nothing that its entries could change; most types have a cure.
        with packed.about(name):
            inputs.numbers(key, np.empty(0, header.dtype))
        raise InputError(f"{name}: {key} must be numbers, got {header.dtype}")
    if len(shape) < 2:
        raise InputError(
            f"{name}: '{key}' must have rows and features, got shape {shape}; "
            f"of one number per row make {key}[:, None]"
        )
    if 0 in shape:
        raise InputError(
            f"{name}: '{key}' has no features, its shape is {shape}"
        )


def _features(
    archive: packed.Archive,
    key: str,
    rows: Sequence[np.ndarray],
    present: np.ndarray | None,
    *,
    standardize: bool,
) -> list[np.ndarray]:
    """Returns the rows of each split in float32, 0 where they lack it."""
    where = f"{archive.path.name}: {packed.shown(key)}"
    x = archive.read(key)
    if present is not None:
        x = presence.blanked(where, x, present, rows[0])
    check_complete(where, x)
    if not standardize:
        x = inputs.float32(where, x)
        return [x[at] for at in rows]
    parts = [(x, at) for at in rows]
    if present is None:
        return standardized_parts(where, parts)
    # Measured where it is there, and then blank again where it is not.
    measured = rows[0][present[rows[0]]]
    _, *scaled = standardized_parts(where, [(x, measured), *parts])
    for own, at in zip(scaled, rows, strict=True):
        own[~present[at]] = 0
    return scaled


def _group(archive: packed.Archive, key: str) -> np.ndarray:
    """Returns the group of each row, int64 `[n]`."""
    shape = archive.header(key).shape
    if len(shape) != 1:
        raise InputError(
            f"{archive.path.name}: '{packed.shown(key)}' must be a vector of "
            f"integers, got shape {shape}; if it is a modality, let the option "
            "'group' name another array, or none"
        )
    return _npz_labels.integers(archive, key)


def _weights(archive: packed.Archive, key: str) -> np.ndarray:
    """Returns the weight of each row, float64 `[n]`."""
    where = f"{archive.path.name}: {packed.shown(key)}"
    x = archive.read(key)
    weights_of(where, x, len(x))
    return x.astype(np.float64)


def _given_codes(archive: packed.Archive, key: str) -> np.ndarray:
    """Returns the split of each row, int64 `[n]`."""
    codes = archive.read(key)
    # Neither do True and False name one of three splits, nor would the usual
    # way to make codes of names give the right ones.
    if codes.dtype.kind not in "iu" or codes.ndim != 1:
        raise InputError(
            f"{archive.path.name}: '{key}' must be a vector of the integers "
            f"{_CODES}, got {codes.dtype} {codes.shape}"
        )
    unknown = np.flatnonzero((codes < 0) | (codes >= len(SPLITS)))
    if len(unknown):
        at = unknown[0]
        raise InputError(
            f"{archive.path.name}: {key}[{at}] is {codes[at]}; known: {_CODES}"
        )
    return codes.astype(np.int64)
