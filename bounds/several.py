"""More than two modalities: sides of a pair, and what is given besides.

Any two groups of modalities are the sides of a pair: their symbols are the
products of those in the group, and `bounds.pid` decomposes I(X_A, X_B; Y).

The decomposition of a pair given a third, X_C, is that of the pair among the
samples that share x_c, averaged over x_c:

  T_min = min I_q(X_A,X_B;Y|X_C) over q with p's marginals of (x_a, x_c, y) and
          (x_b, x_c, y)
  redundancy = I(X_A;Y|X_C) + I(X_B;Y|X_C) - T_min
  unique of A = T_min - I(X_B;Y|X_C)      synergy = I(X_A,X_B;Y|X_C) - T_min

which is the definition of Bertschinger et al. (2014) with x_c added to every
condition. The marginals fix p(x_c, y), so the minimum is one minimum for each
x_c, and the terms add up to I(X_A,X_B;Y|X_C) = I(X_A,X_B,X_C;Y) - I(X_C;Y),
those of one side to I(X_A;Y|X_C). Given something the terms may grow as well as
shrink: of y = x_a ^ x_c, all that x_a knows is unique given x_c.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bounds import _entry, inputs
from bounds._wording import shown
from bounds.decomposition import PID, pid, stack_tables
from bounds.errors import InputError

# Fields of `PID` that are means over what is given.
_MEANS = ("redundancy", "unique1", "unique2", "synergy", "total", "gap")


class Split(NamedTuple):
    """Which modalities are the sides of a pair, by their axes.

    Attributes:
      first: the first side.
      second: the second side.
      given: what is given; empty if nothing is.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    given: tuple[int, ...] = ()


def splits(
    modalities: int, *, rest: bool = True, given: bool = True
) -> list[Split]:
    """Every pair; each against all others; and every pair given each other one.

    Args:
      modalities: Their number, from 2 on.
      rest: whether each is set against all others together.
      given: whether pairs are decomposed given a third.

    Returns:
      The splits, pairs first; of two modalities their pair alone.

    Raises:
      InputError: Fewer than two modalities.
    """
    number = inputs.integer("modalities", modalities, 2)
    pairs = list(itertools.combinations(range(number), 2))
    found = [Split((a,), (b,)) for a, b in pairs]
    if number == 2:
        return found
    if rest:
        everyone = range(number)
        found += [
            Split((a,), tuple(b for b in everyone if b != a)) for a in everyone
        ]
    if given:
        found += [
            Split((a,), (b,), (c,))
            for a, b in pairs
            for c in range(number)
            if c not in (a, b)
        ]
    return found


def table_of(
    p: Any, split: Split, *, modalities: int | None = None
) -> np.ndarray:
    """The table of the sides of a split.

    Args:
      p: joint tables or counts, `[..., x1, ..., xm, y]`.
      split: the sides, by modalities 0 to m - 1.
      modalities: their number m; by default all axes but the last are theirs.

    Returns:
      `[..., given, first, second, y]`, what is in no side summed away; if
      nothing is given, that axis has length 1. The last modality of a side runs
      fastest.

    Raises:
      InputError: No numbers; no split; a side without a modality; a modality
        in two places, or that the table does not have.
    """
    p = inputs.finite("p", p)
    number = _number(p, modalities)
    split = _checked(split, number)
    label, lead = p.ndim - 1, p.ndim - 1 - number
    given, first, second = (
        [lead + a for a in side]
        for side in (split.given, split.first, split.second)
    )
    order = [*range(lead), *given, *first, *second, label]
    kept = sorted(order)
    others = tuple(a for a in range(p.ndim) if a not in order)
    moved = p.sum(others).transpose([kept.index(a) for a in order])
    sizes = [
        math.prod(p.shape[a] for a in side)
        for side in (given, first, second, [label])
    ]
    return moved.reshape(*p.shape[:lead], *sizes)


def pid_of(
    p: Any,
    split: Split,
    *,
    modalities: int | None = None,
    normalize: bool = False,
    **options: Any,
) -> PID:
    """Decomposes what the sides of a split say, given what is given.

    Args:
      p: joint tables `[..., x1, ..., xm, y]`, each of sum 1.
      split: the sides, by modalities 0 to m - 1.
      modalities: their number m; by default all axes but the last are theirs.
      normalize: accept tables of any positive sum, such as counts.
      **options: of `bounds.pid`.

    Returns:
      The decomposition of I(first, second; Y | given). `gap` is the mean of
      those of its parts, too; `status` and `steps` are the largest.

    Raises:
      InputError: as `table_of` and `bounds.pid`.
    """
    normalize = inputs.boolean("normalize", normalize)
    p = inputs.finite("p", p)
    rank = _number(p, modalities) + 1
    p = _entry.check_distribution("p", p, rank, normalize=normalize)
    table = table_of(p, split, modalities=rank - 1)
    mass = table.sum((-3, -2, -1))
    there = mass > 0
    found = _spread(pid(table[there], normalize=True, **options), there)
    return mean(found, mass)


