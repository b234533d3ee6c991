"""Simple classifiers of each modality, for symbols and as yardsticks."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from bounds.errors import InputError
from bounds.estimation import discriminant

# Additive in the features, and with their interactions.
ADDITIVE = ("logistic", "discriminant")
INTERACTING = ("network",)
KINDS = ADDITIVE + INTERACTING
_MOST_ROWS = 50_000
# Of the network: rows of a step, least passes over all, least steps. By few, or
# stopped by a tenth of few rows, it learns next to no interaction.
_BATCH, _EPOCHS, _STEPS = 32, 25, 800
# Its penalty, 1 for up to so many rows; that of more is in proportion less.
_PENALISED = 1600
# Ways to divide the samples into halves.
_DIVISIONS = 3


def summary(x: np.ndarray) -> np.ndarray:
    """Describes series `[n, time, channels]` by numbers that forget the phase.

    Returns:
      `[n, 5 * channels]`: mean, deviation, mean absolute difference, smallest
      and largest value of each channel.
    """
    return np.concatenate(
        [
            x.mean(1),
            x.std(1),
            np.abs(np.diff(x, axis=1)).mean(1),
            x.min(1),
            x.max(1),
        ],
        axis=1,
    )


def flat(x: np.ndarray) -> np.ndarray:
    """Returns the features of each sample as one row."""
    return x.reshape(len(x), -1)


class Compress:
    """Standardised principal components, fitted on one set of rows."""

    def __init__(self, x: np.ndarray, components: int, seed: int) -> None:
        rows = x
        if len(rows) > _MOST_ROWS:
            rng = np.random.default_rng(seed)
            rows = rows[rng.choice(len(rows), _MOST_ROWS, replace=False)]
        most = min(components, rows.shape[1], len(rows))
        self._steps = make_pipeline(
            StandardScaler(), PCA(most, random_state=seed), StandardScaler()
        ).fit(rows)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Returns the components of `x`, `[n, components]`."""
        return np.concatenate(
            [
                self._steps.transform(x[start : start + _MOST_ROWS])
                for start in range(0, len(x), _MOST_ROWS)
            ]
        )


