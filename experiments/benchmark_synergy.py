"""Width and speed of the synergy interval by shape of the tables.

    python -m experiments.benchmark_synergy

Uniformly random tables; seconds per table are the least of three runs on a
batch, after a first one that compiles, and include the decomposition.
"""

import time
from collections.abc import Sequence

import numpy as np

import bounds
from arm_jax.reports.pieces import markdown_table

from . import cli

# Shape, tables, effort.
CASES = (
    ((2, 2, 2), 20_000, "fast"),
    ((3, 3, 3), 1_000, "fast"),
    ((3, 3, 3), 100, "exact"),
    ((5, 5, 2), 256, "fast"),
    ((5, 5, 3), 256, "fast"),
    ((10, 10, 4), 16, "fast"),
    ((20, 20, 3), 16, "fast"),
)
_REPEATS = 3
_COUPLINGS = 10_000
_SYMBOLS = 20


def interval_table() -> str:
    """One row a case: widths in bits, times in milliseconds."""
    rows = []
    for shape, count, effort in CASES:
        rng = np.random.default_rng(0)
        p = rng.dirichlet(np.ones(int(np.prod(shape))), count)
        p = p.reshape(count, *shape)
        arguments = p.sum(-1), p.sum(-2), p.sum(-3)
        times = []
        for _ in range(1 + (_REPEATS if effort == "fast" else 1)):
            start = time.perf_counter()
            out = bounds.synergy_interval(*arguments, effort=effort)
            times.append(time.perf_counter() - start)
        upper = out.by_bound["upper"]
        rows.append(
            [
                "x".join(map(str, shape)), count, effort,
                *(
                    f"{np.mean(x):.3f}"
                    for x in (
                        bounds.pid(p).synergy, out.lower, out.achieved,
                        out.upper, upper["chord"], upper["released"],
                    )
                ),
                f"{1e3 * min(times[1:]) / count:.3g}",
                f"{times[0] - min(times[1:]):.1f}",
            ]
        )  # fmt: skip
    header = [
        "shape", "tables", "effort", "S", "lower", "achieved", "upper",
        "chord", "released", "ms/table", "compile s",
    ]  # fmt: skip
    return markdown_table(header, rows)


def coupling_seconds() -> float:
    """Least time of a batch of greedy couplings."""
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(_SYMBOLS), (2, _COUPLINGS))
    times = []
    for _ in range(1 + _REPEATS):
        start = time.perf_counter()
        bounds.coupling.greedy(p, q)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    print(interval_table())
    print(
        f"\ngreedy coupling of {_COUPLINGS} pairs of {_SYMBOLS} and "
        f"{_SYMBOLS}: {coupling_seconds():.3f} s"
    )
    return 0


if __name__ == "__main__":
    cli.run(main)
