"""Upper bounds on synergy that need no multimodal label; all in bits.

S = H(X1,X2) + H(Y) - T_min - H(joint), and only the entropy of the joint is
not determined by p(x1, x2), p(x1, y), p(x2, y). So an upper bound on S is a
lower bound on that entropy, a concave function whose minimum over the joints
with these marginals is NP-hard. In order of sharpness on most tables:
majorization, released, conditional, chord, envelope, exact.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from bounds import (
    _branch,
    _engine,
    _entry,
    _leading,
    _slices,
    coupling,
    marginals,
)
from bounds._bounds import Bound, bound
from bounds.marginals import Marginals
from bounds.options import Fields, Options

# Every upper bound but `exact`, by name.
UPPER: dict[str, Bound] = {}
_LOG2 = math.log(2)
# Gap, in bits, at which `exact` is done.
_TOL = 1e-5
_CHUNK_CELLS = 2**14


class Exact(NamedTuple):
    """What branch and bound reached; every field has the batch's shape.

    Attributes:
      upper: proven upper bound on the synergy, bits.
      achieved: synergy of `joint`, bits, rounded down.
      joint: `[..., x1, x2, y]`, the joint of largest synergy that was found.
      nodes: Boxes that were bounded; 0 where a closed form or the envelope
        answered.
    """

    upper: Any
    achieved: Any
    joint: Any
    nodes: Any


@bound(UPPER)
def majorization(m: Marginals) -> np.ndarray:
    """From a coupling of p(x1, x2) with p(y): the bound of the paper.

    Args:
      m: `Marginals`; or p(x1, x2) `[..., x1, x2]`, p(x1, y) and p(x2, y), with
        `project` as in `marginals.consistent`.

    Returns:
      `[...]`, bits.

    Raises:
      InputError: See `marginals.consistent`.

    References:
      Liang et al., Multimodal learning without labeled multimodal data:
      guarantees and applications, ICLR 2024; Cicalese, Gargano and Vaccaro,
      Minimum-entropy couplings and their applications, 2019.
    """
    return _bits(m, _run(m, _majorization_floor, m.arrays))


@bound(UPPER)
def released(m: Marginals) -> np.ndarray:
    """The best of three couplings of one pair with the third variable.

    What the paper's released code computes. Arguments, result and errors are
    those of `majorization`.
    """
    return _bits(m, _run(m, _released_floor, m.arrays))


@bound(UPPER)
def conditional(m: Marginals) -> np.ndarray:
    """The best of coupling two variables given each value of the third.

    Uses all three marginals; never above the trivial I(X;Y|X') <= H(Y|X').
    Arguments, result and errors are those of `majorization`.
    """
    return _bits(m, _run(m, _conditional_floor, m.arrays))


@bound(UPPER)
def chord(m: Marginals) -> np.ndarray:
    """From the chord of -r log r over the range of each cell.

    A linear program over the joints, certified by a dual point. Arguments,
    result and errors are those of `majorization`.
    """
    return _bits(m, m.once(_chord_floor))


@bound(UPPER)
def envelope(m: Marginals) -> np.ndarray:
    """From the concave envelope of the entropy of each slice of the joint.

    A slice over one variable is a point of a small polytope, because its sum
    is known; the best of slicing over x1, x2 and y, as far as the variable
    has at most 5 values, else `chord`. Arguments, result and errors are those
    of `majorization`.
    """
    return _bits(m, m.once(_solve_floors)[0].largest)


def exact(
    p12: Any,
    p1y: Any = None,
    p2y: Any = None,
    *,
    project: bool = False,
    max_nodes: int = 10_000,
    seconds: float = 1.0,
    options: Options | None = None,
    **fields: Unpack[Fields],
) -> Exact:
    """The largest synergy that the marginals allow, as far as affordable.

    For 2x2x2 tables the joints are a segment and the answer is at one of its
    ends. Otherwise branch and bound on `envelope`; when the budget is spent,
    the bound proven so far.

    Args:
      p12: p(x1, x2), `[..., x1, x2]`, or `Marginals` alone.
      p1y: p(x1, y), `[..., x1, y]`.
      p2y: p(x2, y), `[..., x2, y]`.
      project: See `marginals.consistent`.
      max_nodes: Budget of one table.
      seconds: Budget of a table on average.
      options: See `bounds.Options`; `tol` is the gap between `upper` and
        `achieved`, 1e-5 by default.
      **fields: Its fields, for this call.

    Returns:
      The bound and the joint that shows how much is left to gain.

    Raises:
      InputError: See `marginals.consistent`.
    """
    budget = check_budget(max_nodes, seconds)
    m = marginals.of(
        p12, p1y, p2y, project=project, options=options, fields=fields
    )
    return _leading.restore(exact_of(m, search(m), **budget), m.lead)


def check_budget(max_nodes: Any, seconds: Any) -> dict[str, float]:
    """Returns the budget of `exact`.

    Raises:
      InputError: an option that is no number, or negative.
    """
    return {
        name: _entry.check_budget(name, value)
        for name, value in (("max_nodes", max_nodes), ("seconds", seconds))
    }


class Floors(NamedTuple):
    """Lower bounds on the entropy by linear programs, nats; a flat batch.

    Attributes:
      chord: from the chords.
      envelopes: Slicing variable (its axis in the joint) to what its envelope
        gives.
    """

    chord: np.ndarray
    envelopes: dict[int, np.ndarray]

    @property
    def largest(self) -> np.ndarray:
        """The best of them."""
        return np.max([self.chord, *self.envelopes.values()], axis=0)


class Search(NamedTuple):
    """Floors and the joints found on the way; a flat batch.

    Attributes:
      floors: see `Floors`.
      joint: the joint of least entropy that was found.
      entropy: its entropy, nats.
    """

    floors: Floors
    joint: np.ndarray
    entropy: np.ndarray


def search(m: Marginals, *, descend: bool = True) -> Search:
    """Computes the floors; searches locally for small entropy.

    Without `descend` the joint is that of the greatest entropy.
    """
    floors, starts = m.once(_solve_floors)
    if _is_segment(m):
        first, second, entropy1, entropy2 = _engine.run(
            _segment_ends, *m.arrays, options=m.options
        )
        second_best = entropy2 < entropy1
        joint = np.where(second_best[:, None, None, None], second, first)
        return Search(floors, joint, np.minimum(entropy1, entropy2))
    if not descend:
        return Search(floors, m.maxent.joint, m.maxent.bound * _LOG2)
    joint, entropy = _descend(m.maxent.joint, m)
    for start in starts:
        other, value = _descend(start, m)
        better = value < entropy
        joint = np.where(better[:, None, None, None], other, joint)
        entropy = np.where(better, value, entropy)
    return Search(floors, joint, entropy)


def achieved_of(m: Marginals, entropy: np.ndarray) -> np.ndarray:
    """Synergy of joints with this entropy (nats), rounded down, at least 0."""
    return np.maximum(m.entropy - entropy / _LOG2 - m.t_high - m.margin, 0)


def exact_of(
    m: Marginals, found: Search, *, max_nodes: float, seconds: float
) -> Exact:
    """`exact` of a checked batch."""
    tol = m.options.tolerance(_TOL)
    size = len(m.margin)
    if _is_segment(m):
        return Exact(
            _bits(m, found.entropy),
            achieved_of(m, found.entropy),
            found.joint,
            np.zeros(size, int),
        )
    floor = found.floors.largest
    joint, entropy = found.joint.copy(), found.entropy.copy()
    nodes = np.zeros(size, int)
    envelopes = found.floors.envelopes
    best_axis = _axis_of_largest(envelopes)
    is_open = entropy - floor > tol * _LOG2
    for axis in envelopes:
        which = np.flatnonzero(is_open & (best_axis == axis))
        if not which.size:
            continue
        p12, p1y, p2y = _views(m.arrays, axis)
        least = _branch.minimize(
            p12[which],
            p1y[which],
            p2y[which],
            np.moveaxis(joint[which], axis + 1, -1),
            tol=tol * _LOG2,
            max_nodes=max_nodes,
            seconds=seconds,
            options=m.options,
        )
        floor[which] = np.maximum(floor[which], least.bound)
        joint[which] = np.moveaxis(least.joint, -1, axis + 1)
        entropy[which] = least.value
        nodes[which] = least.nodes
    return Exact(_bits(m, floor), achieved_of(m, entropy), joint, nodes)


def _axis_of_largest(envelopes: dict[int, np.ndarray]) -> np.ndarray:
    """The slicing variable of the largest floor, of each table."""
    if not envelopes:
        return np.zeros(0, int)
    axes = np.array(list(envelopes))
    return axes[np.argmax(np.stack(list(envelopes.values())), axis=0)]


def _bits(m: Marginals, floor: np.ndarray) -> np.ndarray:
    return m.entropy - floor / _LOG2 - m.t_low + m.margin


def _is_segment(m: Marginals) -> bool:
    return m.maxent.joint.shape[1:] == (2, 2, 2)


def _views(arrays: tuple[np.ndarray, ...], axis: int) -> tuple[np.ndarray, ...]:
    """The marginals of the joint whose variable `axis` was moved last."""
    p12, p1y, p2y = arrays
    turn = lambda p: np.swapaxes(p, -1, -2)
    return {
        0: (p2y, turn(p12), turn(p1y)),
        1: (p1y, p12, turn(p2y)),
        2: (p12, p1y, p2y),
    }[axis]


def _solve_floors(m: Marginals) -> tuple[Floors, list[np.ndarray]]:
    """Solves the linear programs; also the joints that attain the envelopes."""
    floors, joints = {}, []
    for axis, symbols in enumerate(m.maxent.joint.shape[1:]):
        if symbols > _slices.MOST_SYMBOLS:
            continue
        floor, joint = _run(m, _slices.envelope_bound, _views(m.arrays, axis))
        floors[axis] = floor
        joints.append(np.moveaxis(joint, -1, axis + 1))
    return Floors(m.once(_chord_floor), floors), joints


def _chord_floor(m: Marginals) -> np.ndarray:
    return _run(m, _slices.chord_bound, m.arrays)


def _descend(start: np.ndarray, m: Marginals) -> tuple[np.ndarray, np.ndarray]:
    return _run(m, _slices.descend, (start, *m.arrays))


def _run(
    m: Marginals, function: Callable[..., Any], arrays: tuple[np.ndarray, ...]
) -> Any:
    most = _CHUNK_CELLS // m.cells
    return _engine.run(function, *arrays, options=m.options, most=most)


def _majorization_floor(
    p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> jax.Array:
    return coupling.meet_entropy(p12.ravel(), p1y.sum(0))


def _released_floor(
    p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> jax.Array:
    return jnp.max(
        jnp.stack(
            [
                coupling.meet_entropy(p12.ravel(), p1y.sum(0)),
                coupling.meet_entropy(p1y.ravel(), p2y.sum(1)),
                coupling.meet_entropy(p2y.ravel(), p1y.sum(1)),
            ]
        )
    )


def _conditional_floor(
    p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> jax.Array:
    # H(Y) + sum_y p(y) H(p(x1|y) ^ p(x2|y)) is the sum over y of the
    # entropies of the meets of p(x1, y) and p(x2, y), not normalised.
    given = lambda a, b: jnp.sum(jax.vmap(coupling.meet_entropy)(a, b))
    return jnp.max(
        jnp.stack([given(p1y.T, p2y.T), given(p12, p1y), given(p12.T, p2y)])
    )


def _segment_ends(
    p12: jax.Array, p1y: jax.Array, p2y: jax.Array
) -> tuple[jax.Array, ...]:
    first, second = _slices.segment(p12, p1y, p2y)
    entropy = lambda r: jnp.sum(_slices.entr(r))
    return first, second, entropy(first), entropy(second)
