"""Interactions of a pair of modalities given a third, from counts.

What `bounds.several` defines, with the error bars of `quantify`. The null draws
labels within samples of one value of what is given: it keeps what that knows.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bounds import inputs, several
from bounds.estimation import _statistics, samples
from bounds.estimation._resampling import (
    LIVE,
    Options,
    Part,
    Statistics,
    batch_size,
    block_sizes,
    evaluate,
)
from bounds.estimation.estimators import BLOCKS, Estimate, with_unseen
from bounds.estimation.evidence import DECOMPOSITION, enough
from bounds.estimation.interactions import estimate
from bounds.estimation.samples import Samples

# Of a table (first, second, given, y).
_SPLIT = several.Split((0,), (1,), (2,))
_QUANTITIES = (
    "information1", "information2", *DECOMPOSITION, "synergy", "total",
)  # fmt: skip


class Conditional(NamedTuple):
    """Interactions of two modalities with the label, given a third.

    Attributes:
      estimates: by name, as those of `Interactions`, of what is said of the
        label by who knows the third modality already: `total` is
        I(X1,X2;Y|X3).
      size: number of samples.
      effective: independent samples that would be as good.
      gap: largest certified error of the solver, bits.
    """

    estimates: dict[str, Estimate]
    size: int
    effective: float
    gap: float


def quantify_given(
    table: Samples,
    *,
    replicates: int = 1000,
    permutations: int = 200,
    level: float = 0.95,
    seed: int = 0,
    memory_limit: int = 2**30,
    progress: bool = False,
) -> Conditional:
    """Estimates the interactions of a pair given a third modality.

    Args:
      table: counts of (x1, x2, x3, y); of modalities that are several, make one
        variable. x3 is what is given.
      replicates: as in `quantify`, and so are the others.
      permutations: see `quantify`.
      level: see `quantify`.
      seed: see `quantify`.
      memory_limit: see `quantify`.
      progress: see `quantify`.

    Returns:
      The interactions. All are NaN but for `needed` where there are fewer than
      five independent samples for each possible cell of what they are about.

    Raises:
      InputError: No counts of four variables; options out of range.
    """
    samples.checked("table", table, 4)
    options = Options(
        inputs.integer("replicates", replicates, 2),
        inputs.integer("permutations", permutations),
        2,
        inputs.real("level", level, above=0, below=1),
        "bounds",
        np.random.default_rng(inputs.seed("seed", seed)),
        inputs.integer("memory_limit", memory_limit, 1),
        progress,
    )
    one, two = (enough(samples.marginal(table, (axis,))) for axis in (1, 0))
    verdict = {
        "information1": one,
        "information2": two,
        **dict.fromkeys(DECOMPOSITION, max(one, two, key=lambda v: v.needed)),
        **dict.fromkeys(("synergy", "total"), enough(table)),
    }
    full, resampled = dict.fromkeys(_QUANTITIES, np.nan), None
    if verdict["redundancy"].enough:
        resampled, _ = evaluate(
            _parts(table, options),
            [],
            statistics_of(memory_limit),
            table.counts.size,
            options,
        )
        full = resampled.full()
    return Conditional(
        {
            name: estimate(name, verdict[name], full[name], resampled, level)
            for name in _QUANTITIES
        },
        table.size,
        samples.effective_size(table),
        0.0 if resampled is None else resampled.gap(),
    )


def statistics_of(memory_limit: int) -> Statistics:
    """The decompositions of a stack of tables `[batch, x1, x2, x3, y]`."""

    def statistics(tables: np.ndarray) -> dict[str, np.ndarray]:
        solved = several.pid_of(
            tables,
            _SPLIT,
            modalities=3,
            normalize=True,
            tol=_statistics.TOLERANCE,
            memory_limit=memory_limit,
        )
        return {name: getattr(solved, name) for name in (*_QUANTITIES, "gap")}

    return statistics


def permute_within(
    table: Samples, replicates: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws tables whose label is permuted within each value of x3.

    Args:
      table: counts of (x1, x2, x3, y).
      replicates: number of tables.
      rng: source of randomness.

    Returns:
      `[replicates, x1, x2, x3, y]`, each stratum by `samples.permute_last`.
    """
    out = np.zeros((replicates, *table.counts.shape), table.counts.dtype)
    cells = np.arange(table.counts.size).reshape(table.counts.shape)
    for value in range(table.counts.shape[2]):
        counts = table.counts[:, :, value]
        if not counts.any():
            continue
        columns = cells[:, :, value].ravel()
        stratum = Samples(
            counts,
            _stratum(table.by_unit, columns),
            _stratum(table.unjoined, columns),
        )
        out[:, :, :, value] = samples.permute_last(stratum, replicates, rng)
    return out


def _stratum(by_unit: Any, columns: np.ndarray) -> Any:
    """Some columns, of the units that have a sample there."""
    if by_unit is None:
        return None
    by_unit = by_unit[:, columns]
    return by_unit[np.diff(by_unit.indptr) > 0]


def _parts(table: Samples, options: Options) -> Iterator[Part]:
    rng, cells = options.rng, table.counts.size
    most = batch_size(cells, LIVE, options.memory_limit)
    yield Part("full", (table.counts[None],))
    for size in block_sizes(options.replicates, most):
        yield Part("bootstrap", (samples.bootstrap(table, size, rng),))
    left = samples.leave_out(table, BLOCKS, rng)
    yield Part("left_out", (left.counts,), left.kept)
    draw = partial(permute_within, table, rng=rng)
    for size in block_sizes(options.permutations, most):
        yield Part("null", (draw(replicates=size),))
    unseen = with_unseen(table.counts, samples.effective_size(table))
    yield Part("unseen", (unseen,))
