"""Whether estimates settle as samples are added."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation import _statistics, samples
from bounds.estimation._resampling import (
    LIVE,
    Part,
    Resampled,
    batch_size,
    progress_bar,
)
from bounds.estimation.estimators import BLOCKS, jackknife_bias
from bounds.estimation.evidence import DECOMPOSITION
from bounds.estimation.samples import Samples


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
    parts = [Part("full", (part.counts[None],)) for part in drawn]
    parts += [Part("left_out", (one.counts,)) for one in left]
    most = batch_size(table.counts.size, LIVE, memory_limit)
    with progress_bar(len(drawn) * (1 + BLOCKS), progress) as bar:
        statistics = partial(_statistics.of_tables, memory_limit)
        found = Resampled(parts, statistics, most, bar)
    shape = (len(fractions), repeats)
    starts = np.cumsum([0] + [len(one.counts) for one in left])
    plug, value = {}, {}
    for name in (*DECOMPOSITION, "synergy"):
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
