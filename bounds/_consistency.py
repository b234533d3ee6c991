"""Pairwise marginals that have a common joint, or the nearest that have."""

from typing import Any, NamedTuple

import numpy as np
import scipy

from bounds import _entry, _leading, _maxent, inputs
from bounds.errors import InputError
from bounds.options import Options
from bounds.status import Status

_NAMES = ("p12", "p1y", "p2y")
# Less than this between marginals and a joint's is within `_rounding.noise`.
_ROUNDING = 64 * np.finfo(np.float64).eps
# Distances of marginals that a linear program may not tell from none, and how
# often it is solved at most.
_FEASIBLE = 1e-5
_REFINEMENTS = 4


class Triple(NamedTuple):
    """A flat batch of checked marginals.

    Attributes:
      p12: p(x1, x2), `[batch, x1, x2]`.
      p1y: p(x1, y), `[batch, x1, y]`.
      p2y: p(x2, y), `[batch, x2, y]`.
      distance: `[batch]`, how far they were moved: the sum of the three total
        variation distances. Without `project` at most 1e-6, and more than 0
        only where no joint was found that fits.
      lead: the leading axes that `batch` stands for.
    """

    p12: np.ndarray
    p1y: np.ndarray
    p2y: np.ndarray
    distance: np.ndarray
    lead: tuple[int, ...]

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three marginals."""
        return self.p12, self.p1y, self.p2y


def solve(
    p12: Any,
    p1y: Any,
    p2y: Any,
    *,
    project: bool = False,
    normalize: bool | None = None,
    options: Options,
    max_steps: int = 100,
) -> tuple[Triple, _maxent.MaxEnt]:
    """`consistent`, and the maximum-entropy joints, flat, that prove it.

    Args:
      p12: see `consistent`.
      p1y: see `consistent`.
      p2y: see `consistent`.
      project: see `consistent`.
      normalize: see `_entry.check_distribution`.
      options: of the call, in float64.
      max_steps: see `maximum_entropy.maxent`.

    Returns:
      The checked marginals and their maximum-entropy joints.

    Raises:
      InputError: see `consistent`.
    """
    project = inputs.boolean("project", project)
    if normalize is not None:
        normalize = inputs.boolean("normalize", normalize)
    values = [
        _entry.check_distribution(name, value, 2, normalize=normalize)
        for name, value in zip(_NAMES, (p12, p1y, p2y), strict=True)
    ]
    _check_alphabets(*(v.shape[-2:] for v in values))
    flat, lead = _leading.flatten(_NAMES, values, (2, 2, 2))
    distance = np.zeros(len(flat[0]))
    off = _pair_disagreement(flat) > _entry.SUM_TOLERANCE
    wrong = off.any(0)
    if project:
        for i in map(int, np.flatnonzero(wrong)):
            _move(flat, distance, i)
    elif wrong.any():
        raise InputError(_pair_message(flat, off, lead))
    # A joint that fits is the proof that there is one; where none was found,
    # a linear program decides. Of joints that do not exist anything could be
    # proven, so that small contradictions are moved, too.
    found = _maxent.solve(*flat, options=options, max_steps=max_steps)
    again = []
    for i in map(int, np.flatnonzero(found.status != Status.CONVERGED)):
        nearest, moved = nearest_joint(*(v[i] for v in flat))
        if found.status[i] == Status.STEP_LIMIT and moved <= _ROUNDING:
            continue
        if moved > _entry.SUM_TOLERANCE and not project:
            raise InputError(
                f"p12, p1y and p2y{_at(i, lead)} have no common joint though "
                f"each two agree: the nearest marginals that have one are at "
                f"total variation distance {moved:.3g}; project=True moves "
                "there"
            )
        _set(flat, distance, i, nearest, moved)
        again.append(i)
    if again:
        redone = _maxent.solve(
            *(v[again] for v in flat), options=options, max_steps=max_steps
        )
        found = _maxent.MaxEnt(*(np.array(old) for old in found))
        for old, new in zip(found, redone, strict=True):
            old[again] = new
    return Triple(flat[0], flat[1], flat[2], distance, lead), found


def nearest_joint(
    p12: np.ndarray, p1y: np.ndarray, p2y: np.ndarray
) -> tuple[np.ndarray, float]:
    """The joint whose pairwise marginals are nearest, and their distance.

    Args:
      p12: `[x1, x2]`.
      p1y: `[x1, y]`.
      p2y: `[x2, y]`.

    Returns:
      A joint `[x1, x2, y]` that minimises the sum of the three total
      variation distances, and that sum.
    """
    shape = (*p12.shape, p1y.shape[1])
    eye = [scipy.sparse.identity(n) for n in shape]
    one = [np.ones((1, n)) for n in shape]
    kron = lambda a, b, c: scipy.sparse.kron(scipy.sparse.kron(a, b), c)
    sums = scipy.sparse.vstack(
        [
            kron(eye[0], eye[1], one[2]),
            kron(eye[0], one[1], eye[2]),
            kron(one[0], eye[1], eye[2]),
        ]
    )
    wanted = np.concatenate([p12.ravel(), p1y.ravel(), p2y.ravel()])
    rows, cells = sums.shape
    unit = scipy.sparse.identity(rows)
    total = scipy.sparse.hstack(
        [np.ones((1, cells)), scipy.sparse.csr_matrix((1, 2 * rows))]
    )
    costs = np.concatenate([np.zeros(cells), np.full(2 * rows, 0.5)])
    equations = scipy.sparse.vstack(
        [scipy.sparse.hstack([sums, unit, -unit]), total]
    ).tocsr()

    # The program is solved to 1e-7, below which a table may have cells. What is
    # left over is a program of its own, on its own scale.
    best, distance, scale = np.zeros(cells), np.inf, 1.0
    for _ in range(_REFINEMENTS):
        lower = np.concatenate([-scale * best, np.zeros(2 * rows)])
        solution = scipy.optimize.linprog(
            costs,
            A_eq=equations,
            b_eq=scale * np.append(wanted - sums @ best, 1.0 - best.sum()),
            bounds=np.stack([lower, np.full(len(lower), np.inf)], axis=1),
            method="highs",
        )
        if solution.x is None:
            break
        r = np.maximum(best + solution.x[:cells] / scale, 0)
        r /= r.sum()
        residual = float(np.abs(sums @ r - wanted).sum() / 2)
        if residual >= distance:
            break
        best, distance = r, residual
        if not _ROUNDING < distance <= _FEASIBLE:
            break
        scale = 1 / distance
    if not best.any():
        raise RuntimeError(f"the linear program failed: {solution.message}")
    return best.reshape(shape), distance


def _check_alphabets(*shapes: tuple[int, ...]) -> None:
    (n1, n2), (m1, ny), (m2, my) = shapes
    for variable, first, a, second, b in (
        ("x1", "p12", n1, "p1y", m1),
        ("x2", "p12", n2, "p2y", m2),
        ("y", "p1y", ny, "p2y", my),
    ):
        if a != b:
            raise InputError(
                f"{first} has {a} values of {variable}, {second} has {b}"
            )


# Pairs of marginals (indices of _NAMES, axis to sum out) and their variable.
_PAIRS = (
    ("x1", (0, 2), (1, 2)),
    ("x2", (0, 1), (2, 2)),
    ("y", (1, 1), (2, 1)),
)


def _pair_disagreement(flat: list[np.ndarray]) -> np.ndarray:
    """Total variation distance of the shared variable, `[pair, batch]`."""
    return np.stack(
        [
            np.abs(flat[i].sum(a) - flat[j].sum(b)).sum(-1) / 2
            for _, (i, a), (j, b) in _PAIRS
        ]
    )


def _pair_message(
    flat: list[np.ndarray], off: np.ndarray, lead: tuple[int, ...]
) -> str:
    pair, table = (int(i[0]) for i in np.nonzero(off))
    variable, (i, a), (j, b) = _PAIRS[pair]
    first, second = flat[i][table].sum(a - 1), flat[j][table].sum(b - 1)
    worst = int(np.argmax(np.abs(first - second)))
    return (
        f"{_NAMES[i]} and {_NAMES[j]}{_at(table, lead)} disagree about "
        f"p({variable}) by {np.abs(first - second).sum() / 2:.3g} in total "
        f"variation; p({variable}={worst}) is {first[worst]:.9g} and "
        f"{second[worst]:.9g}; project=True moves to the nearest consistent "
        "marginals"
    )


def _at(table: int, lead: tuple[int, ...]) -> str:
    if not lead:
        return ""
    index = np.unravel_index(table, lead)
    return f" of table [{', '.join(str(int(i)) for i in index)}]"


def _move(flat: list[np.ndarray], distance: np.ndarray, i: int) -> None:
    joint, moved = nearest_joint(*(v[i] for v in flat))
    _set(flat, distance, i, joint, moved)


def _set(
    flat: list[np.ndarray],
    distance: np.ndarray,
    i: int,
    joint: np.ndarray,
    moved: float,
) -> None:
    for k, axis in enumerate((2, 1, 0)):
        if not flat[k].flags.writeable:
            flat[k] = flat[k].copy()
        flat[k][i] = joint.sum(axis)
    distance[i] = moved
