"""Probabilities that mean what they say: temperature and vector scaling.

Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks"
(ICML 2017). The parameters are fitted on other folds than those that they are
applied to, so that the calibrated rows stay as good as unseen.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
import scipy.special

from bounds import inputs
from bounds.errors import InputError

KINDS = ("temperature", "vector")
# Of quantities that choose for themselves: the likelier, or none.
CALIBRATIONS = ("auto", *KINDS, "")
_GIVEN = ("probabilities", "logits")
# By default.
FOLDS = 5
# Probabilities are at least this: a classifier's 0 is no proof.
LEAST = 1e-12
# Logarithms of the temperature, and the pull of vector scaling to none.
_RANGE = (-4.0, 4.0)
RIDGE = 1e-3


class Calibrated(NamedTuple):
    """Calibrated posteriors.

    Attributes:
      probabilities: of every sample, `[n, y]`, by the other folds' fit.
      before: cross-entropy of the labels given the input, in bits.
      after: cross-entropy of the labels given `probabilities`, in bits.
      temperatures: of every fold, `[folds]`; of vector scaling the inverse of
        the mean scale. Below 1 the input was not confident enough.
    """

    probabilities: np.ndarray
    before: float
    after: float
    temperatures: np.ndarray


def calibrate(
    scores: Any,
    labels: Any,
    *,
    kind: str = "temperature",
    given: str = "probabilities",
    weights: Any = None,
    groups: Any = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> Calibrated:
    """Calibrates a classifier's outputs on samples that it was not fitted to.

    Args:
      scores: `[n, y]`, of samples outside the classifier's training set, such
        as cross-fitted ones.
      labels: classes 0 to y - 1, `[n]`.
      kind: "temperature" divides the logits by one number; "vector" has a
        scale and an offset for every class.
      given: whether `scores` are "probabilities" or "logits"; logarithms of
        probabilities are logits.
      weights: of the samples, `[n]`, uniform by default.
      groups: codes, names or the like, `[n]`; samples of a group stay in one
        fold.
      folds: number of folds, from 2 on.
      seed: of the folds.

    Returns:
      The calibrated posteriors.

    Raises:
      InputError: As `inputs.probabilities`; labels that are no classes;
        weights that are negative or all zero; fewer groups than folds.
    """
    kind = inputs.choice("kind", kind, KINDS)
    if inputs.choice("given", given, _GIVEN) == "logits":
        z = inputs.finite("scores", scores).astype(np.float64)
        if z.ndim != 2 or not z.size:
            raise InputError(
                f"scores must have one row per sample, got shape {z.shape}"
            )
        z = scipy.special.log_softmax(z, axis=1)
    else:
        p = inputs.probabilities("scores", scores)
        with np.errstate(divide="ignore"):
            z = np.log(p)
    z = np.maximum(z, math.log(LEAST))
    y = classes("labels", labels, *z.shape)
    w = weights_of("weights", weights, len(z))
    parts = folds_of(groups, len(z), folds, seed)
    out = np.empty_like(z)
    temperatures = np.empty(int(parts.max()) + 1)
    for fold in range(len(temperatures)):
        test = parts == fold
        scale, offset = _fit(z[~test], y[~test], w[~test], kind)
        out[test] = scipy.special.log_softmax(z[test] * scale + offset, axis=1)
        temperatures[fold] = 1 / np.mean(scale)
    rows = np.arange(len(z))
    return Calibrated(
        probabilities=np.exp(out),
        before=float(-w @ z[rows, y] / math.log(2)),
        after=float(-w @ out[rows, y] / math.log(2)),
        temperatures=temperatures,
    )


def classes(name: str, labels: Any, n: int, num_classes: int) -> np.ndarray:
    """Returns labels `[n]` of classes below `num_classes`.

    Raises:
      InputError: Another number of them; one that is no class.
    """
    y = inputs.integers(name, labels)
    if len(y) != n:
        raise InputError(f"{name} has {len(y)} entries for {n} samples")
    bad = (y < 0) | (y >= num_classes)
    if bad.any():
        at = int(bad.argmax())
        raise InputError(
            f"{name}[{at}] is {y[at]}, not a class from 0 to {num_classes - 1}"
        )
    return y


def weights_of(name: str, weights: Any, n: int) -> np.ndarray:
    """Returns weights `[n]` with sum 1, equal ones for None.

    Raises:
      InputError: Another number of them; a negative one; none above 0.
    """
    if weights is None:
        return np.full(n, 1 / n)
    w = inputs.finite(name, weights).astype(np.float64)
    if w.shape != (n,):
        raise InputError(f"{name} must have shape ({n},), got {w.shape}")
    if w.min() < 0:
        at = int(w.argmin())
        raise InputError(f"{name}[{at}] is negative: {w[at]:.9g}")
    if not w.any():
        raise InputError(f"{name} are all zero")
    w = w / w.max()
    return w / w.sum()


def folds_of(groups: Any, n: int, folds: int, seed: int) -> np.ndarray:
    """Returns the fold of every sample, whole groups in each.

    Raises:
      InputError: Fewer groups than folds; options out of range.
    """
    folds = inputs.integer("folds", folds, 2)
    codes = np.arange(n) if groups is None else inputs.codes("groups", groups)
    if len(codes) != n:
        raise InputError(f"groups has {len(codes)} entries for {n} samples")
    number = int(codes.max()) + 1
    if number < folds:
        what = "samples" if groups is None else "groups"
        raise InputError(f"{number} {what} are too few for {folds} folds")
    rng = np.random.default_rng(inputs.seed("seed", seed))
    return (rng.permutation(number) % folds)[codes]


def possible_folds(groups: np.ndarray) -> int:
    """Returns the default number of folds, or as many as groups allow."""
    return max(2, min(FOLDS, len(np.unique(groups))))


def _fit(
    z: np.ndarray, y: np.ndarray, w: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the scale `[y]` and the offset `[y]` of least cross-entropy."""
    num_classes = z.shape[1]
    w = w / w.sum() if w.any() else np.full(len(w), 1 / len(w))
    rows = np.arange(len(z))

    def entropy(log_scale: float) -> float:
        fitted = scipy.special.log_softmax(z * math.exp(log_scale), axis=1)
        return -float(w @ fitted[rows, y])

    best = scipy.optimize.minimize_scalar(
        entropy, bounds=_RANGE, method="bounded"
    )
    scale = np.full(num_classes, math.exp(best.x))
    if kind == "temperature":
        return scale, np.zeros(num_classes)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        change, offset = parameters.reshape(2, num_classes)
        fitted = scipy.special.log_softmax(
            z * (scale * (1 + change)) + offset, axis=1
        )
        error = np.exp(fitted)
        error[rows, y] -= 1
        error *= w[:, None]
        gradient = np.concatenate([(error * z).sum(0) * scale, error.sum(0)])
        value = -float(w @ fitted[rows, y])
        value += RIDGE / 2 * float(parameters @ parameters)
        return value, gradient + RIDGE * parameters

    fit = scipy.optimize.minimize(
        objective, np.zeros(2 * num_classes), jac=True, method="L-BFGS-B"
    )
    change, offset = fit.x.reshape(2, num_classes)
    return scale * (1 + change), offset
