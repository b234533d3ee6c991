"""Whether the numbers that posteriors give are possible, and relied on."""

import math

import numpy as np
import scipy.optimize
import scipy.special

from bounds.estimation._posterior_input import Input, error_by_unit
from bounds.estimation._statistics import entropy

# What makes an answer doubtful: miscalibration in bits and standard errors,
# too few samples per class, bits that the joint classifier lacks. The solver's
# gap and the scatter of subsamples are in the intervals.
_MISCALIBRATED, _SIGNIFICANT = 0.05, 3.0
_PER_CLASS = 5.0
# Exponents of Chernoff's bound that are tried: 1 is a posterior's own odds.
_MOST_TILT = 64.0
_NEGATIVE = 0.02


def miscalibration(
    data: Input, prior: np.ndarray, soft: dict[str, float]
) -> tuple[dict[str, float], dict[str, str]]:
    """Hard informations, and doubts where the soft ones differ, by name."""
    hard: dict[str, float] = {}
    doubts = {}
    log_prior = np.log2(np.where(prior > 0, prior, 1))
    for name, y in data.labels.items():
        r, w = data.r[name], data.w[name]
        logs = np.log2(np.maximum(r, np.finfo(np.float64).tiny))
        gain = logs[np.arange(len(r)), y] - log_prior[y]
        claim = np.sum(r * (logs - log_prior), axis=1)
        hard[name] = float(w @ gain)
        difference = claim - gain
        off = float(w @ difference)
        if abs(off) <= _MISCALIBRATED:
            continue
        each = w * (difference - off)
        clustered = error_by_unit(each, data.units_of(name)) ** 2
        alone = float(each @ each)
        effect = max(1.0, clustered / alone) if alone > 0 else 1.0
        if _surprise(r, logs - log_prior, effect * w, off) > _SIGNIFICANT:
            kind = "over" if off > 0 else "under"
            doubts[name] = (
                f"{name} is {kind}confident: it claims {soft[name]:.2f} bits "
                f"and keeps {hard[name]:.2f}; calibrate it on held-out samples "
                "(calibration='temperature' or 'vector')"
            )
    return hard, doubts


def _surprise(
    r: np.ndarray, ratio: np.ndarray, weights: np.ndarray, off: float
) -> float:
    """How unlikely labels of such posteriors are to be so far off.

    By Chernoff's bound with labels drawn from the posteriors, in standard
    errors of a normal variable. An error of the differences that are seen would
    grow with the very rows that are wrong, and be none where a rare label has
    not come yet.

    Args:
      r: posteriors, `[n, y]`.
      ratio: log2 r / p(y).
      weights: of the samples, times the factor by which dependence multiplies
        the variance, `[n]`.
      off: mean of claims less what labels keep, in bits.
    """
    ratio = ratio * math.log(2)
    claim = np.sum(r * ratio, axis=1)
    effect = weights.sum()
    sign = math.copysign(1 / weights.max(), off)

    def lost(tilt: float) -> float:
        tilts = sign * tilt * weights
        moments = scipy.special.logsumexp(-tilts[:, None] * ratio, axis=1, b=r)
        bound = np.sum(moments + tilts * claim)
        return float(bound - effect * sign * tilt * off * math.log(2)) / effect

    best = scipy.optimize.minimize_scalar(
        lost, bounds=(0, _MOST_TILT), method="bounded"
    )
    return math.sqrt(max(-2 * best.fun, 0.0))


def other_doubts(
    data: Input,
    prior: np.ndarray,
    values: dict[str, float],
    deviation: dict[str, float],
    gap: float,
) -> list[str]:
    doubts = []
    number = 2 ** entropy(prior)
    for name in ("r1", "r2"):
        size = _effective(data, name)
        if size < _PER_CLASS * number:
            doubts.append(
                f"{name} has {size:.0f} (effective) samples for {number:.0f} "
                f"classes; at least {math.ceil(_PER_CLASS * number)} are needed"
            )
    if "synergy" in values:
        low = values["synergy"] + 2 * deviation["synergy"] + gap
        if low < 0 and values["synergy"] < -_NEGATIVE:
            doubts.append(
                f"the synergy is negative ({values['synergy']:.2f}): r12 knows "
                "less than the modalities must know together; it needs a "
                "better joint classifier, or r1 and r2 are overconfident"
            )
    return doubts


def _effective(data: Input, name: str) -> float:
    """Kish's number of samples; those of a class that share a unit are one."""
    y = data.labels.get(name, data.r[name].argmax(1))
    cell = np.unique(
        np.stack([data.units_of(name), y]), axis=1, return_inverse=True
    )[1]
    mass = np.bincount(cell.ravel(), data.w[name])
    return 1 / float(mass @ mass)


def possible(
    interval: dict[str, tuple[float, float]], values: dict[str, float]
) -> dict[str, tuple[float, float]]:
    """Cuts off what the intervals of the informations rule out.

    No part is more than an information that it is a part of, and what the
    minimum is unsure of is often more than there is.
    """
    low = {name: ends[0] for name, ends in interval.items()}
    high = {name: ends[1] for name, ends in interval.items()}
    one, two = high["information1"], high["information2"]
    most = {"redundancy": min(one, two), "unique1": one, "unique2": two}
    least = {}
    if "synergy" in values:
        most["synergy"] = min(high["conditional1"], high["conditional2"])
        least["synergy"] = max(
            low["conditional1"] - one, low["conditional2"] - two
        )
    cut = {}
    for name, value in values.items():
        bottom = max(low[name], min(least.get(name, -math.inf), value))
        top = min(high[name], max(most.get(name, math.inf), value))
        cut[name] = (bottom, top)
    return cut
