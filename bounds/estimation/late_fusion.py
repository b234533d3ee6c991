"""Late fusion: log-odds that are sums of each modality's own.

    log p(y|x1, x2) = scale1 log r1(y) + scale2 log r2(y) + offset(y) + constant

With scales 1 and offset -log p(y) it is exact where the modalities are
independent given the label. As with calibration, the parameters are fitted on
other folds than those that they are applied to.
"""

from typing import Any

import numpy as np
import scipy.optimize
import scipy.special

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation.calibration import (
    FOLDS,
    LEAST,
    RIDGE,
    classes,
    folds_of,
    weights_of,
)

# What it is called where classifiers are.
NAME = "late fusion"


def fuse(
    r1: Any,
    r2: Any,
    labels: Any,
    *,
    weights: Any = None,
    groups: Any = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> np.ndarray:
    """Fuses the posteriors of two modalities, without interactions.

    Args:
      r1: p(y|x1) of samples outside the classifier's training set, `[n, y]`.
      r2: p(y|x2) of the same samples, `[n, y]`.
      labels: classes 0 to y - 1, `[n]`.
      weights: of the samples, `[n]`, equal by default.
      groups: codes, names or the like, `[n]`; samples of a group stay in one
        fold.
      folds: number of folds, from 2 on.
      seed: of the folds.

    Returns:
      p(y|x1, x2) of every sample by the other folds' fit, `[n, y]`.

    Raises:
      InputError: Shapes that differ; as `inputs.probabilities`; labels that
        are no classes; weights that are negative or all zero; fewer groups
        than folds.
    """
    p1, p2 = inputs.probabilities("r1", r1), inputs.probabilities("r2", r2)
    if p1.shape != p2.shape:
        raise InputError(f"r1 has shape {p1.shape}, r2 has {p2.shape}")
    z = np.log(np.maximum(np.stack([p1, p2]), LEAST))
    y = classes("labels", labels, *p1.shape)
    w = weights_of("weights", weights, len(y))
    parts = folds_of(groups, len(y), folds, seed)
    out = np.empty_like(p1)
    for fold in range(int(parts.max()) + 1):
        test = parts == fold
        scales, offset = _fit(z[:, ~test], y[~test], w[~test])
        out[test] = scipy.special.softmax(
            np.tensordot(scales, z[:, test], 1) + offset, axis=1
        )
    return out


def _fit(
    z: np.ndarray, y: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the scales `[2]` and the offset `[y]` of least cross-entropy."""
    rows = np.arange(len(y))
    w = w / w.sum() if w.any() else np.full(len(w), 1 / len(w))
    frequency = np.bincount(y, w, minlength=z.shape[2])
    start = np.concatenate([[1.0, 1.0], -np.log(np.maximum(frequency, 1e-3))])

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        fused = np.tensordot(parameters[:2], z, 1) + parameters[2:]
        fused = scipy.special.log_softmax(fused, axis=1)
        error = np.exp(fused)
        error[rows, y] -= 1
        error *= w[:, None]
        gradient = np.concatenate([np.tensordot(z, error, 2), error.sum(0)])
        change = parameters - start
        value = -float(w @ fused[rows, y]) + RIDGE / 2 * change @ change
        return value, gradient + RIDGE * change

    fit = scipy.optimize.minimize(objective, start, jac=True, method="L-BFGS-B")
    return fit.x[:2], fit.x[2:]