def pids_of(
    p: Any,
    chosen: Iterable[Split] | None = None,
    *,
    normalize: bool = False,
    **options: Any,
) -> dict[Split, PID]:
    """`pid_of` several splits of one table, solved as one batch.

    Args:
      p: joint table `[x1, ..., xm, y]`.
      chosen: the splits; by default all of `splits`.
      normalize: as in `pid_of`.
      **options: of `bounds.pid`.

    Returns:
      The decompositions.

    Raises:
      InputError: as `pid_of`; no splits.
    """
    normalize = inputs.boolean("normalize", normalize)
    p = inputs.finite("p", p)
    number = _number(p, None)
    p = _entry.check_distribution("p", p, p.ndim, normalize=normalize)
    if chosen is None:
        chosen = splits(number)
    chosen = [
        _checked(split, number) for split in inputs.listed("chosen", chosen)
    ]
    if not chosen:
        raise InputError("chosen is empty")
    tables = [table_of(p, split) for split in chosen]
    mass = [table.sum((-3, -2, -1)) for table in tables]
    parts = [x[m > 0] for x, m in zip(tables, mass, strict=True)]
    solved = pid(
        stack_tables(list(itertools.chain(*parts))), normalize=True, **options
    )
    found, start = {}, 0
    for split, part, m in zip(chosen, parts, mass, strict=True):
        rows = slice(start, start + len(part))
        start = rows.stop
        found[split] = mean(PID(*(x[rows] for x in solved)), m[m > 0])
    return found


def mean(parts: PID, weights: np.ndarray) -> PID:
    """The mean of decompositions over what is given, along the last axis.

    Args:
      parts: fields `[..., given]`.
      weights: p(given), `[..., given]`.

    Returns:
      The decomposition given it, fields `[...]`.
    """
    return PID(
        **{n: np.sum(weights * getattr(parts, n), -1) for n in _MEANS},
        status=np.max(parts.status, -1),
        steps=np.max(parts.steps, -1),
    )


def named(split: Split, names: Sequence[str]) -> str:
    """Returns "a & b + c | d": a against b and c together, given d."""
    first, second, given = (
        " + ".join(names[i] for i in side) for side in split
    )
    return f"{first} & {second}" + (f" | {given}" if given else "")


def by_name(found: Mapping[Split, Any], names: Sequence[str]) -> dict[str, Any]:
    """Returns results of splits under their names.

    Args:
      found: results of one or more splits.
      names: of the modalities, all different.

    Raises:
      InputError: Fewer names than modalities; a name of two.
    """
    used = {i for split in found for side in split for i in side}
    number = 1 + max(used, default=-1)
    if len(names) < number or len(set(names)) < len(names):
        raise InputError(
            f"names must be different, one for each of {number} modalities or "
            f"more, got {', '.join(map(str, names))}"
        )
    return {named(split, names): one for split, one in found.items()}


def _number(p: np.ndarray, modalities: int | None) -> int:
    """Number of modalities of a table or a batch of them."""
    if modalities is None:
        modalities = p.ndim - 1
    number = inputs.integer("modalities", modalities, 0)
    if number < 2 or p.ndim < number + 1:
        raise InputError(
            "p must have an axis of every modality, of two or more, and one of "
            f"the label, got shape {p.shape}"
        )
    return number


def _spread(found: PID, there: np.ndarray) -> PID:
    """Puts results where there are tables, 0 elsewhere."""

    def put(x: np.ndarray) -> np.ndarray:
        out = np.zeros(there.shape, x.dtype)
        out[there] = x
        return out

    return PID(*map(put, found))


def _checked(split: Split, modalities: int) -> Split:
    try:
        given = Split(*map(tuple, split))
    except TypeError as error:
        raise InputError(
            "a split must be (first, second) or (first, second, given), each "
            f"a sequence of modalities, got {shown(split)}"
        ) from error
    sides = []
    seen: set[int] = set()
    for name, side in zip(Split._fields, given, strict=True):
        axes = tuple(
            inputs.integer(f"{name}[{i}]", axis, 0)
            for i, axis in enumerate(side)
        )
        for axis in axes:
            if axis >= modalities:
                raise InputError(
                    f"{name} has modality {axis}; there are 0 to "
                    f"{modalities - 1}"
                )
            if axis in seen:
                raise InputError(
                    f"{name} has modality {axis}, which is in two places"
                )
            seen.add(axis)
        if not axes and name != "given":
            raise InputError(f"{name} has no modality")
        sides.append(axes)
    return Split(*sides)
