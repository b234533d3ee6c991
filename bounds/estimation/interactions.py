"""Interactions of two modalities with the label, each with its error bar."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bounds.accuracy import accuracy_interval
from bounds.estimation import _statistics, samples
from bounds.estimation._resampling import Options, Resampled
from bounds.estimation.estimators import Estimate, interval, jackknife_bias
from bounds.estimation.evidence import Verdict
from bounds.estimation.samples import Samples

BAND = ("lower", "upper", "least", "most")
_ACCURACIES = ("accuracy", "accuracy1", "accuracy2")


class Range(NamedTuple):
    """A confidence interval without a best guess, NaN if unknown."""

    lower: float
    upper: float


class Interactions(NamedTuple):
    """What a data set says about two modalities and a label.

    Attributes:
      level: which of the three levels of knowledge.
      estimates: by name: `information1`, `information2`, `redundancy`,
        `unique1`, `unique2`; of labelled pairs also `synergy`, `total`.
      synergy_lower: The least synergy that the pairwise marginals allow.
      synergy_upper: The bound on the largest.
      synergy: what is known of the synergy: that of `estimates` if there are
        enough labelled pairs, otherwise from `synergy_lower` to
        `synergy_upper`.
      information: What is known of I(X1,X2;Y), in the same way.
      accuracy: That of the best classifier of both: estimated if there are
        enough labelled pairs, otherwise `accuracy_bounds`.
      accuracy_bounds: what follows for it without labelled pairs, see
        `accuracy_interval`.
      accuracy1: That of the best classifier of the first: estimated if there
        are enough samples, otherwise what follows from `information1`.
      accuracy2: That of the second, in the same way.
      label: p(y) as observed, `[y]`.
      label_entropy: H(Y).
      cells: number of possible cells of (x1, x2, y).
      size: number of samples, the smallest of the sets.
      effective: independent samples that would be as good.
      gap: largest certified error of the solver in the values, bits; 0 if
        there was nothing to solve.
    """

    level: str
    estimates: dict[str, Estimate]
    synergy_lower: Estimate
    synergy_upper: Estimate
    synergy: Range
    information: Range
    accuracy: Range
    accuracy_bounds: Range
    accuracy1: Range
    accuracy2: Range
    label: np.ndarray
    label_entropy: float
    cells: int
    size: int
    effective: float
    gap: float


def estimate(
    name: str,
    verdict: Verdict,
    full: float,
    resampled: Resampled | None,
    level: float,
) -> Estimate:
    """Returns one statistic with its error bar, from what was resampled."""
    nan = math.nan
    if not verdict.enough or resampled is None:
        return Estimate(nan, nan, nan, full, nan, nan, nan, *verdict)
    boot, null = (resampled.get(kind, name) for kind in ("bootstrap", "null"))
    if len(resampled.kept) > 1:
        left_out = resampled.get("left_out", name)
        bias = float(jackknife_bias(full, left_out, resampled.kept))
    else:
        # The bootstrap's bias, where tables are too costly to leave blocks out.
        bias = float(boot.mean() - full)
    unseen = np.abs(resampled.get("unseen", name) - full).max(initial=0)
    lower, upper = interval(full, bias, boot, unseen=unseen, level=level)
    return Estimate(
        value=max(0.0, full - bias),
        lower=float(lower),
        upper=float(upper),
        plug_in=full,
        deviation=float(boot.std(ddof=1)),
        null=float(np.quantile(null, 0.95)) if len(null) else nan,
        # Ties up to the solver's tolerance count.
        p_value=(1 + int((null >= full - _statistics.TOLERANCE).sum()))
        / (1 + len(null))
        if len(null)
        else nan,
        enough=True,
        needed=verdict.needed,
    )


def assemble(
    level: str,
    full: Mapping[str, float],
    resampled: Resampled | None,
    band: Resampled | None,
    verdict: Mapping[str, Verdict],
    marginals: tuple[Samples, Samples, Samples],
    table: Samples | None,
    options: Options,
) -> Interactions:
    """Returns the interactions from statistics of tables of counts."""
    first, second, pairs = marginals
    label = (
        first.counts.sum(0) / first.mass + second.counts.sum(0) / second.mass
    ) / 2
    nan = math.nan
    estimates = {
        name: estimate(name, one, full.get(name, nan), resampled, options.level)
        for name, one in verdict.items()
        if name != "bounds"
    }
    bounds = {
        name: estimate(
            name,
            verdict["bounds"],
            nan if band is None else band.full()[name],
            band,
            options.level,
        )
        for name in BAND
    }
    sets = (table,) if table is not None else marginals
    cells = (
        pairs.counts.any(1).sum()
        * pairs.counts.any(0).sum()
        * (label > 0).sum()
    )
    gap = full.get("gap", 0.0) if resampled is None else resampled.gap()
    return finish(
        level, estimates, bounds, label, int(cells), min(s.size for s in sets),
        min(samples.effective_size(s) for s in sets), gap,
    )  # fmt: skip


def finish(
    level: str,
    estimates: dict[str, Estimate],
    band: Mapping[str, Estimate],
    label: np.ndarray,
    cells: int,
    size: int,
    effective: float,
    gap: float,
) -> Interactions:
    """Returns the interactions, with what follows from the estimates."""
    entropy = float(_statistics.entropy(label))
    synergy = _known(estimates.get("synergy"), band["lower"], band["upper"])
    information = _known(estimates.get("total"), band["least"], band["most"])
    singles = []
    for i in (1, 2):
        known = estimates[f"information{i}"]
        singles.append(
            _reached(estimates, f"accuracy{i}")
            or _accuracy(_capped(known.lower, known.upper, entropy), label)
        )
    without_pairs = _capped(band["least"].lower, band["most"].upper, entropy)
    bounds = _accuracy(without_pairs, label)
    # Both are no worse than either.
    best = max(one.lower for one in singles)
    bounds = Range(max(bounds.lower, best), max(bounds.upper, best))
    return Interactions(
        level=level,
        estimates={
            name: one
            for name, one in estimates.items()
            if name not in _ACCURACIES
        },
        synergy_lower=band["lower"],
        synergy_upper=band["upper"],
        synergy=_capped(*synergy, entropy),
        information=_capped(*information, entropy),
        accuracy=_reached(estimates, "accuracy") or bounds,
        accuracy_bounds=bounds,
        accuracy1=singles[0],
        accuracy2=singles[1],
        label=label,
        label_entropy=entropy,
        cells=cells,
        size=size,
        effective=effective,
        gap=gap,
    )


def _known(
    estimate: Estimate | None, lower: Estimate, upper: Estimate
) -> Range:
    if estimate is not None and estimate.enough:
        return Range(estimate.lower, estimate.upper)
    if lower.enough:
        return Range(lower.lower, upper.upper)
    return Range(math.nan, math.nan)


def _reached(estimates: Mapping[str, Estimate], name: str) -> Range | None:
    """The interval of an accuracy, if there are samples enough."""
    found = estimates.get(name)
    if found is None or not found.enough:
        return None
    return _capped(found.lower, found.upper, 1.0)


def _capped(lower: float, upper: float, most: float) -> Range:
    return Range(min(lower, most), min(upper, most))


def _accuracy(information: Range, label: np.ndarray) -> Range:
    if math.isnan(information.lower):
        return Range(float(label.max()), 1.0)
    found = accuracy_interval(
        information.lower, label, most_information=information.upper
    )
    return Range(float(found.lower), float(found.upper))
