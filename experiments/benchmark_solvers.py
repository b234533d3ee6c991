"""Time of the two solvers of the decomposition, by shape and tolerance.

    python -m experiments.benchmark_solvers

Tables are Dirichlet ones (0.3), replicates multinomial draws of 5,000 samples
from one; of the largest the marginals are drawn alone. Seconds are the least of
the runs after a first one, which compiles. The interior
point is timed where it takes less than a minute or so.
"""

import resource
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import bounds
from arm_jax.reports.pieces import markdown_table

from . import cli

# Shape, replicates, tolerance in bits, runs, whether the interior point runs.
CASES = (
    ((8, 8, 31), 1, 1e-6, 3, True),
    ((16, 16, 31), 1, 1e-4, 3, True),
    ((32, 32, 31), 1, 1e-4, 3, True),
    ((32, 32, 31), 1, 1e-9, 3, True),
    ((64, 64, 31), 1, 1e-4, 3, False),
    ((64, 64, 31), 1, 1e-9, 3, False),
    ((64, 64, 101), 1, 1e-4, 3, False),
    ((256, 256, 31), 1, 1e-4, 3, False),
    ((64, 64, 31), 1000, 1e-3, 1, False),
    ((1024, 1024, 101), 1, 1e-3, 1, False),
)
# Of larger tables the marginals are drawn, not the table.
_MANY_CELLS = 10**7


def marginals(
    shape: tuple[int, int, int], replicates: int
) -> tuple[np.ndarray, np.ndarray]:
    """The marginals of a table, or of resampled ones, batch first."""
    rng = np.random.default_rng(0)
    if np.prod(shape) > _MANY_CELLS:
        first = rng.dirichlet(np.full(shape[2], 0.3), shape[0]) / shape[0]
        second = rng.dirichlet(np.full(shape[2], 0.3), shape[1])
        second *= first.sum(0) / second.sum(0)
        return first[None], second[None]
    p = rng.dirichlet(np.full(int(np.prod(shape)), 0.3)).reshape(shape)
    ones, twos = [], []
    for _ in range(replicates):
        q = p
        if replicates > 1:
            q = rng.multinomial(5000, p.ravel()).reshape(shape) / 5000
        ones.append(q.sum(1))
        twos.append(q.sum(0))
    return np.stack(ones), np.stack(twos)


def seconds(arrays: Any, solver: str, tol: float, runs: int) -> Any:
    """Seconds of the first and of the fastest later run, and the answer."""
    times = []
    for _ in range(1 + runs):
        start = time.perf_counter()
        out = bounds.pid_from_marginals(*arrays, solver=solver, tol=tol)
        times.append(time.perf_counter() - start)
    return times[0], min(times[1:]), out


def main(argv: Sequence[str]) -> int:
    """Prints the table."""
    del argv
    rows = []
    for shape, replicates, tol, runs, peer in CASES:
        arrays = marginals(shape, replicates)
        first, then, out = seconds(arrays, "scaling", tol, runs)
        interior = "-"
        if peer:
            interior = f"{seconds(arrays, 'interior', tol, 1)[1]:.3g}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append(
            [
                "x".join(map(str, shape)), replicates, f"{tol:.0e}",
                f"{then:.3g}", f"{first - then:.1f}", f"{out.gap.max():.1e}",
                int(out.steps.max()), interior, f"{peak:.2f}",
            ]
        )  # fmt: skip
    header = [
        "shape", "tables", "tol", "scaling s", "compile s", "worst gap",
        "steps", "interior s", "peak GB",
    ]  # fmt: skip
    print(markdown_table(header, rows))
    return 0


if __name__ == "__main__":
    cli.run(main)
