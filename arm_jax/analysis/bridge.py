"""What the predictions of the modalities share about the label.

The bridge between the two halves of the project: the partial information
decomposition (bounds.pid) of (prediction of modality 1, prediction of modality
2, label), whose terms training moves. For exact posteriors the contribution gap
phi_CMI(1) - phi_CMI(2) is U1 - U2 in the mean.
"""

import itertools

import numpy as np

import bounds
from arm_jax.evaluation import Predictions
from arm_jax.gaussian import Gaussian
from bounds.estimation.samples import count

TERMS = ("redundancy", "unique1", "unique2", "synergy")


def key(term: str, first: str, second: str) -> str:
    """Returns the name of a term of a pair in a line of metrics."""
    return f"{term}_{first}_{second}"


def of_predictions(
    predictions: list[Predictions], modalities: tuple[str, ...]
) -> list[dict[str, float]]:
    """PID (bits, plug-in) of each pair's predicted classes with the label.

    Of the examples that have all modalities, where some lack one. Nothing where
    they have several labels, whose table would be of all their combinations, or
    a number, or where no example has all modalities.

    Args:
      predictions: Predictions of each run.
      modalities: names, in the order of the predictions.

    Returns:
      For each run, the terms of each pair under `key`.
    """
    pairs = list(itertools.combinations(range(len(modalities)), 2))
    first = predictions[0]
    has = complete(first)
    if not pairs or not of_classes(first) or not has.any():
        return [{} for _ in predictions]
    classes = first.log_probs.full.shape[-1]
    counts = []
    for of_run in predictions:
        predicted = np.argmax(of_run.log_probs.alone, axis=-1).T[has]
        label = of_run.label[has]
        counts += [
            count(
                [predicted[:, i], predicted[:, j], label], (classes,) * 3
            ).counts
            for i, j in pairs
        ]
    # One batch for all runs and pairs.
    pid = bounds.pid(np.stack(counts), normalize=True)
    found: list[dict[str, float]] = []
    for run in range(len(predictions)):
        terms = {}
        for number, (i, j) in enumerate(pairs):
            at = run * len(pairs) + number
            for term in TERMS:
                name = key(term, modalities[i], modalities[j])
                terms[name] = float(getattr(pid, term)[at])
        found.append(terms)
    return found


def of_classes(predictions: Predictions) -> bool:
    """Whether each example has one class: not several labels, nor a number."""
    numbers = isinstance(predictions.log_probs.full, Gaussian)
    return predictions.label.ndim == 1 and not numbers


def complete(predictions: Predictions) -> np.ndarray:
    """Which examples have all modalities, bool `[n]`."""
    if predictions.present is None:
        return np.ones(len(predictions.label), bool)
    return np.all(predictions.present, axis=1)
