"""Certificates of random tables, checked by other arithmetic.

`bounds.pid` says how far its atoms are from the true ones at most. Here the
points that it stopped at are taken as mere hints: in NumPy, with 64 bits of
mantissa where the machine has them, they are made feasible anew, and give an
interval in which the true minimum lies by weak duality alone. A certificate is
invalid if this interval contradicts it.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bounds
from arm_jax.studies.torture.trials import Outcome, Part
from bounds import _solvers

Array = np.ndarray
_REAL = np.longdouble
# Tables of one trial, all of one shape; fewer of those with more cells than the
# last number, on which the interior point is slow.
TABLES, _FEWER, _LARGE = 2500, 250, 200
# Shapes [x1, x2, y] in turns, small ones more often; x1 >= x2, as the solver
# has them.
_SHAPES = (
    (2, 2, 2), (3, 2, 2), (3, 3, 3), (2, 2, 5), (4, 3, 4), (2, 2, 2),
    (5, 5, 3), (3, 2, 10), (2, 2, 101), (3, 3, 3), (8, 2, 2), (6, 4, 6),
    (4, 4, 2), (3, 3, 30), (10, 10, 4), (7, 3, 16), (2, 2, 3), (4, 2, 3),
)  # fmt: skip
# Tolerance of points that are hints for the other solver's claims.
_FINER = 1e-11
# Bits that the check itself may be off.
_ROUNDING = 1e-13
# A multiplier where a side and a label never meet, or so seldom that the solver
# takes it for never: less than this share of its tolerance for each entry.
_ABSENT, _SELDOM = -60.0, 1e-3 * 1e-9 * math.log(2)


class Interval(NamedTuple):
    """Where the least information of each table's marginals is, bits `[n]`."""

    lower: Array
    upper: Array


def check(folder: Path, number: int, rng: np.random.Generator) -> Outcome:
    """Decomposes random tables of one shape and checks what is claimed."""
    del folder
    shape = _SHAPES[number % len(_SHAPES)]
    large = math.prod(shape) > _LARGE
    p = random(rng, _FEWER if large else TABLES, shape)
    # Then mostly by scaling, whose points are not kept: those of the interior
    # point are hints as well, if they are finer.
    scaled = shape[2] >= _solvers.MANY_LABELS
    with _witnesses() as states:
        claimed = bounds.pid(
            p, solver="interior", tol=_FINER if scaled else None
        )
    if scaled:
        claimed = bounds.pid(p)
    lam, mu, r = (
        np.concatenate([np.asarray(getattr(s, name)) for s in states])
        for name in ("lam", "mu", "r")
    )
    exact = p.astype(_REAL)
    exact /= exact.sum((1, 2, 3), keepdims=True)
    bad, unproven = contradictions(claimed, exact, interval(exact, lam, mu, r))
    wrong = [
        f"table {i} of {shape}: {what}"
        for what, rows in bad.items()
        for i in np.flatnonzero(rows)
    ]
    counts = {
        "not converged": int((claimed.status != 0).sum()),
        "confirmed to within the gap": int((~unproven).sum()),
    }
    return Outcome(len(p), wrong, counts)


@contextmanager
def _witnesses() -> Iterator[list[Any]]:
    """Keeps the states that the interior point stops at."""
    kept: list[Any] = []
    original = _solvers._of_interior

    def keep(state: Any) -> Any:
        kept.append(state)
        return original(state)

    _solvers._of_interior = keep
    try:
        yield kept
    finally:
        _solvers._of_interior = original


def random(
    rng: np.random.Generator, count: int, shape: tuple[int, int, int]
) -> Array:
    """Tables `[count, x1, x2, y]`, from dense to nearly deterministic ones."""
    concentration = 10 ** rng.uniform(-2, 0.7, (count, 1, 1, 1))
    x = rng.standard_gamma(concentration, (count, *shape))
    # Some with impossible cells, some with sides that say nearly the same of
    # the label, some over many orders of magnitude.
    kind = rng.integers(4, size=(count, 1, 1, 1))
    holes = rng.random(x.shape) < rng.uniform(0, 0.9, (count, 1, 1, 1))
    x = np.where((kind == 1) & holes, 0, x)
    sides = rng.standard_gamma(0.5, (2, count, max(shape[:2]), shape[2]))
    product = sides[0, :, : shape[0], None] * sides[1, :, None, : shape[1]]
    x = np.where(kind == 2, product, x)
    x = np.where(kind == 3, x * 10 ** rng.uniform(-12, 0, x.shape), x)
    x.reshape(count, -1)[:, 0] += x.sum((1, 2, 3)) == 0
    return x / x.sum((1, 2, 3), keepdims=True)


