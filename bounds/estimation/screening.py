"""Many candidate modalities at once: which pairs interact, and how.

All pairs are decomposed as one batch, and so are their permutations. What is
permuted destroys what the quantity is about and nothing else, where that can
be:

  total        the labels: no modality tells of them
  redundancy   one modality against the rest, so that it tells of nothing
  synergy      one modality within samples of one value of the other

Redundancy and synergy need both modalities, so each is permuted in turn and the
larger p-value counts: a pair of a telling modality and a mute one has neither
(the test of a union of hypotheses, Berger 1982). Unique information has no such
reference: what takes it from a pair takes the synergy, too. The share of false
discoveries among the pairs is controlled, see `bounds.estimation.discovery`.

Permutations end for a pair when enough of its tables have reached the value
(Besag and Clifford 1991), or when it is a discovery at half the level, which is
looked at whenever their number has doubled (after Sandve, Ferkingstad and
Nygard, "Sequential Monte Carlo multiple testing", 2011; half, for it is looked
at more than once). So most of the work is for pairs in doubt.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from bounds import inputs
from bounds.decomposition import pid, stack_tables
from bounds.errors import InputError
from bounds.estimation import discovery
from bounds.estimation._redraw import random_tables
from bounds.estimation.samples import count

QUANTITIES = ("redundancy", "synergy", "total")
_UNIQUE = ("unique1", "unique2")
# Certified error of the solver, and what counts as reached.
_TOLERANCE = 1e-6
# Reached so often, a pair is no discovery, and its p-value is known enough.
_REACHED = 10
# Permutations of every pair that is left, in one batch.
_BLOCK = 50
# Permutations before the first look for discoveries, and the share of the level
# at which they have to be some.
_FIRST_LOOK, _MARGIN = 100, 0.5
# Which modality is permuted, 0 or 1, and whether within values of the other; -1
# permutes the label.
_NULLS: dict[str, tuple[tuple[int, bool], ...]] = {
    "redundancy": ((0, False), (1, False)),
    "synergy": ((0, True), (1, True)),
    "total": ((-1, False),),
}


class Screening(NamedTuple):
    """What a screening of all pairs found; `pairs` is M (M - 1) / 2.

    Attributes:
      names: of the modalities, `[M]`.
      quantity: what was tested.
      first: position of the first modality of each pair, `[pairs]`.
      second: of the second.
      plug_in: the quantity of the counts, bits, `[pairs]`.
      null: mean of the quantity where it is permuted away, `[pairs]`: what
        sampling alone gives it.
      value: plug_in less null, not below 0.
      p_value: `[pairs]`.
      adjusted: p-values adjusted for their number, `[pairs]`.
      permutations: that were drawn for each pair, `[pairs]`.
      level: the share of false discoveries that is allowed.
      method: "by" or "bh", see `discovery.adjusted`.
    """

    names: tuple[str, ...]
    quantity: str
    first: np.ndarray
    second: np.ndarray
    plug_in: np.ndarray
    null: np.ndarray
    value: np.ndarray
    p_value: np.ndarray
    adjusted: np.ndarray
    permutations: np.ndarray
    level: float
    method: str

    @property
    def found(self) -> np.ndarray:
        """Whether each pair is a discovery, `[pairs]`."""
        return self.adjusted <= self.level

    def square(self, values: np.ndarray) -> np.ndarray:
        """Numbers of the pairs as a map `[M, M]`, NaN on the diagonal.

        Args:
          values: `[pairs]`.
        """
        number = len(self.names)
        out = np.full((number, number), np.nan)
        out[self.first, self.second] = out[self.second, self.first] = values
        return out


def screen(
    symbols: Mapping[str, Any],
    label: Any,
    *,
    quantity: str = "synergy",
    level: float = 0.05,
    method: str = "by",
    permutations: int = 0,
    seed: int = 0,
    progress: bool = False,
) -> Screening:
    """Tests every pair of modalities for an interaction about the label.

    Args:
      symbols: by name, vectors `[n]` of integers from 0 on, one per candidate
        modality, such as `discretize` makes; two or more.
      label: classes, `[n]`. Samples must be independent of each other: of
        recordings, take one window each.
      quantity: one of `QUANTITIES`.
      level: the share of false discoveries that is allowed.
      method: "by" with any dependence between the pairs, which share
        modalities; "bh" finds more and is proven for positive dependence.
      permutations: the most that are drawn of a pair; by default as many as the
        best pair needs to be found by itself, whatever the others are.
      seed: of the permutations.
      progress: whether to show a progress bar.

    Returns:
      The screening.

    Raises:
      InputError: Fewer than two modalities; vectors that are no symbols, or not
        of one length; a modality or label with one value; options out of range.
    """
    check_quantity("quantity", quantity)
    inputs.choice("method", method, discovery.METHODS)
    level = inputs.real("level", level, above=0, below=1)
    permutations = inputs.integer("permutations", permutations)
    rng = np.random.default_rng(inputs.seed("seed", seed))
    if not isinstance(symbols, Mapping):
        raise InputError(
            f"symbols must map names to vectors, got {inputs.shown(symbols)}"
        )
    names = tuple(map(str, symbols))
    if len(names) < 2:
        raise InputError(
            f"symbols must be of two modalities or more, got {len(names)}"
        )
    codes = {name: _codes(name, symbols[name]) for name in symbols}
    classes = _codes("label", label)
    first, second = np.triu_indices(len(names), 1)
    each = [
        count(
            [codes[a], codes[b], classes],
            [int(x.max()) + 1 for x in (codes[a], codes[b], classes)],
            names=[str(a), str(b), "label"],
        ).counts
        for a, b in itertools.combinations(symbols, 2)
    ]
    tables = stack_tables(each).astype(np.int64)
    plug_in = _solved(tables, quantity)
    number = len(tables)
    if not permutations:
        # The least p-value is 1 / (permutations + 1).
        penalty = np.sum(1 / np.arange(1, number + 1)) if method == "by" else 1
        permutations = math.ceil(number * penalty / level)
    nulls = _NULLS[quantity]
    p_value, drawn = np.zeros(number), np.zeros(number, np.int64)
    mean = np.zeros(number)
    with tqdm(
        total=number * len(nulls), disable=not progress, unit="pair"
    ) as bar:
        for which, within in nulls:
            one = _tested(
                tables, plug_in, quantity, which, within, permutations,
                lambda p: discovery.adjusted(p, method) <= _MARGIN * level,
                rng, bar,
            )  # fmt: skip
            p_value = np.maximum(p_value, one.p_value)
            mean = np.maximum(mean, one.mean)
            drawn += one.drawn
    return Screening(
        names=names,
        quantity=quantity,
        first=first,
        second=second,
        plug_in=plug_in,
        null=mean,
        value=np.maximum(plug_in - mean, 0),
        p_value=p_value,
        adjusted=discovery.adjusted(p_value, method),
        permutations=drawn,
        level=level,
        method=method,
    )


def check_quantity(name: str, quantity: Any) -> None:
    """Raises InputError for what is none of `QUANTITIES`."""
    if isinstance(quantity, str) and quantity in _UNIQUE:
        raise InputError(
            f"{name} must not be '{quantity}': permutations that leave no "
            "unique information leave no synergy, and would find the one where "
            f"there is the other; screen {', '.join(QUANTITIES)}"
        )
    inputs.choice(name, quantity, QUANTITIES)


class _Tested(NamedTuple):
    """p-values, means under the null and numbers of draws, `[pairs]`."""

    p_value: np.ndarray
    mean: np.ndarray
    drawn: np.ndarray


def _tested(
    tables: np.ndarray,
    plug_in: np.ndarray,
    quantity: str,
    which: int,
    within: bool,
    permutations: int,
    are_found: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    bar: tqdm,
) -> _Tested:
    number = len(tables)
    reached, drawn = np.zeros(number, np.int64), np.zeros(number, np.int64)
    total = np.zeros(number)
    alive = np.arange(number)
    look = _FIRST_LOOK
    while len(alive):
        many = min(_BLOCK, permutations - int(drawn[alive[0]]))
        stack = np.concatenate(
            [_permuted(tables[i], which, within, many, rng) for i in alive]
        )
        values = _solved(stack, quantity).reshape(len(alive), many)
        hits = values >= plug_in[alive, None] - _TOLERANCE
        so_far = reached[alive, None] + hits.cumsum(1)
        # The draw at which enough have reached it, if there is one, is last.
        over = so_far >= _REACHED
        ended = over.any(1)
        used = np.where(ended, over.argmax(1) + 1, many)
        kept = np.arange(many) < used[:, None]
        reached[alive] += (hits & kept).sum(1)
        drawn[alive] += used
        total[alive] += np.where(kept, values, 0).sum(1)
        ended |= drawn[alive] >= permutations
        bar.update(int(ended.sum()))
        alive = alive[~ended]
        if len(alive) and drawn[alive[0]] >= look:
            look *= 2
            done = are_found(_p_values(reached, drawn))[alive]
            bar.update(int(done.sum()))
            alive = alive[~done]
    return _Tested(_p_values(reached, drawn), total / drawn, drawn)


def _p_values(reached: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Hits by draws of those that ended by hits; else one more of both."""
    return np.where(
        reached >= _REACHED, reached / drawn, (reached + 1) / (drawn + 1)
    )


