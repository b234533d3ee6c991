"""Linear discriminant analysis: normal classes of one covariance.

The covariance is pulled towards a multiple of the identity, as far as Ledoit
and Wolf, "A well-conditioned estimator for large-dimensional covariance
matrices" (J. Multivariate Analysis 2004), say. Where the classes are normal it
needs fewer samples than logistic regression does (Efron, JASA 1975), and there
is nothing to iterate.
"""

import numpy as np
from scipy.linalg import solve
from sklearn.covariance import ledoit_wolf_shrinkage

# Rows that fill fewer dimensions than there are leave a singular covariance.
_LEAST_PULL = 1e-6


def posteriors(
    train: np.ndarray,
    label: np.ndarray,
    test: np.ndarray,
    *,
    classes: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Fits some samples and predicts others.

    Args:
      train: features, `[n, d]`.
      label: classes, `[n]`.
      test: features, `[m, d]`.
      classes: number of classes; what no label is has the probability 0.
      weights: of the training samples, positive, `[n]`; equal by default.

    Returns:
      p(y|x), `[m, classes]`.
    """
    w = np.ones(len(label)) if weights is None else weights / weights.mean()
    seen, code = np.unique(label, return_inverse=True)
    mass = np.bincount(code, w)
    member = np.zeros((len(seen), len(label)))
    member[code, np.arange(len(label))] = w
    means = member @ train / mass[:, None]
    rest = np.sqrt(w)[:, None] * (train - means[code])
    covariance = _shrunk(rest)
    directions = solve(covariance, means.T, assume_a="pos")  # [d, seen]
    logits = test @ directions - np.sum(means.T * directions, axis=0) / 2
    logits += np.log(mass / mass.sum())
    logits -= logits.max(1, keepdims=True)
    out = np.zeros((len(test), classes))
    out[:, seen] = np.exp(logits)
    return out / out.sum(1, keepdims=True)


def _shrunk(rest: np.ndarray) -> np.ndarray:
    """The covariance of centred rows, shrunk, `[d, d]`."""
    covariance = rest.T @ rest / len(rest)
    scale = float(np.trace(covariance)) / len(covariance)
    if not scale > 0:
        # All samples are at their class's mean: any multiple will do.
        return np.eye(len(covariance))
    pull = max(
        float(ledoit_wolf_shrinkage(rest, assume_centered=True)), _LEAST_PULL
    )
    return (1 - pull) * covariance + pull * scale * np.eye(len(covariance))
