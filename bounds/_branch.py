"""Branch and bound for the smallest entropy of a joint with given marginals.

A node is a box of joints; its bound is the minimum of the envelope there, and
its children halve the range of the cell where the envelope is furthest below
the entropy. The boxes of many tables are bounded in one batch. Nothing here
has to converge: the least bound of the boxes that are left is proven.
"""

import dataclasses
import heapq
import itertools
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bounds import _engine, _linear, _slices
from bounds.options import Options

# Boxes bounded in one round, boxes of one call (calls share the cores), and
# tables that share the rounds.
_ROUND = 256
_BATCH = 64
_GROUP = 64
# Tolerance of a node's linear program, in nats, and its step limit.
_NODE_TOL = 1e-6
_NODE_STEPS = 25
# Every so many rounds the local search starts from the new boxes.
_SEARCH_EVERY = 4
# A cell's range that is not worth splitting.
_NARROW = 1e-9


class Minimum(NamedTuple):
    """Smallest entropy of each table, in nats.

    Attributes:
      bound: proven lower bound.
      value: smallest entropy that was found.
      joint: the joint that has it.
      nodes: number of boxes that were bounded.
    """

    bound: np.ndarray
    value: np.ndarray
    joint: np.ndarray
    nodes: np.ndarray


class _Box(NamedTuple):
    """A bounded box; compares by its bound, then by its age."""

    bound: float
    age: int
    cell: int
    at: float
    lower: np.ndarray
    upper: np.ndarray


def minimize(
    p12: np.ndarray,
    p1y: np.ndarray,
    p2y: np.ndarray,
    start: np.ndarray,
    *,
    tol: float,
    max_nodes: float,
    seconds: float,
    options: Options,
) -> Minimum:
    """Branches until the gap is below `tol` or the budget is spent.

    Args:
      p12: `[batch, x1, x2]`.
      p1y: `[batch, x1, y]`, with at most `_slices.MOST_SYMBOLS` symbols y.
      p2y: `[batch, x2, y]`.
      start: `[batch, x1, x2, y]`, joints where the local search starts.
      tol: gap in nats at which a table is done.
      max_nodes: Budget of one table.
      seconds: Budget of a table on average.
      options: of the call; its tolerance is `tol`.
    """
    # Rounds are many and short.
    options = dataclasses.replace(options, progress=False)
    parts = [
        _minimize_group(
            [a[at : at + _GROUP] for a in (p12, p1y, p2y)],
            start[at : at + _GROUP],
            tol=tol,
            max_nodes=max_nodes,
            seconds=seconds * len(p12[at : at + _GROUP]),
            options=options,
        )
        for at in range(0, len(p12), _GROUP)
    ]
    return jax.tree.map(lambda *xs: np.concatenate(xs), *parts)


