"""Whether the numbers that posteriors give are possible, and relied on."""

import math

import numpy as np

from bounds.estimation._posterior_input import Input, error_by_unit
from bounds.estimation._statistics import entropy

# What makes an answer doubtful: miscalibration in bits and standard errors,
# too few samples per class, bits that the joint classifier lacks. The solver's
# gap and the scatter of subsamples are in the intervals.
_MISCALIBRATED, _SIGNIFICANT = 0.05, 3.0
_PER_CLASS = 5.0
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
        error = error_by_unit(w * (difference - off), data.units_of(name))
        if abs(off) > max(_MISCALIBRATED, _SIGNIFICANT * error):
            kind = "over" if off > 0 else "under"
            doubts[name] = (
                f"{name} is {kind}confident: it claims {soft[name]:.2f} bits "
                f"and keeps {hard[name]:.2f}; calibrate it on held-out samples "
                "(calibration='temperature' or 'vector')"
            )
    return hard, doubts


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
