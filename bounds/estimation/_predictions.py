"""Interactions from two classifiers' outputs on unlabelled pairs.

Everything is a function of means over samples, so that a resample is a vector
of weights of the units.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation import _statistics, discretize, samples
from bounds.estimation._resampling import (
    LIVE,
    Options,
    Part,
    Resampled,
    batch_size,
    block_sizes,
    progress_bar,
)
from bounds.estimation.calibration import weights_of
from bounds.estimation.estimators import BLOCKS
from bounds.estimation.evidence import SAMPLES_PER_CELL, Predictions, Verdict
from bounds.estimation.interactions import BAND, Interactions, estimate, finish

# Weights of the Chernoff bound that are tried; each is valid.
_WEIGHTS = np.linspace(0.05, 0.95, 19)
_FEWEST_BINS = 2


def of_predictions(
    evidence: Predictions, options: Options, seed: int
) -> Interactions:
    """Returns the interactions, but for the synergy, which is bracketed.

    Args:
      evidence: The classifiers' outputs.
      options: The options of `quantify`.
      seed: Seed of the clusters.
    """
    first, second = (
        inputs.probabilities(name, p)
        for name, p in (("first", evidence.first), ("second", evidence.second))
    )
    if first.shape != second.shape or min(first.shape) < 2:
        raise InputError(
            "first and second must be two arrays [n, y] of paired samples, n "
            f"and y at least 2, got shapes {first.shape} and {second.shape}"
        )
    n, classes = first.shape
    bins = inputs.integer("bins", evidence.bins, _FEWEST_BINS)
    unit = np.arange(n)
    if evidence.units is not None:
        unit = inputs.codes("units", evidence.units)
        if len(unit) != n:
            raise InputError(f"units has {len(unit)} entries, first has {n}")
    weights = np.ones(n)
    if evidence.weights is not None:
        weights = weights_of("weights", evidence.weights, n)
        there = weights > 0
        first, second, weights = first[there], second[there], weights[there]
        unit = np.unique(unit[there], return_inverse=True)[1]
        n = len(weights)
        weights = n * weights
    # Kish's effective number of units, which may be of unequal size.
    mass = np.bincount(unit, weights)
    independent = int(mass.sum() ** 2 / (mass**2).sum() + 1e-9)
    # Outputs are probabilities, so that bins are not noisy counts of labels:
    # what they need is samples, not samples per cell.
    needed = SAMPLES_PER_CELL * _FEWEST_BINS
    verdict = Verdict(independent >= needed, needed)
    bins = max(_FEWEST_BINS, min(bins, independent // SAMPLES_PER_CELL))
    unit = samples.batches(unit, seed)
    size = np.bincount(unit, weights)
    count = len(size)
    member = scipy.sparse.csr_array((weights, (unit, np.arange(n))))
    # Sums over each unit, by name: the tables of clusters and labels, the
    # entropies of the outputs, and so on.
    sums: dict[str, np.ndarray] = {}
    for i, p in ((1, first), (2, second)):
        fitted = discretize.fit_posteriors(p, bins, seed=seed, fewer=True)
        column = fitted(p)[:, None] * classes + np.arange(classes)
        shape = (count, len(fitted.centers) * classes)
        soft = scipy.sparse.coo_array(
            (
                (weights[:, None] * p).ravel(),
                (np.repeat(unit, classes), column.ravel()),
            ),
            shape=shape,
        )
        sums[f"table{i}"] = soft.toarray()
        sums[f"entropy{i}"] = member @ _statistics.entropy(p)[:, None]
    sums["disagreement"] = member @ _disagreements(first, second)
    for i, p in ((1, first), (2, second)):
        sums[f"accuracy{i}"] = member @ p.max(1)[:, None]
    widths = np.cumsum([x.shape[1] for x in sums.values()])[:-1]
    rows = np.concatenate(list(sums.values()), axis=1)

    def statistics(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = (weights @ size)[:, None]
        parts = np.split(weights @ rows / total, widths, axis=1)
        means = dict(zip(sums, parts, strict=True))
        tables = [
            means[f"table{i}"].reshape(len(weights), -1, classes)
            for i in (1, 2)
        ]
        labels = [t.sum(1) for t in tables]
        label = (labels[0] + labels[1]) / 2
        scaled = [
            t * (label / np.where(own > 0, own, 1))[:, None]
            for t, own in zip(tables, labels, strict=True)
        ]
        found = _statistics.decomposed(
            options.memory_limit, *scaled, normalize=True
        )
        # What binning lost, by which a unique information may be larger.
        unique1, unique2 = (
            found[f"unique{i}"]
            + np.maximum(
                np.maximum(
                    _statistics.entropy(own) - means[f"entropy{i}"][:, 0], 0
                )
                - found[f"information{i}"],
                0,
            )
            for i, own in ((1, labels[0]), (2, labels[1]))
        )
        bounds = (
            means["disagreement"]
            - _WEIGHTS * unique1[:, None]
            - (1 - _WEIGHTS) * unique2[:, None]
        )
        lower = np.maximum(bounds.max(1), 0)
        t_min = found["redundancy"] + found["unique1"] + found["unique2"]
        upper = np.maximum(_statistics.entropy(label) - t_min, lower)
        return found | {
            "lower": lower,
            "upper": upper,
            "least": t_min + lower,
            "most": t_min + upper,
            "accuracy1": means["accuracy1"][:, 0],
            "accuracy2": means["accuracy2"][:, 0],
        }

    cells = bins * bins * classes
    resampled = None
    if verdict.enough:
        most = min(
            batch_size(cells, LIVE, options.memory_limit),
            max(1, options.memory_limit // (4 * 8 * count)),
        )
        parts = _parts(size, most, options)
        with progress_bar(
            1 + options.replicates + BLOCKS, options.progress
        ) as bar:
            resampled = Resampled(parts, statistics, most, bar, options.share)
        full, gap = resampled.full(), resampled.gap()
    else:
        full = _statistics.first_row(statistics(np.ones((1, count))))
        gap = full["gap"]
    estimates = {
        name: estimate(name, verdict, value, resampled, options.level)
        for name, value in full.items()
        if name != "gap"
    }
    band = {name: estimates.pop(name) for name in BAND}
    # Outputs are probabilities: what is rare is in them, if not in the samples.
    label = np.average((first + second) / 2, 0, weights)
    return finish(
        "classifier outputs on unlabelled pairs", estimates, band, label,
        cells, n, float(independent), gap,
    )  # fmt: skip


def _parts(size: np.ndarray, most: int, options: Options) -> Iterator[Part]:
    """Weights of the units, which have so many samples each."""
    count, rng = len(size), options.rng
    chances = np.full(count, 1 / count)
    yield Part("full", (np.ones((1, count)),))
    for some in block_sizes(options.replicates, most):
        drawn = rng.multinomial(count, chances, some)
        yield Part("bootstrap", (drawn.astype(np.float64),))
    block = rng.permutation(np.arange(count) % min(BLOCKS, count))
    left = (block[None] != np.arange(block.max() + 1)[:, None]).astype(float)
    yield Part("left_out", (left,), left @ size / size.sum())


def _disagreements(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """-log2 sum_y a^(1-w) b^w for each pair and weight, `[n, weights]`."""
    out = np.empty((len(a), len(_WEIGHTS)))
    for i, w in enumerate(_WEIGHTS):
        overlap = (a ** (1 - w) * b**w).sum(1)
        # True posteriors overlap where there is mass: 0 is rounding.
        out[:, i] = -np.log2(np.where(overlap > 0, overlap, 1))
    return out
