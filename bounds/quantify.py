"""From samples to interactions with error bars, at three levels of knowledge.

    quantify(Labelled(...))     labelled pairs: everything
    quantify(Unimodal(...))     labels of single modalities and unlabelled
                                pairs: everything but synergy, which gets an
                                interval
    quantify(Predictions(...))  two classifiers' outputs on unlabelled pairs:
                                the same, and x may be continuous

Symbols come from `bounds.discretize`, counts from `bounds.samples`. Numbers
that the samples cannot carry are not given, see `SAMPLES_PER_CELL`: that is
known from the counts, before anything is drawn or solved for them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from tqdm import tqdm

from bounds import discretize, estimators, inputs, samples
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
from bounds.synergy import EFFORTS, synergy_interval

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
# Weights of the Chernoff bound that are tried; each is valid.
_WEIGHTS = np.linspace(0.05, 0.95, 19)
_RAKES = 100
# Of classifier outputs.
_FEWEST_BINS = 2
# Cells x1 x2 y that are solved at a time: a few seconds of work, so that
# progress can be seen.
_BATCH_CELLS = 2**20
# Numbers per cell of a batch that are alive at once, measured with some room:
# of the decomposition, and of the synergy interval.
_LIVE, _LIVE_BAND = 12, 100
# A table of so few cells is solved for its plug-in values even if there are
# too few samples for anything else.
_CHEAP_CELLS = 512


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
      bins: Clusters of each, for the decomposition; what they lose is added
        to the unique informations, so that the bounds stay valid.
      units: Vector `[n]`, equal for samples that are not independent, as in
        `samples.count`; None if all are.
    """

    first: Any
    second: Any
    bins: int = 10
    units: Any = None


class Verdict(NamedTuple):
    """Whether there are samples enough for a quantity.

    Attributes:
      enough: Whether there are.
      needed: How many would be.
    """

    enough: bool
    needed: int


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


def quantify(
    evidence: Labelled | Unimodal | Predictions,
    *,
    replicates: int = 1000,
    permutations: int = 200,
    interval_replicates: int = 100,
    level: float = 0.95,
    effort: str = "bounds",
    seed: int = 0,
    memory_limit: int = 2**30,
    progress: bool = False,
) -> Interactions:
    """Estimates interactions, each with an error bar and a null.

    Values are corrected for bias by the jackknife; intervals are the
    bootstrap's around them. Quantities that there are too few samples for, by
    `verdicts`, are neither resampled nor solved: their estimates are NaN but
    for `needed` and `plug_in`. The plug-in values of redundancy, unique
    informations and synergy are NaN too where nothing else needs the solver,
    unless the table has at most 512 possible cells; those of the synergy's
    bounds always.

    Args:
      evidence: What is known.
      replicates: Number of bootstrap replicates.
      permutations: Number of permutations of the labels, for the null. Labels
        of units whose samples all have one label are permuted by unit. Not for
        `Predictions`, where there are no labels.
      interval_replicates: Number of replicates and permutations of the synergy
        interval, which costs more.
      level: Level of confidence, 0.95 for 95 %.
      effort: Effort of `synergy_interval`: "bounds", "fast" or "exact".
      seed: Seed of everything random.
      memory_limit: Bytes that the resamples under way may take together. The
        numbers do not depend on it, unless the permutations of `Labelled`, or
        all resamples of `Unimodal`, do not fit at once: then they are drawn in
        another order.
      progress: Whether to show a progress bar.

    Returns:
      The interactions.

    Raises:
      InputError: Evidence or options of a wrong type or size; alphabets that
        do not agree; a modality or label with one symbol; a label that a set
        of samples lacks; a class with one sample; probabilities that are none.
    """
    inputs.choice("effort", effort, EFFORTS)
    options = _Options(
        inputs.integer("replicates", replicates, 2),
        inputs.integer("permutations", permutations),
        inputs.integer("interval_replicates", interval_replicates, 2),
        inputs.real("level", level, above=0, below=1),
        effort,
        np.random.default_rng(inputs.seed("seed", seed)),
        inputs.integer("memory_limit", memory_limit, 1),
        progress,
    )
    if isinstance(evidence, Labelled):
        return _of_labelled(evidence.table, options)
    if isinstance(evidence, Unimodal):
        return _of_unimodal(evidence, options)
    if isinstance(evidence, Predictions):
        return _of_predictions(evidence, options, seed)
    raise InputError(
        "evidence must be Labelled, Unimodal or Predictions, got "
        f"{type(evidence).__name__}"
    )


