"""From samples to interactions with error bars, at three levels of knowledge.

    quantify(Labelled(...))     labelled pairs: everything
    quantify(Unimodal(...))     labels of single modalities and unlabelled
                                pairs: everything but synergy, which gets an
                                interval
    quantify(Predictions(...))  two classifiers' outputs on unlabelled pairs:
                                the same, and x may be continuous

Symbols come from `bounds.discretize`, counts from `bounds.samples`. Numbers
that the samples cannot carry are not given: see `SAMPLES_PER_CELL`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from bounds import discretize, samples
from bounds.accuracy import accuracy_interval
from bounds.decomposition import pid, pid_from_marginals
from bounds.errors import InputError
from bounds.estimators import (
    Estimate,
    interval,
    jackknife_bias,
    with_unseen,
)
from bounds.samples import Samples
from bounds.synergy import synergy_interval

# Independent samples a possible cell that an estimate needs. Below, error bars
# do not cover: measured by experiments/coverage.py.
SAMPLES_PER_CELL = 5
# Blocks of the jackknife.
BLOCKS = 20
# Certified error in bits that the solver may leave in one replicate.
_TOLERANCE = 1e-6
_DECOMPOSITION = ("redundancy", "unique1", "unique2")
_BAND = ("lower", "upper", "least", "most")
_ACCURACIES = ("accuracy", "accuracy1", "accuracy2")
# What only labelled pairs tell.
_OF_PAIRS = ("synergy", "total", "accuracy")
# Weights of the Chernoff bound that are tried; each is valid.
_WEIGHTS = np.linspace(0.05, 0.95, 19)
_RAKES = 100
# Of classifier outputs.
_FEWEST_BINS = 2


class Labelled(NamedTuple):
    """Labelled pairs.

    Attributes:
      table: counts of (x1, x2, y).
    """

    table: Samples


class Unimodal(NamedTuple):
    """Labelled samples of each modality, and unlabelled pairs.

    Attributes:
      first: counts of (x1, y).
      second: counts of (x2, y), of the same samples or others.
      pairs: counts of (x1, x2).
    """

    first: Samples
    second: Samples
    pairs: Samples


class Predictions(NamedTuple):
    """Outputs of one classifier a modality on unlabelled pairs.

    What follows from them is true if they are the true posteriors: calibrate.

    Attributes:
      first: p(y|x1), `[n, y]`.
      second: p(y|x2), `[n, y]`.
      bins: clusters of each, for the decomposition; what they lose is added
        to the unique informations, so that the bounds stay valid.
      units: see `samples.count`.
    """

    first: np.ndarray
    second: np.ndarray
    bins: int = 10
    units: np.ndarray | None = None


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
      synergy_lower: of the least synergy that the pairwise marginals allow.
      synergy_upper: of the bound on the largest.
      synergy: what is known of the synergy: that of `estimates` if there are
        enough labelled pairs, otherwise from `synergy_lower` to
        `synergy_upper`.
      information: likewise of I(X1,X2;Y).
      accuracy: of the best classifier of both: estimated if there are enough
        labelled pairs, otherwise `accuracy_bounds`.
      accuracy_bounds: what follows for it without labelled pairs, see
        `accuracy_interval`.
      accuracy1: of the best classifier of the first: estimated if there are
        enough samples, otherwise what follows from `information1`.
      accuracy2: likewise of the second.
      label: p(y) as observed, `[y]`.
      label_entropy: H(Y).
      cells: number of possible cells of (x1, x2, y).
      size: number of samples, the smallest of the sets.
      effective: independent samples that would be as good.
      gap: largest certified error of the solver in the values, bits.
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


def quantify(
    evidence: Labelled | Unimodal | Predictions,
    *,
    replicates: int = 1000,
    permutations: int = 200,
    interval_replicates: int = 100,
    level: float = 0.95,
    effort: str = "bounds",
    seed: int = 0,
) -> Interactions:
    """Estimates interactions, each with an error bar and a null.

    Values are corrected for bias by the jackknife; intervals are the
    bootstrap's around them. All replicates, permutations and jackknife tables
    are one batch of the solver.

    Args:
      evidence: what is known.
      replicates: of the bootstrap.
      permutations: of the labels, for the null. Labels of units whose samples
        all have one label are permuted by unit. Not for `Predictions`, where
        there are no labels.
      interval_replicates: replicates and permutations of the synergy interval,
        which costs more.
      level: of confidence.
      effort: see `synergy_interval`.
      seed: of everything random.

    Returns:
      The interactions.

    Raises:
      InputError: alphabets that do not agree; a modality or label with one
        symbol; a label that a set of samples lacks; a class with one sample;
        fewer than 2 replicates.
    """
    for name, value in (
        ("replicates", replicates),
        ("interval_replicates", interval_replicates),
    ):
        if value < 2:
            raise InputError(f"{name} must be at least 2, got {value}")
    if not 0 < level < 1:
        raise InputError(f"level must be between 0 and 1, got {level}")
    options = _Options(
        replicates, permutations, interval_replicates, level, effort,
        np.random.default_rng(seed),
    )  # fmt: skip
    if isinstance(evidence, Labelled):
        return _of_labelled(evidence.table, options)
    if isinstance(evidence, Unimodal):
        return _of_unimodal(evidence, options)
    return _of_predictions(evidence, options, seed)


def enough(*tables: Samples) -> tuple[bool, int]:
    """Whether tables hold enough samples, and how many the hungriest needs."""
    needed = 0
    missing = False
    for table in tables:
        cells = possible_cells(table)
        least = math.ceil(
            SAMPLES_PER_CELL * cells * samples.design_effect(table)
        )
        needed = max(needed, least)
        missing |= table.size < least
    return not missing, needed


def possible_cells(table: Samples) -> int:
    """Number of cells whose symbols all occur."""
    counts = table.counts
    axes = range(counts.ndim)
    return math.prod(
        int((counts.sum(tuple(b for b in axes if b != a)) > 0).sum())
        for a in axes
    )


def convergence(
    table: Samples,
    fractions: tuple[float, ...] = (0.125, 0.25, 0.5, 0.75, 1.0),
    *,
    repeats: int = 4,
    seed: int = 0,
) -> dict[str, Any]:
    """Estimates from parts of the labelled pairs, to see whether they settle.

    Args:
      table: counts of (x1, x2, y).
      fractions: shares of the units that are drawn.
      repeats: draws of each share but the whole.
      seed: of the draws.

    Returns:
      `size`, `[fractions]`; and for redundancy, unique1, unique2, synergy the
      plug-in and the corrected values, `[fractions, repeats]`, as
      `plug_in[name]` and `value[name]`.
    """
    rng = np.random.default_rng(seed)
    drawn: list[Samples] = []
    for fraction in fractions:
        for _ in range(repeats):
            drawn.append(samples.subsample(table, fraction, rng))
    left = [samples.leave_out(part, BLOCKS, rng) for part in drawn]
    stack = np.concatenate(
        [np.stack([p.counts for p in drawn])] + [one.counts for one in left]
    )
    names = (*_DECOMPOSITION, "synergy")
    found = _statistics(stack)
    shape = (len(fractions), repeats)
    plug, value = {}, {}
    for name in names:
        full, rest = found[name][: len(drawn)], found[name][len(drawn) :]
        starts = np.cumsum([0] + [len(one.counts) for one in left])
        bias = np.array(
            [
                jackknife_bias(full[i], rest[a:b], left[i].kept)
                for i, (a, b) in enumerate(
                    zip(starts[:-1], starts[1:], strict=True)
                )
            ]
        )
        plug[name] = full.reshape(shape)
        value[name] = np.maximum(full - bias, 0).reshape(shape)
    sizes = np.array([p.size for p in drawn]).reshape(shape).mean(1)
    return {"size": sizes, "plug_in": plug, "value": value}


class _Options(NamedTuple):
    replicates: int
    permutations: int
    interval_replicates: int
    level: float
    effort: str
    rng: np.random.Generator


class _Replicates(NamedTuple):
    """Statistics of the samples and of what was made of them, by name."""

    full: Mapping[str, float]
    bootstrap: Mapping[str, np.ndarray]
    left_out: Mapping[str, np.ndarray]
    kept: np.ndarray
    null: Mapping[str, np.ndarray]
    # How far what no sample showed could move each statistic.
    unseen: Mapping[str, float]


def _of_labelled(table: Samples, options: _Options) -> Interactions:
    first, second = samples.marginal(table, (1,)), samples.marginal(table, (0,))
    pairs = samples.marginal(table, (2,))
    _check(first, second, pairs)
    rng = options.rng
    boot = samples.bootstrap(table, options.replicates, rng)
    left = samples.leave_out(table, BLOCKS, rng)
    null = samples.permute_last(table, options.permutations, rng)
    unseen = with_unseen(table.counts, samples.effective_size(table))
    parts = [table.counts[None], boot, left.counts, null, unseen]
    found = _statistics(np.concatenate(parts))
    replicates = _split(found, [len(p) for p in parts], left.kept)
    estimates = {}
    for name in found:
        if name == "gap":
            continue
        needs = (table,) if name in _OF_PAIRS else (first, second)
        estimates[name] = _estimate(replicates, name, needs, options)

    def statistics(tables: np.ndarray) -> dict[str, np.ndarray]:
        p = tables / tables.sum((-3, -2, -1), keepdims=True)
        return _interval_statistics(
            p.sum(-1), p.sum(-2), p.sum(-3), options.effort, project=False
        )

    most = options.interval_replicates
    parts = [table.counts[None], boot[:most], left.counts[:0], null[:most],
             unseen]  # fmt: skip
    band = statistics(np.concatenate(parts))
    return _assemble(
        "labelled pairs",
        estimates,
        _split(band, [len(p) for p in parts], left.kept[:0]),
        (first, second, pairs),
        table,
        float(found["gap"].max()),
        options,
    )


def _of_unimodal(evidence: Unimodal, options: _Options) -> Interactions:
    first, second, pairs = evidence
    _check(first, second, pairs)
    rng = options.rng

    def joined(
        make: Callable[[Samples], np.ndarray],
    ) -> tuple[np.ndarray, ...]:
        return consistent_marginals(make(pairs), make(first), make(second))

    most = options.interval_replicates
    full = joined(lambda s: s.counts[None])
    boot = joined(lambda s: samples.bootstrap(s, options.replicates, rng))
    lefts = [samples.leave_out(s, BLOCKS, rng) for s in (pairs, first, second)]
    blocks = min(len(one.kept) for one in lefts)
    left = consistent_marginals(*(one.counts[:blocks] for one in lefts))
    kept = np.mean([one.kept[:blocks] for one in lefts], 0)

    def permuted(s: Samples) -> np.ndarray:
        if s is pairs:
            return np.repeat(s.counts[None], options.permutations, 0)
        return samples.permute_last(s, options.permutations, rng)

    null = joined(permuted)
    unseen = consistent_marginals(*_unseen_in_turn(pairs, first, second))
    parts = [full, boot, left, null, unseen]
    solved = pid_from_marginals(
        np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
        tol=_TOLERANCE,
    )
    found = _with_informations(solved) | {
        f"accuracy{i}": _best_accuracy(np.concatenate([p[i] for p in parts]))
        for i in (1, 2)
    }
    replicates = _split(found, [len(p[0]) for p in parts], kept)
    estimates = {
        name: _estimate(replicates, name, (first, second), options)
        for name in found
        if name != "gap"
    }
    none = tuple(x[:0] for x in left)
    parts = [
        full,
        tuple(x[:most] for x in boot),
        none,
        tuple(x[:most] for x in null),
        unseen,
    ]
    band = _interval_statistics(
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
        options.effort,
        project=True,
    )
    return _assemble(
        "unimodal labels and unlabelled pairs",
        estimates,
        _split(band, [len(p[0]) for p in parts], kept[:0]),
        (first, second, pairs),
        None,
        float(found["gap"].max()),
        options,
    )


def _unseen_in_turn(*tables: Samples) -> list[np.ndarray]:
    """Each table with what may have gone unseen, `[k, ...]`.

    First in all of them, as the product of their marginals; then in one cell of
    one table, the others as they are.
    """
    found = [with_unseen(s.counts, samples.effective_size(s)) for s in tables]
    rows = [[x[:1] for x in found]]
    for t, here in enumerate(found):
        row = [
            np.repeat(s.counts[None] / s.size, len(here) - 1, 0) for s in tables
        ]
        row[t] = here[1:]
        rows.append(row)
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def _of_predictions(
    evidence: Predictions, options: _Options, seed: int
) -> Interactions:
    first, second = (np.asarray(p, np.float64) for p in evidence[:2])
    if first.shape != second.shape or first.ndim != 2 or len(first) < 2:
        raise InputError(
            "predictions must be two arrays [n, y] of paired samples, n at "
            f"least 2, got shapes {first.shape} and {second.shape}"
        )
    for name, p in (("first", first), ("second", second)):
        bad = ~np.isfinite(p).all(1) | (p < 0).any(1)
        bad |= np.abs(p.sum(1) - 1) > 1e-4
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise InputError(f"{name}[{at}] is no distribution: {p[at]}")
    n, classes = first.shape
    independent = (
        n if evidence.units is None else len(np.unique(evidence.units))
    )
    # Outputs are probabilities, so that bins are not noisy counts of labels:
    # what they need is samples, not samples a cell.
    needed = SAMPLES_PER_CELL * _FEWEST_BINS
    bins = max(
        _FEWEST_BINS, min(evidence.bins, independent // SAMPLES_PER_CELL)
    )
    unit = np.arange(n)
    if evidence.units is not None:
        unit = np.unique(evidence.units, return_inverse=True)[1]
    unit = samples.batches(unit, seed)
    member = scipy.sparse.csr_array((np.ones(n), (unit, np.arange(n))))
    columns = []
    for p in (first, second):
        used = min(bins, len(np.unique(p, axis=0)))
        symbol = discretize.fit_posteriors(p, used, seed=seed)(p)
        soft = np.zeros((n, used, classes), np.float32)
        soft[np.arange(n), symbol] = p
        columns.append(member @ soft.reshape(n, -1))
        columns.append(member @ -_x_log2_x(p).sum(1)[:, None])
    columns.append(member @ _disagreements(first, second))
    columns += [member @ p.max(1)[:, None] for p in (first, second)]
    widths = np.cumsum([c.shape[1] for c in columns])[:-1]
    rows = np.concatenate(columns, axis=1)
    size = np.bincount(unit).astype(np.float64)

    def statistics(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = (weights @ size)[:, None]
        means = np.split(weights @ rows / total, widths, axis=1)
        tables = [means[i].reshape(len(weights), -1, classes) for i in (0, 2)]
        labels = [t.sum(1) for t in tables]
        label = (labels[0] + labels[1]) / 2
        entropies = [_entropy(x) for x in labels]
        scaled = [
            t * (label / np.where(own > 0, own, 1))[:, None]
            for t, own in zip(tables, labels, strict=True)
        ]
        solved = pid_from_marginals(*scaled, normalize=True, tol=_TOLERANCE)
        found = _with_informations(solved)
        # What binning lost, by which a unique information may be larger.
        lost = [
            np.maximum(entropies[i] - means[2 * i + 1][:, 0], 0)
            - found[f"information{i + 1}"]
            for i in range(2)
        ]
        unique1 = found["unique1"] + np.maximum(lost[0], 0)
        unique2 = found["unique2"] + np.maximum(lost[1], 0)
        bounds = (
            means[4]
            - _WEIGHTS * unique1[:, None]
            - (1 - _WEIGHTS) * unique2[:, None]
        )
        lower = np.maximum(bounds.max(1), 0)
        t_min = found["redundancy"] + found["unique1"] + found["unique2"]
        upper = np.maximum(_entropy(label) - t_min, lower)
        return found | {
            "lower": lower,
            "upper": upper,
            "least": t_min + lower,
            "most": t_min + upper,
            "accuracy1": means[5][:, 0],
            "accuracy2": means[6][:, 0],
        }

    count = len(size)
    rng = options.rng
    boot = rng.multinomial(
        count, np.full(count, 1 / count), options.replicates
    ).astype(np.float64)
    block = rng.permutation(np.arange(count) % min(BLOCKS, count))
    left = (block[None] != np.arange(block.max() + 1)[:, None]).astype(float)
    found = statistics(np.concatenate([np.ones((1, count)), boot, left]))
    kept = left @ size / n
    # Outputs are probabilities: what is rare is in them, if not in the samples.
    replicates = _split(found, [1, len(boot), len(left), 0, 0], kept)
    label = (first.mean(0) + second.mean(0)) / 2
    effective = float(independent)
    estimates = {
        name: _finished(
            replicates, name, (effective >= needed, needed), options
        )
        for name in found
        if name not in ("gap", *_BAND)
    }
    band = {
        name: _finished(
            replicates, name, (effective >= needed, needed), options
        )
        for name in _BAND
    }
    return _finish(
        "classifier outputs on unlabelled pairs", estimates, band, label,
        bins * bins * classes, n, effective, float(found["gap"].max()),
    )  # fmt: skip


def consistent_marginals(
    p12: np.ndarray, p1y: np.ndarray, p2y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Makes tables of different samples agree about each single variable.

    Each variable gets the mean of what its two tables say, and each table is
    raked to that (iterative proportional fitting). A symbol that one of them
    lacks is put there as if independent.

    Args:
      p12: counts or probabilities, `[batch, x1, x2]`.
      p1y: `[batch, x1, y]`.
      p2y: `[batch, x2, y]`.

    Returns:
      Distributions of these shapes.
    """
    tables = []
    for t in (p12, p1y, p2y):
        t = np.asarray(t, np.float64)
        tables.append(t / t.sum((-2, -1), keepdims=True))
    p12, p1y, p2y = tables
    x1 = (p12.sum(-1) + p1y.sum(-1)) / 2
    x2 = (p12.sum(-2) + p2y.sum(-1)) / 2
    y = (p1y.sum(-2) + p2y.sum(-2)) / 2
    return _rake(p12, x1, x2), _rake(p1y, x1, y), _rake(p2y, x2, y)


