"""Interactions from labels of single modalities and unlabelled pairs."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from bounds.estimation import _statistics, samples
from bounds.estimation._resampling import (
    CHEAP_CELLS,
    LIVE,
    Options,
    Part,
    block_sizes,
    evaluate,
    tee,
)
from bounds.estimation.estimators import BLOCKS, with_unseen
from bounds.estimation.evidence import (
    Unimodal,
    check_alphabets,
    checked_unimodal,
    verdicts_of_unimodal,
)
from bounds.estimation.interactions import Interactions, assemble
from bounds.estimation.raking import consistent_marginals
from bounds.estimation.samples import Samples


def of_unimodal(evidence: Unimodal, options: Options) -> Interactions:
    """Returns the interactions, but for the synergy, which is bracketed."""
    first, second, pairs = checked_unimodal(evidence)
    check_alphabets(first, second, pairs)
    verdict = verdicts_of_unimodal(evidence)
    cells = math.prod((*pairs.counts.shape, first.counts.shape[1]))

    def statistics(
        p12: np.ndarray, p1y: np.ndarray, p2y: np.ndarray
    ) -> dict[str, np.ndarray]:
        return _statistics.of_pairs(options.memory_limit, p1y, p2y)

    full, resampled, band = {}, None, None
    kept: list[Part] = []
    if verdict["redundancy"].enough:
        parts = _parts(evidence, options)
        if verdict["bounds"].enough:
            most = options.interval_replicates
            parts = tee(parts, kept, most, lambda *stack: stack)
        resampled, band = evaluate(parts, kept, statistics, cells, options)
        full = resampled.full()
    else:
        stack = _joined(lambda s: s.counts[None], evidence)
        full = _statistics.first_row(
            _statistics.informations_of_pairs(*stack[1:])
        )
        if cells <= CHEAP_CELLS:
            full |= _statistics.first_row(statistics(*stack))
    return assemble(
        "unimodal labels and unlabelled pairs", full, resampled, band, verdict,
        (first, second, pairs), None, options,
    )  # fmt: skip


def _parts(evidence: Unimodal, options: Options) -> Iterator[Part]:
    rng = options.rng
    pairs = evidence.pairs
    # Three draws after each other: all of each kind at once, if they fit.
    cells = sum(s.counts.size for s in evidence)
    most = max(1, options.memory_limit // (8 * LIVE * cells))

    def permuted(s: Samples, size: int) -> np.ndarray:
        if s is pairs:
            return np.repeat(s.counts[None], size, 0)
        return samples.permute_last(s, size, rng)

    yield Part("full", _joined(lambda s: s.counts[None], evidence))
    for size in block_sizes(options.replicates, most):
        draw = partial(samples.bootstrap, replicates=size, rng=rng)
        yield Part("bootstrap", _joined(draw, evidence))
    lefts = [
        samples.leave_out(s, BLOCKS, rng)
        for s in (pairs, evidence.first, evidence.second)
    ]
    blocks = min(len(one.kept) for one in lefts)
    kept = np.mean([one.kept[:blocks] for one in lefts], 0)
    left = consistent_marginals(*(one.counts[:blocks] for one in lefts))
    yield Part("left_out", left, kept)
    for size in block_sizes(options.permutations, most):
        null = _joined(partial(permuted, size=size), evidence)
        yield Part("null", null)
    unseen = _unseen_in_turn(pairs, evidence.first, evidence.second)
    yield Part("unseen", consistent_marginals(*unseen))


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
            np.repeat(s.counts[None] / s.mass, len(here) - 1, 0) for s in tables
        ]
        row[t] = here[1:]
        rows.append(row)
    return [np.concatenate(column) for column in zip(*rows, strict=True)]