def enough(*tables: Samples) -> Verdict:
    """Whether tables hold enough samples, and how many the hungriest needs."""
    found = [Verdict(True, 0)]
    for i, table in enumerate(tables):
        samples.checked(f"tables[{i}]", table)
        needed = math.ceil(
            SAMPLES_PER_CELL
            * possible_cells(table)
            * samples.design_effect(table)
        )
        found.append(Verdict(table.size >= needed, needed))
    return _together(*found)


def _together(*found: Verdict) -> Verdict:
    return Verdict(all(v.enough for v in found), max(v.needed for v in found))


def verdicts(evidence: Labelled | Unimodal) -> dict[str, Verdict]:
    """Says for which quantities there are samples enough, without an estimate.

    Args:
      evidence: Counts of what is known.

    Returns:
      Verdicts by name: of the `estimates` of `Interactions`; of "accuracy1"
      and "accuracy2", and for labelled pairs "accuracy"; and of "bounds", those
      of the synergy.

    Raises:
      InputError: No counts.
    """
    if isinstance(evidence, Labelled):
        table = samples.checked("table", evidence.table, 3)
        return _verdicts_of_labelled(table, *_marginals(table))
    if isinstance(evidence, Unimodal):
        return _verdicts_of_unimodal(_checked_unimodal(evidence))
    raise InputError(
        f"evidence must be Labelled or Unimodal, got {type(evidence).__name__}"
    )


def _verdicts_of_labelled(
    table: Samples, first: Samples, second: Samples, pairs: Samples
) -> dict[str, Verdict]:
    one, two, joint = enough(first), enough(second), enough(table)
    both = _together(one, two)
    return {
        "information1": one,
        "information2": two,
        **dict.fromkeys(_DECOMPOSITION, both),
        "synergy": joint,
        "total": joint,
        "accuracy": joint,
        "accuracy1": one,
        "accuracy2": two,
        "bounds": _together(both, enough(pairs)),
    }


def _verdicts_of_unimodal(evidence: Unimodal) -> dict[str, Verdict]:
    # Each table is made to agree with the others, so it needs all of them.
    both = enough(evidence.first, evidence.second)
    names = ("information1", "information2", *_DECOMPOSITION)
    return {
        **dict.fromkeys((*names, "accuracy1", "accuracy2"), both),
        "bounds": _together(both, enough(evidence.pairs)),
    }


def _checked_unimodal(evidence: Unimodal) -> Unimodal:
    return Unimodal(
        *(
            samples.checked(name, s, 2)
            for name, s in zip(evidence._fields, evidence, strict=True)
        )
    )


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
    fractions: Sequence[float] = (0.125, 0.25, 0.5, 0.75, 1.0),
    *,
    repeats: int = 4,
    seed: int = 0,
    memory_limit: int = 2**30,
    progress: bool = False,
) -> dict[str, Any]:
    """Estimates from parts of the labelled pairs, to see whether they settle.

    Args:
      table: Counts of (x1, x2, y).
      fractions: Shares of the units that are drawn.
      repeats: Number of draws of each share.
      seed: Seed of the draws.
      memory_limit: Bytes that the tables under way may take together.
      progress: Whether to show a progress bar.

    Returns:
      `size`, `[fractions]`; and for redundancy, unique1, unique2, synergy the
      plug-in and the corrected values, `[fractions, repeats]`, as
      `plug_in[name]` and `value[name]`.

    Raises:
      InputError: No counts; no fractions, or some that are not positive or
        above 1; no repeats.
    """
    samples.checked("table", table, 3)
    repeats = inputs.integer("repeats", repeats, 1)
    memory_limit = inputs.integer("memory_limit", memory_limit, 1)
    rng = np.random.default_rng(inputs.seed("seed", seed))
    if not len(fractions):
        raise InputError("fractions is empty")
    drawn = [
        samples.subsample(table, fraction, rng)
        for fraction in fractions
        for _ in range(repeats)
    ]
    left = [samples.leave_out(part, BLOCKS, rng) for part in drawn]
    parts = [_Part("full", (part.counts[None],)) for part in drawn]
    parts += [_Part("left_out", (one.counts,)) for one in left]
    solver = partial(pid, tol=_TOLERANCE, memory_limit=memory_limit)
    most = _batch(table.counts.size, _LIVE, memory_limit)
    with _bar(len(drawn) * (1 + BLOCKS), progress) as bar:
        found = _Resampled(parts, partial(_statistics, solver), most, bar)
    shape = (len(fractions), repeats)
    starts = np.cumsum([0] + [len(one.counts) for one in left])
    plug, value = {}, {}
    for name in (*_DECOMPOSITION, "synergy"):
        full, rest = found.get("full", name), found.get("left_out", name)
        bias = [
            jackknife_bias(full[i], rest[a:b], left[i].kept)
            for i, (a, b) in enumerate(
                zip(starts[:-1], starts[1:], strict=True)
            )
        ]
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
    memory_limit: int
    progress: bool


