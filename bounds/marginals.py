"""Pairwise marginals that should belong to one joint of x1, x2 and y."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import scipy

from bounds import _batch, _entry, _maxent, _rounding
from bounds.decomposition import PID, pid_from_marginals
from bounds.errors import InputError
from bounds.information import mutual_information_nats
from bounds.status import Status

T = TypeVar("T")

_NAMES = ("p12", "p1y", "p2y")
_LOG2 = np.log(2)
# Gap, in bits, of the decomposition and of the maximum entropy.
_TOL = 2e-10


class Triple(NamedTuple):
    """A flat batch of checked marginals.

    Attributes:
      p12: p(x1, x2), `[batch, x1, x2]`.
      p1y: p(x1, y), `[batch, x1, y]`.
      p2y: p(x2, y), `[batch, x2, y]`.
      distance: `[batch]`, how far they were moved: the sum of the three total
        variation distances.
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


class Marginals:
    """p(x1, x2), p(x1, y), p(x2, y) of joints, and what they determine; bits.

    Checked once; what is asked for is computed once, and shared by all bounds
    that are given the object instead of three arrays. All fields are flat
    batches; `lead` are the leading axes that these stand for.

    Attributes:
      triple: The marginals.
      maxent: Their joint of largest entropy, the proof that there is one.
    """

    def __init__(
        self, p12: Any, p1y: Any, p2y: Any, *, project: bool = False
    ) -> None:
        """Checks the marginals, see `consistent`."""
        self.triple, self.maxent = solve(
            p12, p1y, p2y, project=project, tol=_TOL
        )
        self._results: dict[Callable[..., Any], Any] = {}

    def once(self, function: Callable[["Marginals"], T]) -> T:
        """Returns `function(self)`, computed the first time it is asked for."""
        if function not in self._results:
            self._results[function] = function(self)
        return self._results[function]

    @property
    def lead(self) -> tuple[int, ...]:
        """The leading axes."""
        return self.triple.lead

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """p(x1, x2), p(x1, y) and p(x2, y)."""
        return self.triple.arrays

    @functools.cached_property
    def pid(self) -> PID:
        """Redundancy and unique informations."""
        return pid_from_marginals(self.triple.p1y, self.triple.p2y, tol=_TOL)

    @functools.cached_property
    def _entropies(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _batch.evaluate(_entropies, *self.arrays)

    @property
    def entropy(self) -> np.ndarray:
        """H(X1,X2) + H(Y), so that S = entropy - H(joint) - T_min."""
        return self._entropies[0]

    @property
    def margin(self) -> np.ndarray:
        """What may change in an entropy.

        By rounding, and because marginals agree only to within it.
        """
        return self._entropies[2]

    @property
    def error(self) -> np.ndarray:
        """Proven bound on the error of T_min and of the unique informations."""
        return self.pid.gap + self.margin

    @property
    def t_low(self) -> np.ndarray:
        """Proven lower bound on T_min."""
        # Not R + U1 + U2, of which those are 0 that the solver has below 0.
        return self._entropies[1] - self.pid.redundancy - self.error

    @property
    def t_high(self) -> np.ndarray:
        """Proven upper bound on T_min."""
        return self._entropies[1] - self.pid.redundancy + self.error

    @property
    def unique1(self) -> np.ndarray:
        """Proven upper bound on the first unique information."""
        return self.pid.unique1 + self.error

    @property
    def unique2(self) -> np.ndarray:
        """Proven upper bound on the second unique information."""
        return self.pid.unique2 + self.error


def of(
    p12: Any, p1y: Any = None, p2y: Any = None, *, project: bool = False
) -> Marginals:
    """Returns `Marginals` as they are, or makes them of three arrays.

    Raises:
      InputError: An array that is missing, or one too many; see `consistent`.
    """
    if not isinstance(p12, Marginals):
        for name, value in (("p1y", p1y), ("p2y", p2y)):
            if value is None:
                raise InputError(
                    f"{name} is missing: give p12, p1y and p2y, or one "
                    "bounds.Marginals"
                )
        return Marginals(p12, p1y, p2y, project=project)
    if p1y is not None or p2y is not None or project:
        raise InputError(
            "Marginals are given alone: they hold all three arrays, projected "
            "or not"
        )
    return p12


def consistent(
    p12: Any,
    p1y: Any,
    p2y: Any,
    *,
    project: bool = False,
    normalize: bool = False,
) -> Triple:
    """Checks that the marginals can belong to one joint, or makes them.

    Args:
      p12: p(x1, x2), `[..., x1, x2]`.
      p1y: p(x1, y), `[..., x1, y]`.
      p2y: p(x2, y), `[..., x2, y]`.
      project: replace marginals that have no common joint, such as estimates
        from different samples, by the nearest that have one: the least sum of
        absolute differences, a linear program a table, on the host.
      normalize: accept counts.

    Returns:
      The checked marginals, leading axes broadcast and flattened.

    Raises:
      InputError: an argument is no distribution; alphabets that differ; two
        marginals that disagree about a variable by more than 1e-6, or three
        that have no common joint although each two agree; the message has the
        table's index, the pair and the size of the disagreement.
    """
    return solve(p12, p1y, p2y, project=project, normalize=normalize)[0]


def solve(
    p12: Any,
    p1y: Any,
    p2y: Any,
    *,
    project: bool = False,
    normalize: bool | None = None,
    **options: Any,
) -> tuple[Triple, _maxent.MaxEnt]:
    """`consistent`, and the maximum-entropy joints, flat, that prove it.

    Args:
      p12: see `consistent`.
      p1y: see `consistent`.
      p2y: see `consistent`.
      project: see `consistent`.
      normalize: see `_entry.check_distribution`.
      **options: of `maximum_entropy.maxent`: tol, max_steps.

    Returns:
      The checked marginals and their maximum-entropy joints.

    Raises:
      InputError: see `consistent`.
    """
    values = [
        _entry.check_distribution(name, value, 2, normalize=normalize)
        for name, value in zip(_NAMES, (p12, p1y, p2y), strict=True)
    ]
    _check_alphabets(*(v.shape[-2:] for v in values))
    flat, lead = _batch.flatten(_NAMES, values, (2, 2, 2))
    distance = np.zeros(len(flat[0]))
    off = _pair_disagreement(flat) > _entry.SUM_TOLERANCE
    wrong = off.any(0)
    if project:
        for i in map(int, np.flatnonzero(wrong)):
            _move(flat, distance, i)
    elif wrong.any():
        raise InputError(_pair_message(flat, off, lead))
    # A joint that fits is the proof that there is one; where none was found,
    # a linear program decides.
    found = _maxent.solve(*flat, **options)
    again = []
    for i in map(int, np.flatnonzero(found.status != Status.CONVERGED)):
        nearest, moved = nearest_joint(*(v[i] for v in flat))
        if moved <= _entry.SUM_TOLERANCE:
            continue
        if not project:
            raise InputError(
                f"p12, p1y and p2y{_at(i, lead)} have no common joint though "
                f"each two agree: the nearest marginals that have one are at "
                f"total variation distance {moved:.3g}; project=True moves "
                "there"
            )
        _set(flat, distance, i, nearest, moved)
        again.append(i)
    if again:
        redone = _maxent.solve(*(v[again] for v in flat), **options)
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
    found = scipy.optimize.linprog(
        np.concatenate([np.zeros(cells), np.full(2 * rows, 0.5)]),
        A_eq=scipy.sparse.vstack(
            [scipy.sparse.hstack([sums, unit, -unit]), total]
        ).tocsr(),
        b_eq=np.append(wanted, 1.0),
        method="highs",
    )
    if found.x is None:
        raise RuntimeError(f"the linear program failed: {found.message}")
    r = np.maximum(found.x[:cells], 0)
    r = (r / r.sum()).reshape(shape)
    return r, float(np.abs(sums @ r.ravel() - wanted).sum() / 2)


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


def _entropies(
    p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> tuple[jax.Array, ...]:
    """H(X1,X2) + H(Y), I(X1;Y) + I(X2;Y) and the margin, in bits."""
    entr = jax.scipy.special.entr
    entropy = jnp.sum(entr(p12)) + jnp.sum(entr(p1y.sum(0)))
    noise = _rounding.noise(p12, p1y, p2y)
    margin = _rounding.entropy_change(noise, p12.size * p1y.shape[1])
    both = mutual_information_nats(p1y) + mutual_information_nats(p2y)
    return entropy / _LOG2, both / _LOG2, margin / _LOG2
