"""Scores of several labels at once, at a threshold of 1/2.

Predictions and labels are tables `[n, labels]` of 0 and 1. The numbers are
scikit-learn's, with 0 for what it calls a division by zero.
"""

import numpy as np


def exact_match(predicted: np.ndarray, label: np.ndarray) -> float:
    """Share of the examples of which every label is right."""
    return float((predicted == label).all(axis=-1).mean())


def micro_f1(predicted: np.ndarray, label: np.ndarray) -> float:
    """F1 of all labels of all examples, taken together."""
    return float(_f1(predicted.ravel(), label.ravel()))


def macro_f1(predicted: np.ndarray, label: np.ndarray) -> float:
    """Mean over labels of the F1 of each."""
    return float(_f1(predicted, label).mean())


def _f1(predicted: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall over the first axis."""
    both = ((predicted == 1) & (label == 1)).sum(axis=0)
    either = (predicted == 1).sum(axis=0) + (label == 1).sum(axis=0)
    return 2 * both / np.maximum(either, 1)


def average_precision(scores: np.ndarray, label: np.ndarray) -> float:
    """Mean over labels of the area under precision and recall, by steps.

    Labels that no example has do not count; NaN if there is no other.

    Args:
      scores: The larger, the likelier the label, `[n, labels]`.
      label: `[n, labels]`.
    """
    found = [
        _average_precision(scores[:, k], label[:, k] == 1)
        for k in np.flatnonzero(label.any(axis=0))
    ]
    return float(np.mean(found)) if found else float("nan")


def _average_precision(scores: np.ndarray, has: np.ndarray) -> float:
    order = np.argsort(-scores, kind="stable")
    # The last of equal scores: no threshold tells them apart.
    last = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(has[order])[last]
    precision = hits / (np.flatnonzero(last) + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / has.sum())
