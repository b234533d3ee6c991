"""Beyond accuracy: what is read off the predictions of all subsets.

Scores of prediction, its calibration, and how it stands the loss of modalities
and noise in them. Where examples lack modalities, a subset is scored on those
that have all of its members.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from scipy.special import log_softmax

from arm_jax import probing, shapley
from arm_jax.analysis.outputs import calibration_error
from arm_jax.data.outputs import SEPARATOR
from arm_jax.evaluation import more_scores, shares
from arm_jax.gaussian import Gaussian
from arm_jax.multilabel import average_precision

# What all modalities together are called.
FUSED = "fused"


def of_run(
    probe: probing.Probe,
    label: np.ndarray,
    modalities: Sequence[str],
    noisy: Sequence[str],
    present: np.ndarray | None = None,
    unit: float | np.ndarray = 1.0,
) -> dict[str, Any]:
    """Returns the scores of one run on one split.

    Args:
      probe: What the model makes of the split.
      label: Classes, `[n]`, or several labels, `[n, labels]`, or numbers
        likewise.
      modalities: Names, sorted.
      noisy: Those that can have noise.
      present: 1 for the modalities that examples have, `[n, modalities]`; None
        if all have all.
      unit: See `Dataset.unit`.

    Returns:
      `shapley`: by modality, shares of the accuracy of all less that of none.
      `scores`: of `FUSED` and of each modality alone `macro_f1`, `auroc` and
      `ece`; of several labels `micro_f1`, `exact_match` and
      `average_precision`, too; of numbers `rmse`, `mae` and `correlation`
      alone. `subsets`: accuracy from each subset that is not empty, by its
      names with "+" between them. `noise`: accuracy of all with noise in one,
      by modality, at `probing.LEVELS`. Shares of 1.
      `labels`, where examples have several labels, or numbers: of `FUSED` and
      of each modality alone `accuracy`, a list in their order, and of numbers
      `rmse` in their units.
      `patterns`, where examples lack modalities: by what they have, the number
      of `examples` and the `accuracy`. Accuracies are as in
      `evaluation.summarize`.
    """
    members = shapley.coalitions(len(modalities))
    log_p = _log_probs(probe.logits)
    each = [
        jax.tree.map(lambda x, k=k: x[:, k], log_p) for k in range(len(members))
    ]
    by_label = right = np.stack([shares(x, label) for x in each], axis=1)
    if label.ndim > 1:
        right = by_label.mean(axis=-1)
    has = np.ones((len(label), len(modalities)), bool)
    if present is not None:
        has = present > 0
    # `[n, subsets]`: whether an example has all of its members.
    covered = ~(~has @ members.T.astype(bool))
    names = [
        SEPARATOR.join(itertools.compress(modalities, row)) for row in members
    ]
    scores = {}
    of_labels: dict[str, dict[str, list[float]]] = {}
    for k, row in enumerate(members):
        if row.sum() in (1, len(modalities)):
            own = FUSED if row.all() else names[k]
            # The fused prediction is of what there is.
            of = covered[:, k] if own != FUSED else np.ones(len(label), bool)
            chosen = jax.tree.map(lambda x, of=of: x[of], each[k])
            scores[own] = _scores(chosen, label[of], unit)
            if label.ndim > 1:
                of_labels[own] = _of_labels(
                    by_label[of, k], chosen, label[of], unit
                )
    if len(modalities) == 1:
        scores[names[-1]] = scores[FUSED]
    weights = shapley.weights(len(modalities))
    found = {
        "shapley": _named(modalities, weights @ right.mean(axis=0)),
        "scores": scores,
        "subsets": {
            names[k]: _mean(right[covered[:, k], k])
            for k in range(1, len(names))
        },
        "noise": {
            name: _of_noise(probe, m, label).tolist()
            for m, name in enumerate(noisy)
        },
    }
    if of_labels:
        found["labels"] = of_labels
    if present is not None:
        found["patterns"] = _patterns(has, right[:, -1], names)
    return found


def _of_labels(
    right: np.ndarray, log_p: Any, label: np.ndarray, unit: float | np.ndarray
) -> dict[str, list[float]]:
    """What there is of each label, or number, by itself: see `of_run`."""
    by_label = list(map(_mean, right.T))
    if not isinstance(log_p, Gaussian):
        return {"accuracy": by_label}
    squares = ((log_p.mean - label) * unit) ** 2
    roots = [_mean(x) ** 0.5 for x in squares.T]
    return {"accuracy": by_label, "rmse": roots}


def _log_probs(outputs: Any) -> Any:
    """Log-probabilities in float64 of the outputs of a head."""
    if isinstance(outputs, Gaussian):
        return jax.tree.map(lambda x: np.asarray(x, np.float64), outputs)
    return log_softmax(np.asarray(outputs, np.float64), axis=-1)


def _of_noise(probe: probing.Probe, m: int, label: np.ndarray) -> np.ndarray:
    """Accuracy with noise in one modality, by level."""
    mean = np.asarray(probe.noisy)[:, m].mean(axis=0, dtype=np.float64)
    if isinstance(probe.logits, Gaussian):
        # There as a share of a variance of 1, the training split's.
        mean = 1 - (1 - mean) / label.var(axis=0, dtype=np.float64)
    return mean.mean(axis=-1) if label.ndim > 1 else mean


def contribution_gap(scores: Mapping[str, float]) -> float:
    """Mean over pairs of modalities of the difference of phi_CMI, in bits.

    Args:
      scores: What `evaluation.summarize` returns; NaN for one modality.
    """
    phi = [x for key, x in scores.items() if key.startswith("phi_cmi_")]
    pairs = list(itertools.combinations(phi, 2))
    return float(np.mean([abs(a - b) for a, b in pairs])) if pairs else np.nan


def auroc(log_probs: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve, mean over classes of one against the rest.

    As scikit-learn has it (`multi_class="ovr"`, `average="macro"`): the
    probability that an example of the class gets more of it than another, ties
    counted half. Classes that all examples have, or none, do not count; NaN if
    there is no other.

    Args:
      log_probs: `[n, classes]`; any increasing function of probabilities.
      label: `[n]`.
    """
    classes = log_probs.shape[1]
    # Of two, the second says all.
    chosen = np.arange(int(classes == 2), classes)
    return _mean_area(log_probs[:, chosen], label[:, None] == chosen)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 on; equal values share the mean of theirs, NaN has none."""
    # Those of scipy.stats, which takes a second to load.
    if np.isnan(values).any():
        return np.full(len(values), np.nan)
    _, which, counts = np.unique(
        values, return_inverse=True, return_counts=True
    )
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def _mean_area(scores: np.ndarray, has: np.ndarray) -> float:
    """Mean over the columns of `[n, columns]` that are not constant."""
    areas = []
    for column, of_class in zip(scores.T, has.T, strict=True):
        positives = int(of_class.sum())
        negatives = len(of_class) - positives
        if positives and negatives:
            ranks = _ranks(column)[of_class].sum()
            above = ranks - positives * (positives + 1) / 2
            areas.append(above / (positives * negatives))
    return float(np.mean(areas)) if areas else np.nan


def _scores(
    log_p: Any, label: np.ndarray, unit: float | np.ndarray
) -> dict[str, float]:
    if isinstance(log_p, Gaussian):
        if not len(label):
            return dict.fromkeys(("rmse", "mae", "correlation"), np.nan)
        return more_scores(log_p, label, unit)
    several = label.ndim > 1
    if not len(label):
        more = ("micro_f1", "exact_match", "average_precision")
        keys = ("macro_f1", *(more if several else ()), "auroc", "ece")
        return dict.fromkeys(keys, np.nan)
    predicted = np.argmax(log_p, axis=-1)
    confidence = np.exp(log_p.max(axis=-1)).ravel()
    found = more_scores(log_p, label)
    if several:
        odds = log_p[..., 1] - log_p[..., 0]
        found["average_precision"] = average_precision(odds, label)
        found["auroc"] = _mean_area(odds, label == 1)
    else:
        found["auroc"] = auroc(log_p, label)
    right = (predicted == label).ravel()
    return found | {"ece": calibration_error(confidence, right)}


def _patterns(
    has: np.ndarray, right: np.ndarray, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """The fused prediction by what examples have, the most frequent first."""
    code = has @ (1 << np.arange(has.shape[1]))
    number, counts = np.unique(code, return_counts=True)
    return {
        names[number[k]]: {
            "examples": int(counts[k]),
            "accuracy": _mean(right[code == number[k]]),
        }
        for k in np.argsort(-counts, kind="stable")
    }


def _mean(right: np.ndarray) -> float:
    return float(right.mean()) if len(right) else np.nan


def _named(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
