"""Interactions from labelled pairs: everything."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from bounds.estimation import _statistics, samples
from bounds.estimation._resampling import (
    CHEAP_CELLS,
    LIVE,
    Options,
    Part,
    Stack,
    Statistics,
    batch_size,
    block_sizes,
    evaluate,
    tee,
)
from bounds.estimation.estimators import BLOCKS, with_unseen
from bounds.estimation.evidence import (
    DECOMPOSITION,
    check_alphabets,
    pairwise_counts,
    possible_cells,
    verdicts_of_labelled,
)
from bounds.estimation.interactions import Interactions, assemble
from bounds.estimation.samples import Samples


def of_labelled(table: Samples, options: Options) -> Interactions:
    """Returns the interactions from counts of (x1, x2, y)."""
    samples.checked("table", table, 3)
    first, second, pairs = marginals = pairwise_counts(table)
    check_alphabets(first, second, pairs)
    verdict = verdicts_of_labelled(table, *marginals)
    cells = table.counts.size
    full = _statistics.closed_forms(table.counts)
    whole = partial(_statistics.of_tables, options.memory_limit)
    statistics: Statistics | None = None
    if verdict["synergy"].enough:
        statistics = whole
    elif verdict["redundancy"].enough:
        statistics = partial(_statistics.of_marginals, options.memory_limit)
    elif verdict["information1"].enough or verdict["information2"].enough:
        statistics = _statistics.informations
    resampled = band = None
    kept: list[Part] = []
    if statistics:
        parts = _parts(table, options)
        if verdict["bounds"].enough:
            parts = tee(parts, kept, options.interval_replicates, _pairwise)
        resampled, band = evaluate(parts, kept, statistics, cells, options)
        full |= resampled.full()
    if "redundancy" not in full and possible_cells(table) <= CHEAP_CELLS:
        full |= _statistics.first_row(whole(table.counts[None]))
    if "redundancy" in full:
        t_min = sum(full[name] for name in DECOMPOSITION)
        full.setdefault("synergy", full["total"] - t_min)
    return assemble(
        "labelled pairs", full, resampled, band, verdict, marginals, table,
        options,
    )  # fmt: skip


def _parts(table: Samples, options: Options) -> Iterator[Part]:
    rng, cells = options.rng, table.counts.size
    most = batch_size(cells, LIVE, options.memory_limit)
    yield Part("full", (table.counts[None],))
    for size in block_sizes(options.replicates, most):
        yield Part("bootstrap", (samples.bootstrap(table, size, rng),))
    left = samples.leave_out(table, BLOCKS, rng)
    yield Part("left_out", (left.counts,), left.kept)
    # In one go, if they fit: several give other tables.
    if 2 * 8 * cells * options.permutations <= options.memory_limit:
        most = max(1, options.permutations)
    for size in block_sizes(options.permutations, most):
        yield Part("null", (samples.permute_last(table, size, rng),))
    unseen = with_unseen(table.counts, samples.effective_size(table))
    yield Part("unseen", (unseen,))


def _pairwise(tables: np.ndarray) -> Stack:
    """Distributions of (x1, x2), (x1, y) and (x2, y)."""
    p = tables / tables.sum((-3, -2, -1), keepdims=True)
    return p.sum(-1), p.sum(-2), p.sum(-3)