# Stacks of tables, or of weights, with one leading axis in common.
_Stack = tuple[np.ndarray, ...]
_Statistics = Callable[..., dict[str, np.ndarray]]


class _Part(NamedTuple):
    """Some resamples: "full", "bootstrap", "left_out", "null" or "unseen"."""

    kind: str
    stack: _Stack
    # Share of the samples that each one of "left_out" has.
    kept: np.ndarray | None = None


class _Resampled:
    """Statistics of the samples and of what was made of them, by kind.

    Attributes:
      kept: Share of the samples that each left-out table has.
    """

    def __init__(
        self,
        parts: Iterable[_Part],
        statistics: _Statistics,
        most: int,
        bar: tqdm,
    ) -> None:
        """Evaluates `statistics` on batches of at most `most` resamples."""
        self.kept = np.zeros(0)
        self._found: dict[str, list[dict[str, np.ndarray]]] = {}
        batch: list[tuple[str, _Stack]] = []
        room, come = most, 0
        for kind, stack, kept in parts:
            self.kept = self.kept if kept is None else kept
            come += len(stack[0])
            bar.total = max(bar.total, come)
            while len(stack[0]):
                batch.append((kind, tuple(x[:room] for x in stack)))
                taken = len(batch[-1][1][0])
                stack = tuple(x[taken:] for x in stack)
                room -= taken
                if not room:
                    bar.update(self._evaluate(batch, statistics))
                    batch, room = [], most
        if batch:
            bar.update(self._evaluate(batch, statistics))

    def _evaluate(
        self, batch: list[tuple[str, _Stack]], statistics: _Statistics
    ) -> int:
        stacks = zip(*(stack for _, stack in batch), strict=True)
        found = statistics(*map(np.concatenate, stacks))
        end = 0
        for kind, stack in batch:
            rows = slice(end, end + len(stack[0]))
            end = rows.stop
            self._found.setdefault(kind, []).append(
                {name: x[rows] for name, x in found.items()}
            )
        return end

    def get(self, kind: str, name: str) -> np.ndarray:
        """Values of one statistic; none of resamples that there are not."""
        parts = [found[name] for found in self._found.get(kind, [])]
        return np.concatenate([np.zeros(0), *parts])

    def full(self) -> dict[str, float]:
        """Values of the samples themselves."""
        return _first(self._found["full"][0])

    def gap(self) -> float:
        """Largest certified error of all; 0 if there was nothing to solve."""
        return max(
            float(found["gap"].max()) if "gap" in found else 0.0
            for parts in self._found.values()
            for found in parts
        )