def _permuted(
    table: np.ndarray,
    which: int,
    within: bool,
    many: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws tables in which one variable is permuted against the other two.

    Args:
      table: counts of (x1, x2, y).
      which: the variable, 0 or 1, or -1 for the label.
      within: whether it is permuted within values of the other modality, so
        that their joint table stays.
      many: number of tables.
      rng: source of randomness.

    Returns:
      `[many, x1, x2, y]`.
    """
    moved = np.moveaxis(table, which, 0)
    if not within:
        flat = moved.reshape(len(moved), -1)
        drawn = random_tables(flat, many, rng).reshape(many, *moved.shape)
    else:
        # Axes now (x_which, x_other, y): one table for each x_other.
        drawn = np.stack(
            [
                random_tables(moved[:, other], many, rng)
                for other in range(moved.shape[1])
            ],
            axis=2,
        )
    return np.moveaxis(drawn, 1, which if which < 0 else which + 1)


def _solved(tables: np.ndarray, quantity: str) -> np.ndarray:
    found = pid(tables, normalize=True, tol=_TOLERANCE)
    return getattr(found, quantity)


def _codes(name: Any, values: Any) -> np.ndarray:
    x = inputs.integers(str(name), values)
    if len(x) and x.min() == x.max():
        raise InputError(f"'{name}' has one value: there is nothing to tell")
    return x
