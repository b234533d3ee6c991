"""Which pair to label first, from what each is certain, and may be, to gain."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation.evidence import SAMPLES_PER_CELL
from bounds.estimation.interactions import Interactions


class Gain(NamedTuple):
    """What a candidate pair promises over the best of its single modalities.

    Attributes:
      name: Name of the candidate.
      certain: accuracy that is gained at least.
      possible: accuracy that may be gained at most.
      labels: labelled pairs that settle its synergy.
      affordable: whether the budget, spent in this order, reaches.
    """

    name: str
    certain: float
    possible: float
    labels: int
    affordable: bool


def rank(
    candidates: Mapping[str, Interactions],
    *,
    budget: int,
    over_first: bool = False,
) -> list[Gain]:
    """Ranks pairs by the gain in accuracy that is certain, then possible.

    Args:
      candidates: Interactions by name of the pair, or of the extra modality.
      budget: Number of labelled pairs that can be paid for.
      over_first: Whether gains are counted over the first modality, which is
        there already, not over the better one: for extra modalities, put
        second.

    Raises:
      InputError: No interactions; a budget that is negative or no integer.
    """
    budget = inputs.integer("budget", budget)
    if not isinstance(candidates, Mapping):
        raise InputError(
            "candidates must map names to what quantify returns, got "
            f"{type(candidates).__name__}"
        )
    gains = []
    for name, found in candidates.items():
        check_interactions(f"candidates[{name!r}]", found)
        singles = [found.accuracy1] + ([] if over_first else [found.accuracy2])
        certain = found.accuracy.lower - max(s.upper for s in singles)
        possible = found.accuracy.upper - max(s.lower for s in singles)
        gains.append(
            Gain(name, max(0.0, certain), max(0.0, possible),
                 labels_needed(found), affordable=False)
        )  # fmt: skip
    gains.sort(key=lambda g: (-g.certain, -g.possible, g.labels, g.name))
    out = []
    for gain in gains:
        affordable = gain.labels <= budget and gain.possible > 0
        budget -= gain.labels * affordable
        out.append(gain._replace(affordable=affordable))
    return out


def labels_needed(found: Interactions) -> int:
    """Labelled pairs that settle the synergy."""
    if "synergy" in found.estimates:
        return found.estimates["synergy"].needed
    noise = found.size / found.effective
    return math.ceil(SAMPLES_PER_CELL * found.cells * noise)


def check_interactions(name: str, found: Interactions) -> None:
    """Raises InputError unless these are what `quantify` returns."""
    if not isinstance(found, Interactions):
        raise InputError(
            f"{name} must be what quantify returns, got {type(found).__name__}"
        )
