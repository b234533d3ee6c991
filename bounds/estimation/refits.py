"""What classifiers have not learned: a parametric bootstrap that fits anew.

The bootstrap of `pid_of_posteriors` takes the posteriors as they are. Here the
fitted posteriors are taken for the truth: labels are drawn from them for the
samples at hand, classifiers of the same kind are fitted to those labels,
calibrated, and their answers decomposed. The truth of that world is known, so
the mean difference from it estimates the bias due to fitting, and the scatter
the classifiers' share of the error (Efron and Tibshirani, "An introduction to
the bootstrap", 1993, chapters 6 and 10).

Where both modalities have nearly the same law, errors of either look unique, in
proportion to the error and not to its square, of which fitting anew would show
0.4 alone. What labels deny is taken off before, there and here (`_overclaim`).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from bounds.estimation.calibration import calibrate, possible_folds
from bounds.estimation.late_fusion import NAME as LATE
from bounds.estimation.late_fusion import fuse
from bounds.estimation.posteriors import PosteriorPID, pid_of_posteriors

_PARTS = ("redundancy", "unique1", "unique2", "synergy", "total")
_SIDES = ("first", "second")
# The scatter of few refits is itself uncertain: t quantiles would be wide, and
# the bootstrap of samples is the larger part.
_ERRORS = 1.96
_STREAM = 1
_SCALINGS = 50
# Of the bootstrap that corrects the informations of each refit.
_REPLICATES = 50
# (role, kind of classifier, labels) to answers on samples that it was not
# fitted to, `[n, y]`.
Refit = Callable[[str, str, np.ndarray], np.ndarray]


class Refits(NamedTuple):
    """What fitting costs every quantity, and what is left without it.

    Attributes:
      value: of every quantity, less the bias, in bits; R, U1 and U2 are not
        below 0, and none is above what the label can have.
      bias: mean change by fitting anew.
      deviation: standard error of samples and classifiers together.
      interval: ends of the 95 % interval about `value`.
    """

    value: dict[str, float]
    bias: dict[str, float]
    deviation: dict[str, float]
    interval: dict[str, tuple[float, float]]


def refits(
    pid: PosteriorPID,
    posteriors: Mapping[str, np.ndarray],
    chosen: Mapping[str, Mapping[str, str]],
    refit: Refit,
    labels: np.ndarray,
    *,
    number: int,
    fold: np.ndarray,
    weights: np.ndarray,
    units: np.ndarray,
    seed: int,
) -> Refits:
    """Fits the chosen classifiers anew, and compares.

    Args:
      pid: the decomposition of `posteriors`.
      posteriors: of "first", "second" and "joint", calibrated, `[n, y]` each.
      chosen: name and calibration of each one's classifier.
      refit: fits one of them to other labels.
      labels: classes, `[n]`.
      number: of refits, from 2 on.
      fold: of each sample, `[n]`: classifiers have not seen its labels.
      weights: of the samples, `[n]`.
      units: codes, equal for samples that depend on each other, `[n]`.
      seed: of labels and folds.

    Returns:
      What is left of each quantity, and how sure it is.
    """
    # A stream of its own: samples that were made by the same seed would be
    # what the labels are drawn by, too.
    stream = np.random.SeedSequence(seed, spawn_key=(_STREAM,))
    rng = np.random.default_rng(stream)
    folds: dict[str, Any] = {
        "weights": weights, "groups": units,
        "folds": possible_folds(units), "seed": seed,
    }  # fmt: skip

    def answer(role: str, labels: np.ndarray) -> np.ndarray:
        name, kind = chosen[role]["name"], chosen[role]["calibration"]
        if name in _SIDES:
            # The joint classifier that looks at one side alone.
            return answer(name, labels)
        if name == LATE:
            one, two = (answer(side, labels) for side in _SIDES)
            p = fuse(one, two, labels, **folds)
        else:
            p = refit(role, name, labels)
        if not kind:
            return p
        return calibrate(p, labels, kind=kind, **folds).probabilities

    # Each role's labels are drawn apart, for its own posteriors are the truth
    # here. Those of the data are the same for all: so are the classes' shares.
    shares = np.mean([weights @ p for p in posteriors.values()], axis=0)
    draws: dict[str, list[float]] = {name: [] for name in _PARTS}

    def decomposed(
        r: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]
    ) -> PosteriorPID:
        return pid_of_posteriors(
            r["first"], r["second"], r12=r["joint"], folds=fold,
            weights1=weights, weights2=weights, groups=units,
            labels1=labels["first"], labels2=labels["second"],
            replicates=_REPLICATES, seed=seed,
        )  # fmt: skip

    # The truth there is what the posteriors are the laws of, with what is wrong
    # in them; so neither answer uses fits to halves.
    plain = decomposed(posteriors, dict.fromkeys(_SIDES, labels))
    for _ in range(number):
        drawn = {r: _drawn(posteriors[r], rng) for r in (*_SIDES, "joint")}
        again = decomposed(
            {
                role: _with_shares(answer(role, y), weights, shares)
                for role, y in drawn.items()
            },
            drawn,
        )
        for name, values in draws.items():
            values.append(getattr(again, name) - getattr(plain, name))
    # No quantity is more than the label's bits, whatever fitting costs.
    most = math.log2(np.count_nonzero(shares))
    value, bias, deviation, interval = {}, {}, {}, {}
    for name, changes in draws.items():
        mean, scatter = float(np.mean(changes)), float(np.std(changes, ddof=1))
        bias[name] = mean
        value[name] = min(getattr(pid, name) - mean, most)
        if name != "synergy":
            value[name] = max(value[name], 0.0)
        # The mean of few refits is uncertain, too.
        deviation[name] = math.hypot(
            pid.deviation[name], scatter * math.sqrt(1 + 1 / number)
        )
        low = value[name] - _ERRORS * deviation[name]
        if name != "synergy":
            low = max(low, 0.0)
        high = min(value[name] + _ERRORS * deviation[name], most)
        interval[name] = (low, high)
    return Refits(value, bias, deviation, interval)


def _with_shares(
    p: np.ndarray, weights: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    """Posteriors whose weighted sum is `shares`, scaled class by class."""
    for _ in range(_SCALINGS):
        mass = weights @ p
        p = p * (shares / np.where(mass > 0, mass, 1))
        p /= p.sum(1, keepdims=True)
    return p


def _drawn(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A class for every row, drawn from its probabilities."""
    above = p.cumsum(1) > rng.random(len(p))[:, None] * p.sum(1, keepdims=True)
    return above.argmax(1)
