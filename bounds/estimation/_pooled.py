"""Two modalities' posteriors as laws on one set of atoms.

Samples of two laws never meet. Where the laws are equal, the atoms of one lie
between those of the other, and a decomposition of the atoms as they are calls
that difference unique information: 0.16 bits with 31 classes and 2,000 samples.
To know how much it is, both laws are put on the union of the atoms: a
cross-fitted classifier tells from a posterior which modality it is of, and with
even odds its answer g makes the laws 2 g and 2 (1 - g) times the pooled one.
Equal laws give g = 1/2 and the same weights; laws that share nothing give back
their atoms. In between these are smoother than the truth, so they serve to
measure the bias and not as the answer.

Of fitted posteriors a classifier also sees what each fit has wrong. Laws that
are equal then look unlike, and their bias smaller than it is: 0.10 bits instead
of 0.20 with 31 classes and 10,000 samples. Fits that share no samples have
other things wrong, so an answer about one half of the samples that was learned
from the other half counts only so far as it holds there (`Halves`). What two
fits have wrong is alike, or the opposite, by chance: of several divisions into
halves the one counts in which it holds least.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.special
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

_LEAST = 1e-6
# The least gain of log-likelihood, in all, of a scale that is not 0.
_GAIN = 5.0
# Odds below this are zeros: such atoms only keep the solver busy.
_PRUNED = 1e-3
# Boosting: shallow, and stopped early, by a tenth of the samples, if enough.
_TREES, _RATE, _LEAVES, _RIDGE, _PATIENCE = 60, 0.1, 8, 1.0, 5
_ENOUGH, _BINS, _SPLIT = 100, 32, 40
_ALIKE = 1e-9


class Halves(NamedTuple):
    """Posteriors of the same samples, by fits to halves.

    Attributes:
      r1: posteriors `[n1, y]`, in the order of the others.
      r2: posteriors `[n2, y]`.
      half: 0 or 1, of every row of r1, then of r2, `[n1 + n2]`: classifiers
        behind one half have seen no sample that those behind the other have.
    """

    r1: np.ndarray
    r2: np.ndarray
    half: np.ndarray


class Laws(NamedTuple):
    """The laws of the posteriors of both modalities on all atoms.

    Attributes:
      atoms: the rows of r1, then those of r2, `[n1 + n2, y]`.
      weights1: the first modality's law, `[n1 + n2]`, sum 1.
      weights2: the second modality's law.
      size1: n1.
    """

    atoms: np.ndarray
    weights1: np.ndarray
    weights2: np.ndarray
    size1: int


def pool(
    r1: np.ndarray,
    r2: np.ndarray,
    w1: np.ndarray,
    w2: np.ndarray,
    folds: np.ndarray,
    halves: Sequence[Halves] = (),
) -> Laws:
    """Estimates both laws on the union of the atoms.

    Args:
      r1: posteriors `[n1, y]`.
      r2: posteriors `[n2, y]`.
      w1: weights `[n1]`, sum 1.
      w2: weights `[n2]`, sum 1.
      folds: fold of every row of r1, then of r2, `[n1 + n2]`; the rows of a
        unit share theirs.
      halves: of fitted posteriors, one for each division into halves, to tell
        what laws differ in from what fits have wrong.

    Returns:
      The laws.
    """
    atoms = np.concatenate([r1, r2])
    first = np.arange(len(atoms)) < len(r1)
    weights = np.concatenate([w1, w2])
    share = weights / weights.sum()
    score = _scores(atoms, first, share, folds)
    # Out of fold, what the classifier has learned of noise is worth nothing:
    # its logits are scaled by what serves the held-out samples.
    scale = _scale(score, first, share)
    least = 1.0
    for part in halves:
        if scale and least:
            others = np.concatenate([part.r1, part.r2])
            across = _scores(others, first, share, part.half)
            least = min(least, _scale(across, first, share))
    scale *= least
    g = scipy.special.expit(scale * score)
    weights1, weights2 = (
        np.where(odds > _PRUNED, share * odds, 0) for odds in (g, 1 - g)
    )
    return Laws(
        atoms, weights1 / weights1.sum(), weights2 / weights2.sum(), len(r1)
    )


def _scores(
    atoms: np.ndarray, first: np.ndarray, share: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """Log odds of the first law, by classifiers fitted on other folds."""
    # Even odds, and weights of mean 1, which the trees' penalties expect.
    weights = share * len(atoms)
    x = _features(atoms)
    score = np.zeros(len(atoms))
    for fold in range(int(folds.max()) + 1):
        test = folds == fold
        train = ~test & (weights > 0)
        if len(np.unique(first[train])) < 2:
            continue
        model = HistGradientBoostingClassifier(
            max_iter=_TREES,
            learning_rate=_RATE,
            max_leaf_nodes=_LEAVES,
            l2_regularization=_RIDGE,
            early_stopping=bool(train.sum() >= _ENOUGH),
            n_iter_no_change=_PATIENCE,
            max_bins=_BINS,
            min_samples_leaf=int(np.clip(train.sum() // _SPLIT, 2, 20)),
            random_state=0,
        )
        # Weights that are all alike only slow the trees' bins down.
        alike = np.ptp(weights[train]) <= _ALIKE
        # On busy cores the trees' threads wait for each other.
        with threadpool_limits(limits=1, user_api="openmp"):
            model.fit(
                x[train],
                first[train],
                sample_weight=None if alike else weights[train],
            )
        score[test] = model.decision_function(x[test])
    return score


def _scale(score: np.ndarray, first: np.ndarray, share: np.ndarray) -> float:
    """The factor of log odds that serves these samples; 0 if none does."""
    sign = np.where(first, 1, -1)

    def entropy(scale: float) -> float:
        return float(share @ np.logaddexp(0, -sign * score * scale))

    fit = scipy.optimize.minimize_scalar(
        entropy, bounds=(0, 2), method="bounded"
    )
    return fit.x if fit.fun < math.log(2) - _GAIN / len(score) else 0.0


def _features(r: np.ndarray) -> np.ndarray:
    """Centred logarithms, and what says how sure a posterior is."""
    logs = np.log(np.maximum(r, _LEAST))
    mean = logs.mean(1, keepdims=True)
    sure = [(r * logs).sum(1, keepdims=True), (r**2).sum(1, keepdims=True)]
    return np.concatenate([logs - mean, mean, *sure], axis=1)