def posteriors(
    train: np.ndarray,
    label: np.ndarray,
    test: np.ndarray,
    *,
    classes: int,
    strength: float,
    kind: str = "logistic",
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Trains on some samples and predicts others.

    Args:
      train: Features, `[n, d]`.
      label: Classes of at least two kinds, `[n]`.
      test: Features, `[m, d]`.
      classes: Number of classes.
      strength: Inverse regularisation of the logistic regression.
      kind: "logistic" or "discriminant" (`bounds.estimation.discriminant`),
        additive in the features; or "network", one hidden layer, which can use
        their interactions.
      weights: Of the training samples, `[n]`; only their ratios matter, and
        samples of weight 0 are left out.
      seed: Seed of the network.

    Returns:
      p(y|x), `[m, classes]`.
    """
    if weights is not None:
        there = weights > 0
        train, label, weights = train[there], label[there], weights[there]
        # Of mean 1: the penalty is against their sum.
        weights = weights / weights.mean()
    if len(label) > _MOST_ROWS:
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(label), _MOST_ROWS, replace=False)
        train, label = train[rows], label[rows]
        weights = None if weights is None else weights[rows]
    if kind == "discriminant":
        return discriminant.posteriors(
            train, label, test, classes=classes, weights=weights
        )
    model: Any
    if kind == "logistic":
        model = LogisticRegression(C=strength, max_iter=2000)
    else:
        number = len(label)
        batch = min(_BATCH, number)
        epochs = max(_EPOCHS, _STEPS * batch // number)
        model = MLPClassifier(
            (64,), alpha=min(1, _PENALISED / number), max_iter=epochs,
            batch_size=batch, n_iter_no_change=epochs,
            random_state=seed,
        )  # fmt: skip
    # Their products are small: threads wait for each other most of the time.
    with threadpool_limits(1), warnings.catch_warnings():
        # A yardstick need not have converged.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train, label, sample_weight=weights)
    out = np.zeros((len(test), classes))
    out[:, model.classes_] = model.predict_proba(test)
    return out


def accuracy(
    probabilities: np.ndarray,
    label: np.ndarray,
    units: np.ndarray | None,
    *,
    replicates: int,
    weights: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Share of right predictions and its 95 % bootstrap interval by unit.

    Samples of weight 0 are left out.
    """
    right = probabilities.argmax(1) == label
    unit = np.arange(len(label)) if units is None else units
    if weights is not None:
        there = weights > 0
        right, unit, weights = right[there], unit[there], weights[there]
    unit = np.unique(unit, return_inverse=True)[1]
    many = np.ones(len(right)) if weights is None else weights
    hits, sizes = np.bincount(unit, right * many), np.bincount(unit, many)
    rng = np.random.default_rng(seed)
    values: list[float] = []
    for _ in range(replicates):
        drawn = rng.integers(len(sizes), size=len(sizes))
        values.append(hits[drawn].sum() / sizes[drawn].sum())
    lower, upper = np.quantile(values, [0.025, 0.975])
    return {
        "accuracy": float(np.average(right, weights=weights)),
        "lower": float(lower),
        "upper": float(upper),
    }


def folds_of(
    label: np.ndarray, units: np.ndarray | None, folds: int, seed: int
) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    """Training and test rows of each fold, no unit on two sides."""
    if units is None:
        kind = StratifiedKFold(folds, shuffle=True, random_state=seed)
        return list(kind.split(label, label))
    grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(grouped.split(label, label, units))


def check_units(
    units: np.ndarray | None, folds: int, *, where: str = "", what: str
) -> None:
    """Raises InputError for fewer units than folds.

    Args:
      units: of the samples, `[n]`; None if each is its own.
      folds: their number.
      where: what a message begins with.
      what: the units' name there.
    """
    if units is not None and len(np.unique(units)) < folds:
        raise InputError(
            f"{where}{len(np.unique(units))} {what} are fewer than {folds} "
            "folds"
        )


def check_fits(
    fits: Sequence[tuple[np.ndarray, np.ndarray]],
    label: np.ndarray,
    *,
    where: str = "",
    what: str,
    every: bool = False,
    weights: np.ndarray | None = None,
) -> None:
    """Raises InputError for classifiers that would see too few classes.

    Args:
      fits: what `folds_of` returns.
      label: classes, `[n]`.
      where: what a message begins with.
      what: the name of units there.
      every: whether each fit has to see every class, not just two.
      weights: of the samples, `[n]`; those of weight 0 are not seen.
    """
    seen = np.ones(len(label), bool) if weights is None else weights > 0
    classes = np.unique(label[seen])
    if len(classes) < 2 and weights is not None:
        raise InputError(
            f"{where}weights are 0 for all samples but those of class "
            f"{classes[0]}"
        )
    weighted = "" if weights is None else " with a weight above 0"
    for number, (train, _) in enumerate(fits):
        there = np.unique(label[train][seen[train]])
        if len(there) < 2:
            raise InputError(
                f"{where}all samples{weighted} outside fold {number} have one "
                f"label: use fewer folds, or smaller {what}"
            )
        if every and len(there) < len(classes):
            absent = np.setdiff1d(classes, there)[0]
            raise InputError(
                f"{where}no sample{weighted} outside fold {number} has class "
                f"{absent}: use fewer folds, or smaller {what}"
            )


def halves_of(
    label: np.ndarray,
    fitted: np.ndarray,
    units: np.ndarray | None,
    weights: np.ndarray | None,
    seed: int,
) -> list[list[np.ndarray]]:
    """Divides the rows that are fitted on into halves, no unit in both.

    Returns:
      The rows of both halves, of each of several divisions; none of those in
      which a half would lack a class, or a weight of it.
    """
    own = None if units is None else units[fitted]
    counts = np.unique(label[fitted], return_counts=True)[1]
    few = own is not None and len(np.unique(own)) < 2
    if few or counts.min() < 2:
        return []
    out = []
    for i in range(_DIVISIONS):
        fits = folds_of(label[fitted], own, 2, seed + i)
        halves = [fitted[test] for _, test in fits]
        seen = [h if weights is None else h[weights[h] > 0] for h in halves]
        if all(len(np.unique(label[h])) == len(counts) for h in seen):
            out.append(halves)
    return out


def fold_numbers(
    fits: Sequence[tuple[np.ndarray, np.ndarray]], n: int
) -> np.ndarray:
    """The number of the fit that tests each of `n` rows; 0 where none does."""
    numbers = np.zeros(n, int)
    for number, (_, test) in enumerate(fits):
        numbers[test] = number
    return numbers
