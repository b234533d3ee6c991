"""Contributions, agreement and calibration of a model's outputs by subset."""

import itertools
from typing import Any, NamedTuple

import numpy as np
from scipy.special import rel_entr

import bounds
from arm_jax import shapley
from arm_jax.data.outputs import SEPARATOR, Outputs
from arm_jax.errors import InputError
from arm_jax.valuation import (
    Subsets,
    conditional_contributions,
    joint_contribution,
)

# Of the confidences, for the calibration error.
_BINS = 15


class Agreement(NamedTuple):
    """Shares of samples by who is right; of all four cases of a pair.

    Attributes:
      redundancy: Each alone is right, and so are both together.
      unique1: The first alone is right, not the second; both together are.
      unique2: The second alone is right, not the first; both together are.
      synergy: Neither alone is right, both together are.
      lost: One of them alone is right, or both, and both together are not.
      neither: Neither alone is right, nor both together.
    """

    redundancy: float
    unique1: float
    unique2: float
    synergy: float
    lost: float
    neither: float


def scores(outputs: Outputs) -> dict[str, dict[str, float]]:
    """Accuracy, cross-entropy and calibration of every subset.

    Returns:
      By subset: `accuracy` and `ece`, the expected calibration error in 15
      equal bins of the confidence (Guo et al., ICML 2017), as shares of 1; and
      `cross_entropy` in bits.
    """
    rows = np.arange(len(outputs.label))
    table = {}
    for subset, log_p in outputs.log_probs.items():
        right = log_p.argmax(1) == outputs.label
        table[_name(outputs, subset)] = {
            "accuracy": float(right.mean()),
            "cross_entropy": float(
                -log_p[rows, outputs.label].mean() / np.log(2)
            ),
            "ece": calibration_error(np.exp(log_p.max(1)), right),
        }
    return table


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Mean distance of confidence and accuracy over bins, weighted by size.

    Args:
      confidence: Probability of the predicted class, `[n]`.
      right: Whether it is the true one, `[n]`.

    Returns:
      The error; NaN if some confidence is, which has no bin.
    """
    if np.isnan(confidence).any():
        return float("nan")
    number = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(number, confidence - right, _BINS)
    return float(np.abs(gaps).sum() / len(right))


def contributions(outputs: Outputs) -> dict[str, np.ndarray] | None:
    """Contributions of each sample, in bits, as `arm_jax.valuate` has them.

    Returns:
      `phi_mi` `[n]`, `phi_cmi` `[n, modalities]`, and without labels
      `expected_phi_mi`, `expected_phi_cmi`; None where the outputs of all but
      some modality are missing.
    """
    full = outputs.full
    without = [full - {name} for name in outputs.modalities]
    if not all(subset in outputs.log_probs for subset in without):
        return None
    subsets = Subsets(
        outputs.log_probs[full],
        np.stack([outputs.log_probs[frozenset({m})]
                  for m in outputs.modalities]),
        np.stack([outputs.log_probs[subset] for subset in without]),
    )  # fmt: skip
    # Where something has no probability, contributions are infinite, or of two
    # infinities no number.
    with np.errstate(invalid="ignore"):
        phi_mi = joint_contribution(subsets, outputs.log_prior, outputs.label)
        phi_cmi = conditional_contributions(subsets, outputs.label)
    nats = {
        "phi_mi": phi_mi,
        "phi_cmi": phi_cmi.T,
        "expected_phi_mi": _divergence(subsets.full, outputs.log_prior),
        "expected_phi_cmi": _divergence(subsets.full, subsets.without).T,
    }
    return {key: x / np.log(2) for key, x in nats.items()}


def agreement(outputs: Outputs, first: str, second: str) -> Agreement | None:
    """Who is right of two modalities and both together, as shares of 1.

    None if there are no outputs of both.
    """
    right = {}
    for subset in ({first}, {second}, {first, second}):
        log_p = outputs.log_probs.get(frozenset(subset))
        if log_p is None:
            return None
        right[frozenset(subset)] = log_p.argmax(1) == outputs.label
    a, b = right[frozenset({first})], right[frozenset({second})]
    both = right[frozenset({first, second})]
    share = lambda which: float(which.mean())
    return Agreement(
        redundancy=share(a & b & both),
        unique1=share(a & ~b & both),
        unique2=share(~a & b & both),
        synergy=share(~a & ~b & both),
        lost=share((a | b) & ~both),
        neither=share(~a & ~b & ~both),
    )


def decomposition(
    outputs: Outputs, first: str, second: str
) -> dict[str, Any] | None:
    """What two modalities tell the model, by `bounds.pid_of_posteriors`.

    It holds as far as the outputs are calibrated; `doubts` say how far not.

    Returns:
      `value` and `interval` (bits) of redundancy, unique1, unique2, synergy
      and total, and `doubts`; or `doubts` alone, where there is no answer; None
      if there are no outputs of both.
    """
    r1, r2, r12 = (
        outputs.log_probs.get(frozenset(subset))
        for subset in ({first}, {second}, {first, second})
    )
    if r1 is None or r2 is None or r12 is None:
        return None
    prior = np.exp(outputs.log_prior)
    try:
        pid = bounds.pid_of_posteriors(
            np.exp(r1),
            np.exp(r2),
            r12=np.exp(r12),
            labels=outputs.label,
            prior=prior,
        )
    except InputError as error:
        return {"doubts": [str(error)]}
    return {
        "value": {name: getattr(pid, name) for name in pid.interval},
        "interval": {name: list(ends) for name, ends in pid.interval.items()},
        "doubts": list(pid.doubts),
    }


def accuracy_shares(outputs: Outputs) -> dict[str, float] | None:
    """Shapley values of the accuracy; None if a subset is missing.

    They sum to the accuracy of all less that of the likeliest class.
    """
    values = []
    for members in shapley.coalitions(len(outputs.modalities)):
        subset = frozenset(itertools.compress(outputs.modalities, members))
        log_p = outputs.log_probs.get(subset)
        if not subset:
            log_p = np.broadcast_to(
                outputs.log_prior, outputs.log_probs[outputs.full].shape
            )
        if log_p is None:
            return None
        values.append((log_p.argmax(1) == outputs.label).mean())
    shares = shapley.weights(len(outputs.modalities)) @ np.array(values)
    return dict(zip(outputs.modalities, shares.tolist(), strict=True))


def summary(outputs: Outputs) -> dict[str, Any]:
    """Returns all of it, means over samples, as results.json has it."""
    phi = contributions(outputs)
    return {
        "modalities": list(outputs.modalities),
        "samples": len(outputs.label),
        "classes": len(outputs.log_prior),
        "kind": outputs.kind,
        "subsets": scores(outputs),
        "contributions": None
        if phi is None
        else {key: x.mean(0) for key, x in phi.items()},
        "shapley": accuracy_shares(outputs),
        "decomposition": {
            f"{a} & {b}": decomposition(outputs, a, b)
            for a, b in itertools.combinations(outputs.modalities, 2)
        },
        "agreement": {
            f"{a} & {b}": None
            if (found := agreement(outputs, a, b)) is None
            else found._asdict()
            for a, b in itertools.combinations(outputs.modalities, 2)
        },
    }


def _divergence(log_p: Any, log_q: Any) -> np.ndarray:
    """KL divergence over the last axis, nats; what p lacks adds nothing."""
    return rel_entr(np.exp(log_p), np.exp(log_q)).sum(-1)


def _name(outputs: Outputs, subset: frozenset[str]) -> str:
    return SEPARATOR.join(m for m in outputs.modalities if m in subset)