def interval(p: Array, lam: Array, mu: Array, r: Array) -> Interval:
    """Where T_min is, from points that need not even be feasible.

    Args:
      p: Tables `[n, x1, x2, y]`.
      lam: Multipliers of p(x1, y), nats.
      mu: Multipliers of p(x2, y), nats.
      r: Masses of pairs `[n, x1, x2]`.
    """
    p1y, p2y = p.sum(2), p.sum(1)
    floor = _SELDOM / (p1y.shape[2] * (p1y.shape[1] + p2y.shape[1]))
    lam = np.where(p1y > floor, np.maximum(lam.astype(_REAL), _ABSENT), _ABSENT)
    mu = np.where(p2y > floor, np.maximum(mu.astype(_REAL), _ABSENT), _ABSENT)
    possible = (p1y[:, :, None] > 0) & (p2y[:, None] > 0)
    z = np.where(possible, lam[:, :, None] + mu[:, None], -np.inf)
    top = np.where(possible.any(3), z.max(3), 0)
    e = np.exp(z - top[..., None])
    log_sum = top + np.log(np.where(possible.any(3), e.sum(3), 1))
    log_sum = np.where(possible.any(3), log_sum, -np.inf)
    label = _entropy(p1y.sum(1))
    # No joint says less of the label than either of its sides.
    trivial = np.maximum(_information(p1y), _information(p2y))
    return Interval(
        np.maximum(_dual(p1y, p2y, lam, mu, log_sum) + label, trivial),
        _primal(p1y, p2y, r[..., None] * e / e.sum(3, keepdims=True).clip(1))
        + label,
    )


def _dual(
    p1y: Array, p2y: Array, lam: Array, mu: Array, log_sum: Array
) -> Array:
    """Dual objective, less H(Y), once no pair's constraint is violated, bits.

    Whichever symbol of a pair is the lighter one pays; and every x1 for what is
    left, or gains what is left.
    """
    p1, p2 = p1y.sum(2), p2y.sum(2)
    pays2 = p2[:, None] < p1[:, :, None]
    shift2 = np.where(pays2, np.maximum(log_sum, 0), 0).max(1)
    shift1 = (log_sum - shift2[:, None]).max(2)
    shift1 = np.where(np.isfinite(shift1), shift1, 0)
    value = (lam * p1y).sum((1, 2)) + (mu * p2y).sum((1, 2))
    value -= (shift1 * p1).sum(1) + (shift2 * p2).sum(1)
    return value / np.log(_REAL(2))


def _primal(p1y: Array, p2y: Array, q: Array) -> Array:
    """Objective, less H(Y), of q moved to the marginals, bits."""
    q = q * _share(p1y, q.sum(2))[:, :, None]
    q = q * _share(p2y, q.sum(1))[:, None]
    lack1, lack2 = (p1y - q.sum(2)).clip(0), (p2y - q.sum(1)).clip(0)
    lack = np.where(lack1.sum(1) > 0, lack1.sum(1), 1)
    q = q + lack1[:, :, None] * lack2[:, None] / lack[:, None, None]
    pair = q.sum(3, keepdims=True)
    ratio = np.where(q > 0, q, 1) / np.where(pair > 0, pair, 1)
    return (q * np.log2(ratio)).sum((1, 2, 3))


def _share(wanted: Array, there: Array) -> Array:
    return np.minimum(1, wanted / np.where(there > 0, there, 1))


def _entropy(p: Array) -> Array:
    """Entropy of the last axis, bits."""
    return -(p * np.log2(np.where(p > 0, p, 1))).sum(-1)


def _information(p: Array) -> Array:
    """I(X;Y) of `[n, x, y]`, bits."""
    whole = _entropy(p.reshape(len(p), -1))
    return _entropy(p.sum(1)) + _entropy(p.sum(2)) - whole


def contradictions(
    claimed: Any, p: Array, truth: Interval
) -> tuple[dict[str, Array], Array]:
    """Where claims cannot be true, by name, and where they are not confirmed.

    Args:
      claimed: What `bounds.pid` says.
      p: The tables.
      truth: Where the minimum is.
    """
    first, second = _information(p.sum(2)), _information(p.sum(1))
    total = _information(p.reshape(len(p), -1, p.shape[-1]))
    low, high = truth
    # The true atoms, as far as they are known; none is negative.
    ends = {
        "redundancy": (first + second - high, first + second - low),
        "unique1": (low - second, high - second),
        "unique2": (low - first, high - first),
        "synergy": (total - high, total - low),
    }
    gap = claimed.gap.astype(_REAL)
    bad = {
        "the lower bound exceeds the upper one": low > high + _ROUNDING,
        "a number is not finite": ~np.isfinite(
            claimed.t_min + claimed.synergy + claimed.gap
        ),
        "I(X1,X2;Y) is another one": np.abs(claimed.total - total) > 1e-12,
    }
    unproven = np.zeros(len(p), bool)
    for name, (least, most) in ends.items():
        value = getattr(claimed, name).astype(_REAL)
        least, most = np.maximum(least, 0), np.maximum(most, 0)
        bad[f"{name} is off by more than the gap"] = (
            (value < 0)
            | (value < least - gap - _ROUNDING)
            | (value > most + gap + _ROUNDING)
        )
        # To be off by no more than the gap wherever the truth is in there.
        slack = gap + _ROUNDING
        unproven |= np.maximum(value - least, most - value) > slack
    return bad, unproven


def precision() -> int:
    """Bits of the check's mantissa."""
    return -int(math.log2(np.finfo(_REAL).eps)) + 1


PARTS = {
    "tables": Part(
        "certificates of random tables", check, times=TABLES, hurry=False
    )
}
