"""The least information of two laws of posteriors, atom by atom."""

import math
from typing import Any, NamedTuple

import jax
import numpy as np

from bounds import _pooled, _scaling, _solvers
from bounds._entry import compile_and_call
from bounds._posterior_input import Input, entropy, information, table

# The value, which is at a feasible table, is good long before its proof is.
_TOLERANCE, _MAX_STEPS = 2e-3, 96
# Numbers of atoms are filled up to multiples of this: few shapes to compile.
_ROWS = 128


class Solution(NamedTuple):
    """The minimum over one subsample, in bits, with its multipliers.

    Attributes:
      excess: the minimum less the mean of both informations; what a subsample
        has too much of either cancels in it.
      gap: proven error of the minimum.
      status: see `bounds.PID`.
      steps: see `bounds.PID`.
      lam: derivative with respect to p(x1, y) on the subsample's rows of r1,
        `[n1, y]`; every class's constant is split evenly with `mu`.
      mu: with respect to p(x2, y), `[n2, y]`.
    """

    excess: float
    gap: float
    status: int
    steps: int
    lam: np.ndarray
    mu: np.ndarray


def laws_of(data: Input, folds: np.ndarray | None) -> _pooled.Laws:
    """The laws of both modalities' posteriors, pooled unless `folds` is None.

    Args:
      data: all samples.
      folds: fold of every row of r1, then of r2.
    """
    arrays = data.r["r1"], data.r["r2"], data.w["r1"], data.w["r2"]
    if folds is None:
        return _pooled.apart(*arrays)
    return _pooled.pool(*arrays, folds)


def solve(
    laws: _pooled.Laws,
    prior: np.ndarray,
    index1: np.ndarray,
    index2: np.ndarray,
) -> Solution:
    """Decomposes the atoms of a subsample.

    Args:
      laws: of all samples.
      prior: p(y).
      index1: rows of r1 that take part.
      index2: rows of r2 that take part.

    Returns:
      The solution.
    """
    index = np.concatenate([index1, laws.size1 + index2])
    atoms = laws.atoms[index]
    marginals, rows = [], []
    for weights in (laws.weights1[index], laws.weights2[index]):
        there = np.flatnonzero(weights)
        p = table(atoms[there], weights[there] / weights.sum(), prior)
        marginals.append(p / p.sum())
        rows.append(there)
    state = compile_and_call(
        _minimize,
        *(np.pad(p, ((0, -len(p) % _ROWS), (0, 0))) for p in marginals),
        np.asarray(_TOLERANCE * math.log(2)),
    )
    multipliers = [
        x.T[: len(p)] / math.log(2)
        for x, p in zip((state.lam, state.mu), marginals, strict=True)
    ]
    one, two = (
        np.sum(p * x, 0) for p, x in zip(marginals, multipliers, strict=True)
    )
    shift = (one - two) / 2 / np.where(prior > 0, prior, 1)
    full = []
    for there, x, sign in zip(rows, multipliers, (-1, 1), strict=True):
        placed = np.zeros(atoms.shape)
        placed[there] = x + sign * shift
        full.append(placed)
    first, second = (information(p, prior) for p in marginals)
    minimum = float(state.upper) / math.log(2) + entropy(prior)
    return Solution(
        excess=minimum - (first + second) / 2,
        gap=float(_scaling.gap_nats(state)) / math.log(2),
        status=int(state.status),
        steps=int(state.steps),
        lam=full[0][: len(index1)],
        mu=full[1][len(index1) :],
    )


def _minimize(p1y: Any, p2y: Any, tol: Any) -> Any:
    state = _solvers.scale(p1y[None], p2y[None], tol, _MAX_STEPS)
    state = state._replace(log_m=state.steps, before=state.steps, b=state.steps)
    return jax.tree.map(lambda x: x[0], state)


def combine(
    solutions: list[Solution],
    laws: _pooled.Laws,
    prior: np.ndarray,
    total: float | None,
) -> tuple[dict[str, float], float]:
    """Averages subsamples.

    Returns:
      The quantities by name, and the standard error that is due to the
      subsamples, 0 if there is one.
    """
    one = information(table(laws.atoms, laws.weights1, prior), prior)
    two = information(table(laws.atoms, laws.weights2, prior), prior)
    excess = np.array([s.excess for s in solutions])
    minimum = max(float(excess.mean()) + (one + two) / 2, one, two)
    values = {
        "redundancy": one + two - minimum,
        "unique1": minimum - two,
        "unique2": minimum - one,
    }
    if total is not None:
        values["synergy"] = total - minimum
        values["total"] = total
    if len(solutions) == 1:
        return values, 0.0
    return values, float(excess.std(ddof=1)) / math.sqrt(len(solutions))
