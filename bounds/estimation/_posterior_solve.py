"""The least information of two laws of posteriors, atom by atom."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from bounds import _scaling, _solvers
from bounds._entry import compile_and_call
from bounds.estimation import _pooled
from bounds.estimation._posterior_input import (
    Input,
    information,
    restricted,
    table,
)
from bounds.estimation._statistics import entropy

# The value, which is at a feasible table, is good long before its proof is.
_TOLERANCE, _MAX_STEPS = 2e-3, 96
# Of the bias the value alone counts: steps end when it moves no more, in bits.
STILL = 2e-4
# The bias is measured at no more atoms of each modality than this, for laws on
# all atoms cost four times as much as the atoms as they are. Beyond, it goes on
# to fall as it does between half as many and these; twice the atoms leave so
# much of it, at least and at most.
_MEASURED, _LEFT = 1000, (0.5, 2**-0.25)
# Numbers of atoms are filled up to multiples of a power of 2 that is at least
# this, and at least this share of them: few shapes to compile.
_ROWS, _FILL = 128, 1 / 8
_LEAST_PAIR = 1e-30
# Standard errors by which informations of laws that look equal may differ.
_ERRORS = 2.0
# Decimals of a posterior that tell it from others.
_DIGITS = 12
# A class of less mass is lacking.
_NO_MASS = 1e-9


class Solution(NamedTuple):
    """The minimum over one subsample, in bits, with its multipliers.

    Attributes:
      excess: the minimum less the mean of both informations; what a subsample
        has too much of either cancels in it.
      equal: whether the laws cannot be told apart.
      bias: what `excess` has too much because samples are atoms; 0 if it was
        not estimated.
      gap: proven error of the minimum.
      status: see `bounds.PID`.
      steps: see `bounds.PID`.
      lam: derivative with respect to p(x1, y) on the subsample's rows of r1,
        `[n1, y]`; every class's constant is split evenly with `mu`.
      mu: with respect to p(x2, y), `[n2, y]`.
    """

    excess: float
    equal: bool
    bias: float
    gap: float
    status: int
    steps: int
    lam: np.ndarray
    mu: np.ndarray


def solve(
    data: Input,
    prior: np.ndarray,
    index1: np.ndarray,
    index2: np.ndarray,
    laws: _pooled.Laws | None,
    rng: np.random.Generator,
) -> Solution:
    """Decomposes the atoms of a subsample.

    Args:
      data: all samples.
      prior: p(y).
      index1: rows of r1 that take part.
      index2: rows of r2 that take part.
      laws: of all samples, for the bias; None if it is not wanted.
      rng: draws the samples that measure it.

    Returns:
      The solution.
    """
    sub = restricted(data, index1, index2)
    p1, p2 = (table(sub.r[n], sub.w[n], prior) for n in ("r1", "r2"))
    state, minimum, lam, mu = decompose(p1, p2, prior)
    split = np.sum(p1 * lam, 0) - np.sum(p2 * mu, 0)
    shift = split / 2 / np.where(prior > 0, prior, 1)
    mean = (information(p1, prior) + information(p2, prior)) / 2
    bias, equal = 0.0, False
    if laws is not None:
        equal = np.array_equal(laws.weights1, laws.weights2)
        bias = _bias(laws, index1, laws.size1 + index2, prior, rng)
    return Solution(
        excess=minimum - mean,
        equal=equal,
        bias=bias,
        gap=float(_scaling.gap_nats(state)) / math.log(2),
        status=int(state.status),
        steps=int(state.steps),
        lam=lam - shift,
        mu=mu + shift,
    )


def _bias(
    laws: _pooled.Laws,
    index1: np.ndarray,
    index2: np.ndarray,
    prior: np.ndarray,
    rng: np.random.Generator,
) -> float:
    """The bias of `excess` of these atoms of both modalities."""
    indices = index1, index2
    cut = [len(i) > _MEASURED for i in indices]
    if not any(cut):
        return _measured(laws, np.concatenate(indices), prior, rng) or 0.0
    # Rows in any order, of which a part is a sample.
    orders = [rng.permutation(i) for i in indices]

    def of_part(start: int, end: int) -> float | None:
        rows = [
            i[start:end] if less else i
            for i, less in zip(orders, cut, strict=True)
        ]
        return _measured(laws, np.concatenate(rows), prior, rng)

    middle = _MEASURED // 2
    bias = of_part(0, _MEASURED)
    if bias is None:
        return 0.0
    halves = [of_part(0, middle), of_part(middle, _MEASURED)]
    before = np.mean([x for x in halves if x is not None] or [bias])
    left = np.clip(bias / before if before > 0 else 1, *_LEFT)
    doublings = np.mean(
        [
            math.log2(len(i) / _MEASURED)
            for i, less in zip(indices, cut, strict=True)
            if less
        ]
    )
    return float(bias * left**doublings)


def _measured(
    laws: _pooled.Laws,
    index: np.ndarray,
    prior: np.ndarray,
    rng: np.random.Generator,
) -> float | None:
    """The bias of these atoms, from samples of laws whose minimum is known.

    Every atom is dealt to either modality, with the odds that the laws give
    it. Those are samples as many as there were, of laws much like the true
    ones; what their minimum has more than the laws' multipliers give them is
    too much, and so it is, nearly, in the samples that are there. None if a law
    lacks a class.
    """
    atoms = laws.atoms[index]
    weights = laws.weights1[index], laws.weights2[index]
    both = weights[0] + weights[1]
    own = both * (rng.random(len(atoms)) * both < weights[0])
    tables, rows = [], []
    for w in (*weights, own, both - own):
        there = np.flatnonzero(w)
        mass = w[there] @ atoms[there]
        if ((mass <= _NO_MASS * prior) & (prior > 0)).any():
            return None
        tables.append(table(atoms[there], w[there], prior))
        rows.append(there)
    first, second, dealt1, dealt2 = tables
    _, minimum, _, _ = decompose(dealt1, dealt2, prior, still=STILL)
    if np.array_equal(*weights):
        # The minimum of equal laws is their information.
        own_value = information(dealt1, prior) + information(dealt2, prior)
        return minimum - own_value / 2
    same = np.intersect1d(rows[0], rows[1], return_indices=True)[1:]
    _, smooth, lam, mu = decompose(first, second, prior, same, still=STILL)
    known = np.zeros((2, *atoms.shape))
    known[0, rows[0]], known[1, rows[1]] = lam, mu
    laws_value = np.sum(first * lam) + np.sum(second * mu)
    value = np.sum(dealt1 * known[0, rows[2]])
    value += np.sum(dealt2 * known[1, rows[3]])
    # Either difference without H(Y), which is the same.
    return float((minimum - value) - (smooth - laws_value))


def decompose(
    p1: np.ndarray,
    p2: np.ndarray,
    prior: np.ndarray,
    same: Sequence[np.ndarray] | None = None,
    still: float = 0.0,
) -> tuple[_scaling.State, float, np.ndarray, np.ndarray]:
    """Solves one table of atoms.

    Args:
      p1: p(x1, y).
      p2: p(x2, y).
      prior: p(y).
      same: rows of either that are the same atom. What laws much alike have in
        common pairs these, which a start without them finds slowly.
      still: a change of the minimum, in bits, that is none.

    Returns:
      The state without its pair, the minimum in bits, and the multipliers.
    """
    (p1, row1), (p2, row2) = _merged(p1), _merged(p2)
    tables = [np.pad(p, ((0, _filling(len(p))), (0, 0))) for p in (p1, p2)]
    label = np.where(prior > 0, prior, 1)
    pair = (tables[0] / label) @ tables[1].T
    if same is not None:
        one, two = np.unique([row1[same[0]], row2[same[1]]], axis=1)
        pair[one, two] += np.minimum(p1.sum(1)[one], p2.sum(1)[two])
    log_m = np.log(np.maximum(pair, _LEAST_PAIR))
    limits = np.array([_TOLERANCE, still]) * math.log(2)
    state = compile_and_call(_minimize, limits, *tables, log_m)
    minimum = float(state.upper) / math.log(2) + float(entropy(prior))
    lam, mu = state.lam.T[row1] / math.log(2), state.mu.T[row2] / math.log(2)
    return state, minimum, lam, mu


def _merged(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merges equal posteriors, such as those of discrete features.

    Returns:
      The table, and the row in it of every row, `[n]`.
    """
    mass = p.sum(1, keepdims=True)
    r = np.round(p / np.where(mass > 0, mass, 1), _DIGITS)
    _, first, row = np.unique(r, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(p):
        return p, np.arange(len(p))
    merged = np.zeros((len(first), p.shape[1]))
    row = row.reshape(-1)
    np.add.at(merged, row, p)
    return merged, row


def _filling(rows: int) -> int:
    step = _ROWS
    while 2 * step <= _FILL * rows:
        step *= 2
    return -rows % step


def _minimize(limits: Any, p1y: Any, p2y: Any, log_m: Any) -> Any:
    tol, still = limits
    b = (p2y.T > 0).astype(p2y.dtype)
    start = _scaling.Start(log_m[None], b[None])
    state = _solvers.scale(
        p1y[None], p2y[None], tol, _MAX_STEPS, start, rough=still
    )
    state = state._replace(log_m=state.steps, before=state.steps, b=state.steps)
    return jax.tree.map(lambda x: x[0], state)


def combine(
    solutions: list[Solution],
    informations: dict[str, float],
    error: float,
    most: float,
    overclaimed: float = 0.0,
) -> tuple[dict[str, float], float]:
    """Averages subsamples.

    Args:
      solutions: of the subsamples; the first one's bias is taken for all.
      informations: of "r1", "r2" and, where it is there, "r12", of all samples.
      error: standard error of the difference of the first two. Those of laws
        that cannot be told apart are one, unless they differ by more.
      most: bits that the label can have.
      overclaimed: what the excess has too much, beside the bias.

    Returns:
      The quantities by name, and the standard error that is due to the
      subsamples, 0 if there is one.
    """
    one, two = informations["r1"], informations["r2"]
    if solutions[0].equal and abs(one - two) <= _ERRORS * error:
        one = two = (one + two) / 2
    excess = np.array([s.excess for s in solutions])
    middle = float(excess.mean()) - solutions[0].bias - overclaimed
    minimum = max(middle + (one + two) / 2, one, two)
    minimum = min(minimum, one + two, most)
    values = {
        "redundancy": one + two - minimum,
        "unique1": minimum - two,
        "unique2": minimum - one,
    }
    if "r12" in informations:
        values["synergy"] = informations["r12"] - minimum
        values["total"] = informations["r12"]
    if len(solutions) == 1:
        return values, 0.0
    return values, float(excess.std(ddof=1)) / math.sqrt(len(solutions))
