"""What fitted posteriors claim of the least information, and labels deny.

A posterior that is calibrated on the whole need not be so everywhere: where a
classifier has a class mean a little wrong, its answers differ from those of the
other modality's classifier, and the minimum over couplings takes that for
unique information. Its multipliers show where. On the samples of a fold they
are functions of classifiers that have not seen the fold's labels; so with the
labels in place of the posteriors the multipliers give, in expectation, no more
than the true minimum, as E log2 r(label) / p(label) is no more than the true
information. What the posteriors give more is too much.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bounds.estimation import _posterior_solve
from bounds.estimation._posterior_input import (
    Input,
    error_by_unit,
    log_ratio,
    restricted,
    table,
)

_SIDES = ("r1", "r2")


class Overclaim(NamedTuple):
    """An estimate, in bits.

    Attributes:
      value: What the excess of the minimum over the mean of both informations
        has too much.
      error: Its standard error.
    """

    value: float
    error: float


def overclaim(
    data: Input,
    prior: np.ndarray,
    folds: np.ndarray,
    rng: np.random.Generator,
    *,
    most: int,
) -> Overclaim:
    """Compares the multipliers' value under the posteriors and the labels.

    Args:
      data: Paired samples, and the labels of either side.
      prior: p(y).
      folds: Codes `[n]`: classifiers have seen the labels of other folds only.
      rng: Draws the samples of large folds.
      most: Samples of a fold that are solved; the time grows with their square.

    Returns:
      The estimate; 0 if no fold has two samples.
    """
    terms, weights, units = [], [], []
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        if len(rows) > most:
            rows = np.sort(rng.permutation(rows)[:most])
        if len(rows) < 2 or not data.w["r1"][rows].any():
            continue
        part = restricted(data, rows, rows)
        share = data.w["r1"][folds == fold].sum()
        labels = [data.labels[name][rows] for name in _SIDES]
        terms.append(share * _terms(part, labels, prior))
        weights.append(share * part.w["r1"])
        units.append(part.units)
    if not terms:
        return Overclaim(0.0, 0.0)
    each, weight = np.concatenate(terms), np.concatenate(weights)
    total = weight.sum()
    value = float(each.sum() / total)
    deviations = (each - weight * value) / total
    return Overclaim(value, error_by_unit(deviations, np.concatenate(units)))


def _terms(
    part: Input, labels: Sequence[np.ndarray], prior: np.ndarray
) -> np.ndarray:
    """Every sample's share of what is claimed and not kept, `[n]`."""
    claims = [table(part.r[name], part.w[name], prior) for name in _SIDES]
    _, _, lam, mu = _posterior_solve.decompose(
        claims[0], claims[1], prior, still=_posterior_solve.STILL
    )
    classes = np.arange(len(prior))
    terms = np.zeros(len(part.units))
    for name, claim, multiplier, y in zip(
        _SIDES, claims, (lam, mu), labels, strict=True
    ):
        kept = table((y[:, None] == classes).astype(float), part.w[name], prior)
        # Of a class without a sample nothing is denied.
        denied = claim - np.where(kept.any(0), kept, claim)
        # Of the information half, for the excess is what is over their mean.
        over = multiplier - log_ratio(claim, prior) / 2
        terms += np.sum(denied * over, axis=1)
    return terms