def _of_labelled(table: Samples, options: _Options) -> Interactions:
    samples.checked("table", table, 3)
    first, second, pairs = marginals = _marginals(table)
    _check(first, second, pairs)
    verdict = _verdicts_of_labelled(table, *marginals)
    cells = table.counts.size
    full = _closed_forms(table.counts)
    solver: dict[str, Any] = {
        "tol": _TOLERANCE,
        "memory_limit": options.memory_limit,
    }
    whole = partial(_statistics, partial(pid, **solver))
    statistics: _Statistics | None = None
    if verdict["synergy"].enough:
        statistics = whole
    elif verdict["redundancy"].enough:
        statistics = partial(
            _statistics_of_marginals, partial(pid_from_marginals, **solver)
        )
    elif verdict["information1"].enough or verdict["information2"].enough:
        statistics = _informations
    resampled = band = None
    kept: list[_Part] = []
    if statistics:
        parts = _parts_of_labelled(table, options)
        if verdict["bounds"].enough:
            parts = _tee(parts, kept, options.interval_replicates, _pairwise)
        resampled, band = _evaluate(parts, kept, statistics, cells, options)
        full |= resampled.full()
    if "redundancy" not in full and possible_cells(table) <= _CHEAP_CELLS:
        full |= _first(whole(table.counts[None]))
    if "redundancy" in full:
        t_min = sum(full[name] for name in _DECOMPOSITION)
        full.setdefault("synergy", full["total"] - t_min)
    return _assemble(
        "labelled pairs", full, resampled, band, verdict, marginals, table,
        options,
    )  # fmt: skip


def _marginals(table: Samples) -> tuple[Samples, Samples, Samples]:
    """Counts of (x1, y), (x2, y) and (x1, x2)."""
    first, second, pairs = (samples.marginal(table, (i,)) for i in (1, 0, 2))
    return first, second, pairs


def _parts_of_labelled(table: Samples, options: _Options) -> Iterator[_Part]:
    rng, cells = options.rng, table.counts.size
    most = _batch(cells, _LIVE, options.memory_limit)
    yield _Part("full", (table.counts[None],))
    for size in _sizes(options.replicates, most):
        yield _Part("bootstrap", (samples.bootstrap(table, size, rng),))
    left = samples.leave_out(table, BLOCKS, rng)
    yield _Part("left_out", (left.counts,), left.kept)
    # In one go, if they fit: several give other tables.
    if 2 * 8 * cells * options.permutations <= options.memory_limit:
        most = max(1, options.permutations)
    for size in _sizes(options.permutations, most):
        yield _Part("null", (samples.permute_last(table, size, rng),))
    unseen = with_unseen(table.counts, samples.effective_size(table))
    yield _Part("unseen", (unseen,))


def _pairwise(tables: np.ndarray) -> _Stack:
    """Distributions of (x1, x2), (x1, y) and (x2, y)."""
    p = tables / tables.sum((-3, -2, -1), keepdims=True)
    return p.sum(-1), p.sum(-2), p.sum(-3)


def _of_unimodal(evidence: Unimodal, options: _Options) -> Interactions:
    first, second, pairs = _checked_unimodal(evidence)
    _check(first, second, pairs)
    verdict = _verdicts_of_unimodal(evidence)
    cells = math.prod((*pairs.counts.shape, first.counts.shape[1]))
    solver = partial(
        pid_from_marginals, tol=_TOLERANCE, memory_limit=options.memory_limit
    )

    def statistics(p12: np.ndarray, p1y: np.ndarray, p2y: np.ndarray) -> Any:
        return _statistics_of_pairs(solver, p1y, p2y)

    full, resampled, band = {}, None, None
    kept: list[_Part] = []
    if verdict["redundancy"].enough:
        parts = _parts_of_unimodal(evidence, options)
        if verdict["bounds"].enough:
            most = options.interval_replicates
            parts = _tee(parts, kept, most, lambda *stack: stack)
        resampled, band = _evaluate(parts, kept, statistics, cells, options)
        full = resampled.full()
    else:
        stack = _joined(lambda s: s.counts[None], evidence)
        full = _first(_informations_of_pairs(*stack[1:]))
        if cells <= _CHEAP_CELLS:
            full |= _first(statistics(*stack))
    return _assemble(
        "unimodal labels and unlabelled pairs", full, resampled, band, verdict,
        (first, second, pairs), None, options,
    )  # fmt: skip


