"""Statistics of many resamples, in batches under a limit of memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from bounds.estimation import _statistics
from bounds.estimation.estimators import BLOCKS

# Cells x1 x2 y that are solved at a time: a few seconds of work, so that
# progress can be seen.
_BATCH_CELLS = 2**20
# Numbers per cell of a batch that are alive at once, measured with some room:
# of the decomposition, and of the synergy interval.
LIVE, _LIVE_BAND = 12, 100
# A table of so few cells is solved for its plug-in values even if there are
# too few samples for anything else.
CHEAP_CELLS = 512


# Rows of a part that one of several processes evaluates.
_SHARED_ROWS = 250

# `share(evaluate, count)` returns `evaluate(number)` of all numbers, in order.
Found = dict[str, np.ndarray]
Share = Callable[[Callable[[int], Found], int], Sequence[Found]]


class Options(NamedTuple):
    """The options of `quantify`, checked, and the generator of its seed."""

    replicates: int
    permutations: int
    interval_replicates: int
    level: float
    effort: str
    rng: np.random.Generator
    memory_limit: int
    progress: bool
    share: Share | None = None


# Stacks of tables, or of weights, with one leading axis in common.
Stack = tuple[np.ndarray, ...]
Statistics = Callable[..., dict[str, np.ndarray]]


class Part(NamedTuple):
    """Some resamples: "full", "bootstrap", "left_out", "null" or "unseen"."""

    kind: str
    stack: Stack
    # Share of the samples that each one of "left_out" has.
    kept: np.ndarray | None = None


class Resampled:
    """Statistics of the samples and of what was made of them, by kind.

    Attributes:
      kept: Share of the samples that each left-out table has.
    """

    def __init__(
        self,
        parts: Iterable[Part],
        statistics: Statistics,
        most: int,
        bar: tqdm,
        share: Share | None = None,
    ) -> None:
        """Evaluates `statistics` on batches of at most `most` resamples.

        With `share`, in parts whose results do not depend on who has which.
        """
        self._share = share
        self.kept = np.zeros(0)
        self._found: dict[str, list[dict[str, np.ndarray]]] = {}
        batch: list[tuple[str, Stack]] = []
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
        self, batch: list[tuple[str, Stack]], statistics: Statistics
    ) -> int:
        stacks = zip(*(stack for _, stack in batch), strict=True)
        found = self._statistics(statistics, list(map(np.concatenate, stacks)))
        end = 0
        for kind, stack in batch:
            rows = slice(end, end + len(stack[0]))
            end = rows.stop
            self._found.setdefault(kind, []).append(
                {name: x[rows] for name, x in found.items()}
            )
        return end

    def _statistics(
        self, statistics: Statistics, whole: list[np.ndarray]
    ) -> Found:
        if self._share is None:
            return statistics(*whole)
        starts = range(0, len(whole[0]), _SHARED_ROWS)
        parts = self._share(
            lambda n: statistics(
                *(x[starts[n] : starts[n] + _SHARED_ROWS] for x in whole)
            ),
            len(starts),
        )
        return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}

    def get(self, kind: str, name: str) -> np.ndarray:
        """Values of one statistic; none of resamples that there are not."""
        parts = [found[name] for found in self._found.get(kind, [])]
        return np.concatenate([np.zeros(0), *parts])

    def full(self) -> dict[str, float]:
        """Values of the samples themselves."""
        return _statistics.first_row(self._found["full"][0])

    def gap(self) -> float:
        """Largest certified error of all; 0 if there was nothing to solve."""
        return max(
            float(found["gap"].max()) if "gap" in found else 0.0
            for parts in self._found.values()
            for found in parts
        )


def tee(
    parts: Iterable[Part],
    kept: list[Part],
    most: int,
    pairwise: Callable[..., Stack],
) -> Iterator[Part]:
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
        kept.append(Part(part.kind, some))
        yield part


def evaluate(
    parts: Iterable[Part],
    kept: list[Part],
    statistics: Statistics,
    cells: int,
    options: Options,
) -> tuple[Resampled, Resampled | None]:
    """Statistics of all resamples, and of those kept for the bounds."""
    total = 1 + options.replicates + BLOCKS + options.permutations
    with progress_bar(total, options.progress) as bar:
        most = batch_size(cells, LIVE, options.memory_limit)
        resampled = Resampled(parts, statistics, most, bar, options.share)
        if not kept:
            return resampled, None
        bar.total = bar.n + sum(len(part.stack[0]) for part in kept)
        most = batch_size(cells, _LIVE_BAND, options.memory_limit)
        intervals = partial(_statistics.of_intervals, options.effort)
        return resampled, Resampled(kept, intervals, most, bar, options.share)


@contextmanager
def progress_bar(total: int, shown: bool) -> Iterator[tqdm]:
    """Shows how many tables are done, if it is to be shown."""
    with tqdm(total=total, disable=not shown, unit="table", leave=False) as bar:
        yield bar


def batch_size(cells: int, live: int, memory_limit: int) -> int:
    """Number of tables of so many cells that are solved at a time."""
    return max(1, min(_BATCH_CELLS, memory_limit // (8 * live)) // cells)


def block_sizes(total: int, most: int) -> Iterator[int]:
    """Yields the sizes of blocks of at most `most` that make up `total`."""
    for start in range(0, total, most):
        yield min(most, total - start)