def _rake(p: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    rows, columns = rows[..., :, None], columns[..., None, :]
    # What one table never saw starts as independent of the other variable.
    unseen = (p.sum(-1, keepdims=True) == 0) | (p.sum(-2, keepdims=True) == 0)
    p = np.where(unseen, rows * columns, p)
    for _ in range(_RAKES):
        total = p.sum(-1, keepdims=True)
        p = p * rows / np.where(total > 0, total, 1)
        total = p.sum(-2, keepdims=True)
        p = p * columns / np.where(total > 0, total, 1)
        if np.abs(p.sum(-1, keepdims=True) - rows).max() < 1e-9:
            break
    return p / p.sum((-2, -1), keepdims=True)


def _statistics(tables: np.ndarray) -> dict[str, np.ndarray]:
    solved = pid(tables, normalize=True, tol=_TOLERANCE)
    found = _with_informations(solved)
    return found | {
        "synergy": solved.synergy,
        "total": solved.total,
        "accuracy": _best_accuracy(
            tables.reshape(len(tables), -1, tables.shape[-1])
        ),
        "accuracy1": _best_accuracy(tables.sum(-2)),
        "accuracy2": _best_accuracy(tables.sum(-3)),
    }


def _best_accuracy(tables: np.ndarray) -> np.ndarray:
    """Of the best classifier of x, from counts `[..., x, y]`."""
    return tables.max(-1).sum(-1) / tables.sum((-2, -1))


def _with_informations(solved: Any) -> dict[str, np.ndarray]:
    found = {name: getattr(solved, name) for name in _DECOMPOSITION}
    return {
        "information1": found["redundancy"] + found["unique1"],
        "information2": found["redundancy"] + found["unique2"],
        **found,
        "gap": solved.gap,
    }


def _interval_statistics(
    p12: np.ndarray,
    p1y: np.ndarray,
    p2y: np.ndarray,
    effort: str,
    *,
    project: bool,
) -> dict[str, np.ndarray]:
    found = synergy_interval(p12, p1y, p2y, effort=effort, project=project)
    t_min = found.redundancy + found.unique1 + found.unique2
    return {
        "lower": found.lower,
        "upper": found.upper,
        "least": t_min + found.lower,
        "most": t_min + found.upper,
    }


def _split(
    found: Mapping[str, np.ndarray], sizes: list[int], kept: np.ndarray
) -> _Replicates:
    """Parts: the samples, bootstrap, left out, null, with what is unseen."""
    at = np.cumsum(sizes)[:-1]
    parts = {name: np.split(x, at) for name, x in found.items()}
    return _Replicates(
        {name: float(x[0][0]) for name, x in parts.items()},
        {name: x[1] for name, x in parts.items()},
        {name: x[2] for name, x in parts.items()},
        kept,
        {name: x[3] for name, x in parts.items()},
        {
            name: float(np.abs(x[4] - x[0]).max(initial=0))
            for name, x in parts.items()
        },
    )


def _estimate(
    replicates: _Replicates,
    name: str,
    tables: tuple[Samples, ...],
    options: _Options,
) -> Estimate:
    return _finished(replicates, name, enough(*tables), options)


def _finished(
    replicates: _Replicates,
    name: str,
    verdict: tuple[bool, int],
    options: _Options,
) -> Estimate:
    full, boot = replicates.full[name], replicates.bootstrap[name]
    null = replicates.null[name]
    if len(replicates.kept) > 1:
        bias = float(
            jackknife_bias(full, replicates.left_out[name], replicates.kept)
        )
    else:
        # The bootstrap's bias, where tables are too costly to leave blocks out.
        bias = float(boot.mean() - full)
    lower, upper = interval(
        full,
        bias,
        boot,
        unseen=replicates.unseen[name],
        level=options.level,
    )
    ok, needed = verdict
    nan = math.nan
    return Estimate(
        value=max(full - bias, 0.0) if ok else nan,
        lower=float(lower) if ok else nan,
        upper=float(upper) if ok else nan,
        plug_in=full,
        deviation=float(boot.std(ddof=1)),
        null=float(np.quantile(null, 0.95)) if len(null) else nan,
        # Ties up to the solver's tolerance count.
        p_value=(1 + int((null >= full - _TOLERANCE).sum())) / (1 + len(null))
        if len(null)
        else nan,
        enough=ok,
        needed=needed,
    )


def _assemble(
    level: str,
    estimates: dict[str, Estimate],
    band: _Replicates,
    marginals: tuple[Samples, Samples, Samples],
    table: Samples | None,
    gap: float,
    options: _Options,
) -> Interactions:
    first, second, pairs = marginals
    label = (
        first.counts.sum(0) / first.size + second.counts.sum(0) / second.size
    ) / 2
    found = {name: _estimate(band, name, marginals, options) for name in _BAND}
    sets = (table,) if table is not None else marginals
    cells = (
        pairs.counts.any(1).sum()
        * pairs.counts.any(0).sum()
        * (label > 0).sum()
    )
    return _finish(
        level, estimates, found, label, int(cells), min(s.size for s in sets),
        min(samples.effective_size(s) for s in sets), gap,
    )  # fmt: skip


def _finish(
    level: str,
    estimates: dict[str, Estimate],
    band: Mapping[str, Estimate],
    label: np.ndarray,
    cells: int,
    size: int,
    effective: float,
    gap: float,
) -> Interactions:
    entropy = float(_entropy(label))
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
        synergy=synergy,
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


def _check(first: Samples, second: Samples, pairs: Samples) -> None:
    n1, n2 = pairs.counts.shape
    shapes = first.counts.shape, second.counts.shape
    if shapes[0][0] != n1 or shapes[1][0] != n2 or shapes[0][1] != shapes[1][1]:
        raise InputError(
            "alphabets differ: (x1, y), (x2, y), (x1, x2) have shapes "
            f"{shapes[0]}, {shapes[1]}, {(n1, n2)}"
        )
    names = "first", "second"
    labels = [s.counts.sum(0) for s in (first, second)]
    for own, other, name, other_name in (
        (*labels, *names),
        (*labels[::-1], *names[::-1]),
    ):
        absent = np.flatnonzero((own == 0) & (other > 0))
        if len(absent):
            raise InputError(
                f"label {absent[0]} occurs {other[absent[0]]} times in the "
                f"{other_name} labelled set but never in the {name}"
            )
        lonely = np.flatnonzero(own == 1)
        if len(lonely):
            raise InputError(
                f"label {lonely[0]} has one sample in the {name} labelled set: "
                "drop it or join it with another class"
            )
    if (labels[0] > 0).sum() < 2:
        raise InputError("all samples have one label: there is nothing to tell")
    for s, name in ((first, names[0]), (second, names[1])):
        if (s.counts.sum(1) > 0).sum() < 2:
            raise InputError(f"the {name} modality is constant: one symbol")


def _disagreements(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """-log2 sum_y a^(1-w) b^w for each pair and weight, `[n, weights]`."""
    out = np.empty((len(a), len(_WEIGHTS)))
    for i, w in enumerate(_WEIGHTS):
        overlap = (a ** (1 - w) * b**w).sum(1)
        # True posteriors overlap where there is mass: 0 is rounding.
        out[:, i] = -np.log2(np.where(overlap > 0, overlap, 1))
    return out


def _x_log2_x(p: np.ndarray) -> np.ndarray:
    return p * np.log2(np.where(p > 0, p, 1))


def _entropy(p: np.ndarray) -> np.ndarray:
    return -_x_log2_x(p).sum(-1)
