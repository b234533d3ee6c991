"""What a trained model makes of each pair of modalities, in bits.

The bridge from training to `bounds`: a model predicts from each modality alone
and from both, and those posteriors, calibrated out of fold on the examples that
are decomposed, have redundancy, unique informations and synergy
(`bounds.pid_of_posteriors`). They are about the data as far as this model has
learned them: a neglected modality looks as if it knew little. What simple
classifiers make of the same data is `arm_jax.studies.quantify`.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import bounds
from arm_jax.analysis.bridge import TERMS, complete, of_classes
from arm_jax.errors import InputError
from arm_jax.evaluation import Predictions

# Enough for a line in a report; `quantify` takes its time.
_ATOMS, _REPLICATES = 1000, 100
_SEVERAL = "examples have several labels, or numbers"
_INCOMPLETE = "no example has all modalities"


def of_predictions(
    predictions: Predictions, modalities: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Decomposes the posteriors of every pair of modalities.

    Args:
      predictions: Of one run on one split; of the examples that have all
        modalities, where some lack one.
      modalities: Names, in the order of the predictions.

    Returns:
      "first + second" to R, U1, U2, S (None where there are more than three
      modalities: nothing predicts from the pair), the `interval` of each, the
      certified `gap` of the atoms, `doubts`, and the number of `samples`; or to
      a `reason` why the pair has no numbers.
    """
    log_probs = predictions.log_probs
    number = len(modalities)
    pairs = list(itertools.combinations(range(number), 2))
    names = [f"{modalities[i]} + {modalities[j]}" for i, j in pairs]
    if not of_classes(predictions):
        return {name: {"reason": _SEVERAL} for name in names}
    has = complete(predictions)
    if not has.any():
        return {name: {"reason": _INCOMPLETE} for name in names}
    label = predictions.label[has]
    alone, without = (
        np.exp(np.asarray(x, np.float64))[:, has]
        for x in (log_probs.alone, log_probs.without)
    )
    full = np.exp(np.asarray(log_probs.full, np.float64))[has]
    found: dict[str, dict[str, Any]] = {}
    for name, (i, j) in zip(names, pairs, strict=True):
        both = full if number == 2 else None
        if number == 3:
            both = without[3 - i - j]
        try:
            found[name] = _decomposed(alone[i], alone[j], both, label)
        except InputError as error:
            found[name] = {"reason": str(error)}
    return found


def _decomposed(
    first: np.ndarray,
    second: np.ndarray,
    both: np.ndarray | None,
    label: np.ndarray,
) -> dict[str, Any]:
    pid = bounds.pid_of_posteriors(
        *(_normalized(p) for p in (first, second)),
        r12=None if both is None else _normalized(both),
        labels=label,
        folds=np.zeros(len(label), int),
        calibration="temperature",
        max_atoms=_ATOMS,
        replicates=_REPLICATES,
    )
    values = {term: getattr(pid, term) for term in TERMS}
    return {
        **{k: None if x is None else float(x) for k, x in values.items()},
        "interval": {
            term: list(pid.interval[term])
            for term in TERMS
            if term in pid.interval
        },
        "gap": float(pid.gap),
        "doubts": list(pid.doubts),
        "samples": len(label),
    }


def _normalized(p: np.ndarray) -> np.ndarray:
    """Rows of sum 1: those of float32 logarithms are so to 1e-6."""
    return p / p.sum(-1, keepdims=True)


def computed(
    interactions: Mapping[str, Mapping[str, Any]],
) -> dict[str, Mapping[str, Any]]:
    """Returns the pairs that have numbers."""
    return {
        pair: found
        for pair, found in interactions.items()
        if "reason" not in found
    }