def _parts_of_unimodal(
    evidence: Unimodal, options: _Options
) -> Iterator[_Part]:
    rng = options.rng
    pairs = evidence.pairs
    # Three draws after each other: all of each kind at once, if they fit.
    cells = sum(s.counts.size for s in evidence)
    most = max(1, options.memory_limit // (8 * _LIVE * cells))

    def permuted(s: Samples, size: int) -> np.ndarray:
        if s is pairs:
            return np.repeat(s.counts[None], size, 0)
        return samples.permute_last(s, size, rng)

    yield _Part("full", _joined(lambda s: s.counts[None], evidence))
    for size in _sizes(options.replicates, most):
        draw = partial(samples.bootstrap, replicates=size, rng=rng)
        yield _Part("bootstrap", _joined(draw, evidence))
    lefts = [
        samples.leave_out(s, BLOCKS, rng)
        for s in (pairs, evidence.first, evidence.second)
    ]
    blocks = min(len(one.kept) for one in lefts)
    kept = np.mean([one.kept[:blocks] for one in lefts], 0)
    left = consistent_marginals(*(one.counts[:blocks] for one in lefts))
    yield _Part("left_out", left, kept)
    for size in _sizes(options.permutations, most):
        null = _joined(partial(permuted, size=size), evidence)
        yield _Part("null", null)
    unseen = _unseen_in_turn(pairs, evidence.first, evidence.second)
    yield _Part("unseen", consistent_marginals(*unseen))


def _joined(
    make: Callable[[Samples], np.ndarray], evidence: Unimodal
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is made of each table, in agreement: of pairs, first and second."""
    return consistent_marginals(
        make(evidence.pairs), make(evidence.first), make(evidence.second)
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
    independent = int(unit.max()) + 1
    # Outputs are probabilities, so that bins are not noisy counts of labels:
    # what they need is samples, not samples a cell.
    needed = SAMPLES_PER_CELL * _FEWEST_BINS
    verdict = Verdict(independent >= needed, needed)
    bins = max(_FEWEST_BINS, min(bins, independent // SAMPLES_PER_CELL))
    unit = samples.batches(unit, seed)
    size = np.bincount(unit).astype(np.float64)
    count = len(size)
    member = scipy.sparse.csr_array((np.ones(n), (unit, np.arange(n))))
    columns = []
    for p in (first, second):
        fitted = discretize.fit_posteriors(p, bins, seed=seed, fewer=True)
        column = fitted(p)[:, None] * classes + np.arange(classes)
        shape = (count, len(fitted.centers) * classes)
        soft = scipy.sparse.coo_array(
            (p.ravel(), (np.repeat(unit, classes), column.ravel())), shape=shape
        )
        columns.append(soft.toarray())
        columns.append(member @ -_x_log2_x(p).sum(1)[:, None])
    columns.append(member @ _disagreements(first, second))
    columns += [member @ p.max(1)[:, None] for p in (first, second)]
    widths = np.cumsum([c.shape[1] for c in columns])[:-1]
    rows = np.concatenate(columns, axis=1)
    solver = partial(
        pid_from_marginals,
        normalize=True,
        tol=_TOLERANCE,
        memory_limit=options.memory_limit,
    )

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
        found = _with_informations(solver(*scaled))
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

    cells = bins * bins * classes
    resampled = None
    if verdict.enough:
        most = min(
            _batch(cells, _LIVE, options.memory_limit),
            max(1, options.memory_limit // (4 * 8 * count)),
        )
        parts = _parts_of_predictions(size, most, options)
        with _bar(1 + options.replicates + BLOCKS, options.progress) as bar:
            resampled = _Resampled(parts, statistics, most, bar)
        full, gap = resampled.full(), resampled.gap()
    else:
        full = _first(statistics(np.ones((1, count))))
        gap = full["gap"]
    estimates = {
        name: _estimate(name, verdict, value, resampled, options.level)
        for name, value in full.items()
        if name != "gap"
    }
    band = {name: estimates.pop(name) for name in _BAND}
    # Outputs are probabilities: what is rare is in them, if not in the samples.
    label = (first.mean(0) + second.mean(0)) / 2
    return _finish(
        "classifier outputs on unlabelled pairs", estimates, band, label,
        cells, n, float(independent), gap,
    )  # fmt: skip


def _parts_of_predictions(
    size: np.ndarray, most: int, options: _Options
) -> Iterator[_Part]:
    """Weights of the units, which have so many samples each."""
    count, rng = len(size), options.rng
    chances = np.full(count, 1 / count)
    yield _Part("full", (np.ones((1, count)),))
    for some in _sizes(options.replicates, most):
        drawn = rng.multinomial(count, chances, some)
        yield _Part("bootstrap", (drawn.astype(np.float64),))
    block = rng.permutation(np.arange(count) % min(BLOCKS, count))
    left = (block[None] != np.arange(block.max() + 1)[:, None]).astype(float)
    yield _Part("left_out", (left,), left @ size / size.sum())


def consistent_marginals(
    p12: np.ndarray, p1y: np.ndarray, p2y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Makes tables of different samples agree about each single variable.

    Each variable gets the mean of what its two tables say, and each table is
    raked to that (iterative proportional fitting). A symbol that one of them
    lacks is put there as if independent.

    Args:
      p12: Counts or probabilities of (x1, x2), `[batch, x1, x2]`.
      p1y: Those of (x1, y), `[batch, x1, y]`.
      p2y: Those of (x2, y), `[batch, x2, y]`.

    Returns:
      Distributions of these shapes.

    Raises:
      InputError: No counts; shapes that do not agree.
    """
    tables = []
    for name, t in (("p12", p12), ("p1y", p1y), ("p2y", p2y)):
        t = estimators.checked_counts(name, t, 2).astype(np.float64)
        tables.append(t / t.sum((-2, -1), keepdims=True))
    p12, p1y, p2y = tables
    (*batch, n1, n2), (*_, ny) = p12.shape, p1y.shape
    if p1y.shape != (*batch, n1, ny) or p2y.shape != (*batch, n2, ny):
        raise InputError(
            "alphabets differ: (x1, x2), (x1, y), (x2, y) have shapes "
            f"{p12.shape}, {p1y.shape}, {p2y.shape}"
        )
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


def _statistics(solver: Callable, tables: np.ndarray) -> dict[str, np.ndarray]:
    solved = solver(tables, normalize=True)
    found = _with_informations(solved)
    return found | {
        "synergy": solved.synergy,
        "total": solved.total,
        "accuracy": _best_accuracy(_flat(tables)),
        "accuracy1": _best_accuracy(tables.sum(-2)),
        "accuracy2": _best_accuracy(tables.sum(-3)),
    }


def _statistics_of_marginals(
    solver: Callable, tables: np.ndarray
) -> dict[str, np.ndarray]:
    """`_statistics` but for what the pairs say, which is not solved for."""
    solver = partial(solver, normalize=True)
    return _statistics_of_pairs(solver, tables.sum(-2), tables.sum(-3))


def _statistics_of_pairs(
    solver: Callable, p1y: np.ndarray, p2y: np.ndarray
) -> dict[str, np.ndarray]:
    found = _with_informations(solver(p1y, p2y))
    return found | {
        "accuracy1": _best_accuracy(p1y),
        "accuracy2": _best_accuracy(p2y),
    }


def _informations(tables: np.ndarray) -> dict[str, np.ndarray]:
    """What needs no solver, of each modality."""
    return _informations_of_pairs(tables.sum(-2), tables.sum(-3))


def _informations_of_pairs(
    p1y: np.ndarray, p2y: np.ndarray
) -> dict[str, np.ndarray]:
    return {
        "information1": estimators.plug_in(p1y),
        "information2": estimators.plug_in(p2y),
        "accuracy1": _best_accuracy(p1y),
        "accuracy2": _best_accuracy(p2y),
    }


def _closed_forms(counts: np.ndarray) -> dict[str, float]:
    """What needs no solver, of one table."""
    tables = counts[None]
    return _first(
        _informations(tables)
        | {
            "total": estimators.plug_in(_flat(tables)),
            "accuracy": _best_accuracy(_flat(tables)),
        }
    )


def _first(found: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {name: float(x[0]) for name, x in found.items()}


def _flat(tables: np.ndarray) -> np.ndarray:
    """Tables of ((x1, x2), y)."""
    return tables.reshape(len(tables), -1, tables.shape[-1])


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
    effort: str, p12: np.ndarray, p1y: np.ndarray, p2y: np.ndarray
) -> dict[str, np.ndarray]:
    # Those of one table agree, and nothing is moved.
    found = synergy_interval(p12, p1y, p2y, effort=effort, project=True)
    t_min = found.redundancy + found.unique1 + found.unique2
    return {
        "lower": found.lower,
        "upper": found.upper,
        "least": t_min + found.lower,
        "most": t_min + found.upper,
    }


def _tee(
    parts: Iterable[_Part],
    kept: list[_Part],
    most: int,
    pairwise: Callable[..., _Stack],
) -> Iterator[_Part]:
    """Keeps the pairwise marginals of what the synergy's bounds are of.

    Those cost more: they have fewer resamples, and none for the jackknife.
    """
    room = {"bootstrap": most, "null": most, "left_out": 0}
    for part in parts:
        size = len(part.stack[0])
        if part.kind in room:
            size = min(size, room[part.kind])
            room[part.kind] -= size
        some = pairwise(*(x[:size] for x in part.stack))
        kept.append(_Part(part.kind, some))
        yield part


def _evaluate(
    parts: Iterable[_Part],
    kept: list[_Part],
    statistics: _Statistics,
    cells: int,
    options: _Options,
) -> tuple[_Resampled, _Resampled | None]:
    """Statistics of all resamples, and of those kept for the bounds."""
    total = 1 + options.replicates + BLOCKS + options.permutations
    with _bar(total, options.progress) as bar:
        most = _batch(cells, _LIVE, options.memory_limit)
        resampled = _Resampled(parts, statistics, most, bar)
        if not kept:
            return resampled, None
        bar.total = bar.n + sum(len(part.stack[0]) for part in kept)
        most = _batch(cells, _LIVE_BAND, options.memory_limit)
        bounds = partial(_interval_statistics, options.effort)
        return resampled, _Resampled(kept, bounds, most, bar)


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[tqdm]:
    with tqdm(total=total, disable=not shown, unit="table", leave=False) as bar:
        yield bar


def _batch(cells: int, live: int, memory_limit: int) -> int:
    """Number of tables of so many cells that are solved at a time."""
    return max(1, min(_BATCH_CELLS, memory_limit // (8 * live)) // cells)


def _sizes(total: int, most: int) -> Iterator[int]:
    for start in range(0, total, most):
        yield min(most, total - start)


def _estimate(
    name: str,
    verdict: Verdict,
    full: float,
    resampled: _Resampled | None,
    level: float,
) -> Estimate:
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
        p_value=(1 + int((null >= full - _TOLERANCE).sum())) / (1 + len(null))
        if len(null)
        else nan,
        enough=True,
        needed=verdict.needed,
    )


def _assemble(
    level: str,
    full: Mapping[str, float],
    resampled: _Resampled | None,
    band: _Resampled | None,
    verdict: Mapping[str, Verdict],
    marginals: tuple[Samples, Samples, Samples],
    table: Samples | None,
    options: _Options,
) -> Interactions:
    first, second, pairs = marginals
    label = (
        first.counts.sum(0) / first.size + second.counts.sum(0) / second.size
    ) / 2
    nan = math.nan
    estimates = {
        name: _estimate(
            name, one, full.get(name, nan), resampled, options.level
        )
        for name, one in verdict.items()
        if name != "bounds"
    }
    bounds = {
        name: _estimate(
            name,
            verdict["bounds"],
            nan if band is None else band.full()[name],
            band,
            options.level,
        )
        for name in _BAND
    }
    sets = (table,) if table is not None else marginals
    cells = (
        pairs.counts.any(1).sum()
        * pairs.counts.any(0).sum()
        * (label > 0).sum()
    )
    gap = full.get("gap", 0.0) if resampled is None else resampled.gap()
    return _finish(
        level, estimates, bounds, label, int(cells), min(s.size for s in sets),
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