def _minimize_group(
    tables: list[np.ndarray],
    start: np.ndarray,
    *,
    tol: float,
    max_nodes: float,
    seconds: float,
    options: Options,
) -> Minimum:
    evaluate = partial(_evaluate, options)
    search = partial(evaluate, _slices.descend)
    size = len(start)
    age = itertools.count()
    joint, value = (np.array(x) for x in search(start, *tables))
    # Least bound of the boxes that need no further splitting.
    settled = np.full(size, np.inf)
    nodes = np.zeros(size, int)
    heaps: list[list[_Box]] = [[] for _ in range(size)]

    def examine(
        which: list[int],
        lower: np.ndarray,
        upper: np.ndarray,
        inherited: list[float],
        descend: bool,
    ) -> None:
        arrays = [t[which] for t in tables]
        out = evaluate(_bound_box, lower, upper, *arrays, value[which] - tol)
        bound, cell, at, lower, upper, relaxed = out
        if descend:
            found, entropy = search(relaxed, *arrays)
            for k, table in enumerate(which):
                if entropy[k] < value[table]:
                    value[table], joint[table] = entropy[k], found[k]
        np.add.at(nodes, which, 1)
        for k, table in enumerate(which):
            least = max(float(bound[k]), inherited[k])
            width = (upper[k] - lower[k]).flat[cell[k]]
            if least >= value[table] - tol or width < _NARROW:
                settled[table] = min(settled[table], least)
            else:
                heapq.heappush(
                    heaps[table],
                    _Box(least, next(age), int(cell[k]), float(at[k]),
                         lower[k], upper[k]),
                )  # fmt: skip

    everything = list(range(size))
    lower, upper = evaluate(_slices.widest, *tables)
    examine(everything, lower, upper, [-np.inf] * size, True)
    # From here on nothing is compiled.
    deadline = time.monotonic() + seconds
    for rounds in itertools.count(1):
        open_tables = [
            t for t in everything if heaps[t] and nodes[t] < max_nodes
        ]
        if not open_tables or time.monotonic() > deadline:
            break
        share = max(1, _ROUND // 2 // len(open_tables))
        which, boxes, inherited = [], [], []
        for t in open_tables:
            for _ in range(min(share, len(heaps[t]))):
                box = heapq.heappop(heaps[t])
                if box.bound >= value[t] - tol:
                    settled[t] = min(settled[t], box.bound)
                    continue
                below, above = box.upper.copy(), box.lower.copy()
                below.flat[box.cell] = above.flat[box.cell] = box.at
                which += [t, t]
                boxes += [(box.lower, below), (above, box.upper)]
                inherited += [box.bound, box.bound]
        if which:
            lower, upper = (np.stack(x) for x in zip(*boxes, strict=True))
            descend = rounds % _SEARCH_EVERY == 0
            examine(which, lower, upper, inherited, descend)
    left = [heap[0].bound if heap else np.inf for heap in heaps]
    return Minimum(np.minimum(settled, left), value, joint, nodes)


def _evaluate(
    options: Options, function: Callable[..., Any], *arrays: np.ndarray
) -> Any:
    """Calls `function` in batches of one size, so that it is compiled once."""
    size = len(arrays[0])
    rows = np.minimum(np.arange(max(size, _BATCH)), size - 1)
    out = _engine.run(
        function, *(a[rows] for a in arrays), options=options, most=_BATCH
    )
    return jax.tree.map(lambda x: x[:size], out)


def _bound_box(
    lower: jax.Array,
    upper: jax.Array,
    p12: jax.Array,
    p1y: jax.Array,
    p2y: jax.Array,
    target: jax.Array,
) -> tuple[jax.Array, ...]:
    """Bound of one box, the cell to split and where, the box tightened.

    The bound of a box without joints is what no entropy exceeds.
    """
    lower, upper = _slices.tighten(lower, upper, p12, p1y, p2y)
    lp = _slices.envelope_program(lower, upper, p12, p1y, p2y)
    solution = _linear.solve(
        lp, tol=_NODE_TOL, max_steps=_NODE_STEPS, target=target
    )
    middle = (lower + upper) / 2
    r = _slices.joint_of(lp, solution)
    r = jnp.where(jnp.isfinite(r), r, middle)
    mass = jnp.where(p12 > 0, p12, 1)[..., None]
    atoms = _slices.entr(lp.atoms * mass[..., None])
    envelope = jnp.sum((solution.weights / mass)[..., None] * atoms, 2)
    width = upper - lower
    missing = jnp.where(
        width > _NARROW, _slices.entr(jnp.maximum(r, 0)) - envelope, -1
    )
    cell = jnp.argmax(missing)
    at = 0.7 * r + 0.3 * middle
    at = jnp.clip(at, lower + 0.1 * width, upper - 0.1 * width)
    empty = jnp.any(lower > upper)
    largest = math.log(upper.size)
    bound = jnp.where(empty, largest, jnp.minimum(solution.bound, largest))
    return bound, cell, at.ravel()[cell], lower, upper, r
