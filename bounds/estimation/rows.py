"""Samples of several modalities, checked, and how they are divided."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bounds.errors import InputError
from bounds.estimation import classifiers
from bounds.estimation.calibration import weights_of
from bounds.estimation.options import StudyOptions


@dataclasses.dataclass(frozen=True)
class Rows:
    """Samples that are counted, and what classifiers may be fitted on."""

    dataset: str
    inputs: Mapping[str, np.ndarray]
    label: np.ndarray
    units: np.ndarray | None
    classes: tuple[str, ...]
    # Training rows and counted rows of each fit; the counted ones partition
    # `counted`.
    fits: Sequence[tuple[np.ndarray, np.ndarray]]
    counted: np.ndarray
    # Of the counted rows, those whose labels the first modality has, if the
    # labels of pairs are not used; the second has the others'.
    half: np.ndarray | None
    # Of all rows; None if all count the same.
    weights: np.ndarray | None = None

    @property
    def counted_label(self) -> np.ndarray:
        """Labels of the counted rows."""
        return self.label[self.counted]

    @property
    def counted_folds(self) -> np.ndarray:
        """Number of the fit by which each of the counted rows is counted."""
        numbers = classifiers.fold_numbers(self.fits, len(self.label))
        return numbers[self.counted]

    @property
    def counted_units(self) -> np.ndarray | None:
        """Units of the counted rows."""
        return None if self.units is None else self.units[self.counted]

    @property
    def counted_weights(self) -> np.ndarray | None:
        """Weights of the counted rows."""
        return None if self.weights is None else self.weights[self.counted]


def divide(
    inputs: Mapping[str, np.ndarray],
    label: np.ndarray,
    options: StudyOptions,
    *,
    training: np.ndarray | None = None,
    units: np.ndarray | None = None,
    weights: Any = None,
    classes: Sequence[str] = (),
    name: str = "the data",
) -> Rows:
    """Divides samples into those that are fitted on and those counted.

    Args:
      inputs: Features by modality, `[n, d]`; of two modalities or more.
      label: Classes 0 to K-1, `[n]`.
      options: With `folds`, every row is counted, by classifiers fitted on
        the other folds.
      training: Mask `[n]` of the rows that classifiers are fitted on, without
        `folds`; the others are counted.
      units: Vector `[n]`, equal for samples that are not independent; None if
        all are.
      weights: Vector `[n]` of numbers from 0 on, such as the inverse of the
        probability that all modalities of a sample are observed; None if all
        count the same. Samples of weight 0 are left out of everything.
      classes: Names of the classes; their numbers if empty.
      name: What the data are called in messages.

    Raises:
      InputError: What a classifier, a table or an estimate could not be made
        of, in the modalities, the labels or their division.
    """
    if weights is not None:
        # As they are: their mean is of the rows that are counted.
        weights_of(f"{name}: weights", weights, len(label))
        weights = np.asarray(weights, np.float64)
        there = weights > 0
        inputs = {key: x[there] for key, x in inputs.items()}
        label, weights = label[there], weights[there]
        units = None if units is None else units[there]
        training = None if training is None else training[there]
    numbers, counts = np.unique(label, return_counts=True)
    if counts.min() < 2:
        raise InputError(
            f"{name}: class {numbers[counts.argmin()]} has one sample"
        )
    if options.folds:
        if counts.min() < options.folds:
            raise InputError(
                f"{name}: class {numbers[counts.argmin()]} has {counts.min()} "
                f"samples, fewer than {options.folds} folds"
            )
        classifiers.check_units(
            units, options.folds, where=f"{name}: ", what="units"
        )
        fits = classifiers.folds_of(
            label, units, options.folds, options.resampling.seed
        )
        counted = np.arange(len(label))
    else:
        if training is None:
            raise InputError(
                f"{name}: without folds there must be rows for training"
            )
        counted = np.flatnonzero(~training)
        fits = [(np.flatnonzero(training), counted)]
    classifiers.check_fits(fits, label, where=f"{name}: ", what="units")
    half = None
    if options.knowledge == "unimodal":
        half = _half(counted, units, options.resampling.seed)
    _check_labels(name, label[counted], half)
    everything = slice(None)
    for modality, x in inputs.items():
        for rows, where in (
            (everything, ""),
            (
                everything if options.folds else fits[0][0],
                " in the training split",
            ),
            (counted, " in validation and test"),
        ):
            if not (x[rows] != x[rows][:1]).any():
                raise InputError(
                    f"{name}: modality '{modality}' is constant{where}"
                )
    return Rows(
        name,
        inputs,
        label,
        units,
        tuple(classes) or tuple(map(str, range(int(label.max()) + 1))),
        fits,
        counted,
        half,
        weights,
    )


def _check_labels(
    name: str, label: np.ndarray, half: np.ndarray | None
) -> None:
    """Checks what is counted, or each half of it."""
    parts = {"the samples that are counted": label}
    if half is not None:
        parts = {
            "the half of the first modality": label[half],
            "the half of the second modality": label[~half],
        }
    for where, part in parts.items():
        there, counts = np.unique(part, return_counts=True)
        if len(there) < 2:
            raise InputError(
                f"{name}: {where} have one label, or none: there is nothing "
                "to tell"
            )
        absent = np.setdiff1d(label, there)
        if len(absent):
            raise InputError(f"{name}: {where} lacks class {absent[0]}")
        if counts.min() < 2:
            raise InputError(
                f"{name}: {where} have one sample of class "
                f"{there[counts.argmin()]}: drop it or join it with another "
                "class"
            )


def halves(rows: Rows, seed: int) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Fits of halves of the samples, each with what it predicts of the counted.

    Returns:
      Both fits of each of several divisions, see `classifiers.halves_of`; the
      two have seen no sample, or unit, in common.
    """
    fitted = np.unique(np.concatenate([train for train, _ in rows.fits]))
    out = []
    for i, (one, two) in enumerate(
        classifiers.halves_of(
            rows.label, fitted, rows.units, rows.weights, seed
        )
    ):
        if len(rows.fits) > 1:
            # Every row is counted, and fitted on.
            out.append([(one, two), (two, one)])
        else:
            first = _half(rows.counted, rows.units, seed + i)
            counted = rows.counted[first], rows.counted[~first]
            out.append(list(zip((one, two), counted, strict=True)))
    return out


def _half(
    counted: np.ndarray, units: np.ndarray | None, seed: int
) -> np.ndarray:
    """A half of the units, as a mask of the counted rows."""
    unit = np.arange(len(counted)) if units is None else units[counted]
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(np.unique(unit))
    return np.isin(unit, chosen[: len(chosen) // 2])
