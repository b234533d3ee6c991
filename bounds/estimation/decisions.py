"""What to do, from interactions with error bars; never more than those say.

A quantity is large if its interval is above a margin, small if its interval is
below, and open otherwise. A recommendation needs every quantity that it rests
on to be large or small; if one is open, what is recommended is to measure it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bounds import inputs
from bounds.errors import InputError
from bounds.estimation.evidence import SAMPLES_PER_CELL
from bounds.estimation.interactions import Interactions, Range

# Information in bits below which a quantity does not matter.
MARGIN = 0.05
# Beyond this many times the present samples, a number is no plan.
_MOST_TIMES = 1000

FAMILIES = {
    "none": "neither modality, nor both, tells enough: look for another one",
    "one": "one modality alone",
    "agreement": "redundancy-based agreement (co-training, or either alone)",
    "additive": "additive or late fusion",
    "interaction": "interactions: multiplicative or attention-based fusion",
}


class Recommendation(NamedTuple):
    """A family of models, or what to measure before there can be one.

    Attributes:
      family: a key of `FAMILIES`; empty if the samples do not decide.
      modality: the one to keep, of family "one"; otherwise empty.
      text: the recommendation in words.
      reasons: the numbers that led to it.
      measure: what to measure next; empty if nothing.
    """

    family: str
    modality: str
    text: str
    reasons: tuple[str, ...]
    measure: str


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


def recommend(
    found: Interactions,
    names: tuple[str, str],
    *,
    margin: float = MARGIN,
) -> Recommendation:
    """Recommends a family of models for two modalities.

    Args:
      found: What is known.
      names: Names of the two modalities.
      margin: Bits below which a quantity does not matter.

    Raises:
      InputError: No interactions; not two names; a margin that is not
        positive.
    """
    _check_interactions("found", found)
    margin = inputs.real("margin", margin, above=0)
    if isinstance(names, str) or len(names) != 2:
        raise InputError(f"names must be two names, got {len(names)}")
    one, two = names
    words = {
        "redundancy": "redundancy R",
        "unique1": f"U1, unique to {one}",
        "unique2": f"U2, unique to {two}",
        "synergy": "synergy S",
    }
    ranges = {
        key: (e.lower, e.upper)
        for key, e in found.estimates.items()
        if key in words
    }
    ranges["synergy"] = found.synergy
    size = {k: _size(r, margin) for k, r in ranges.items()}
    unknown = [k for k in words if size[k] == "unknown"]
    reasons = tuple(
        f"{words[k]}: " + _describe(ranges[k], size[k], margin) for k in words
    )

    def decided(family: str, modality: str = "") -> Recommendation:
        text = FAMILIES[family] + (f": {modality}" if modality else "")
        return Recommendation(family, modality, text, reasons, "")

    def is_all(value: str, *keys: str) -> bool:
        return all(size[k] == value for k in keys)

    if size["synergy"] == "large":
        return decided("interaction")
    if is_all("small", "synergy", "unique1", "unique2"):
        if size["redundancy"] == "large":
            return decided("agreement")
        if size["redundancy"] == "small":
            return decided("none")
    if is_all("small", "synergy", "unique2") and size["unique1"] == "large":
        return decided("one", one)
    if is_all("small", "synergy", "unique1") and size["unique2"] == "large":
        return decided("one", two)
    if is_all("large", "unique1", "unique2") and size["synergy"] == "small":
        return decided("additive")
    if unknown:
        measure = _too_few(found, unknown, words)
    else:
        measure = _narrow(found, ranges, size, margin, words)
    return Recommendation(
        "",
        "",
        "undecided: the samples do not support a choice",
        reasons,
        measure,
    )


def unless_contradicted(
    advice: Recommendation, others: Mapping[str, Recommendation]
) -> Recommendation:
    """Withdraws a recommendation that another discretisation contradicts.

    Args:
      advice: The recommendation.
      others: Recommendations by name of another discretisation; one that is
        undecided contradicts nothing.
    """
    against = [
        f"{name}: {other.text}"
        for name, other in others.items()
        if other.family
        and (other.family, other.modality) != (advice.family, advice.modality)
    ]
    if not advice.family or not against:
        return advice
    return Recommendation(
        "",
        "",
        f"undecided: {advice.text}, but not with other symbols",
        (*advice.reasons, *against),
        "more samples, so that more symbols can be told apart, or better "
        "unimodal classifiers",
    )


def unless_additive_does(
    advice: Recommendation, additive: Range, interacting: Range
) -> Recommendation:
    """Withdraws interactions that trained models do not bear out.

    Synergy is what both modalities say beyond what each does. Some of it needs
    no interaction: the mean of two noisy measurements tells more than either.

    Args:
      advice: The recommendation.
      additive: Confidence interval of the held-out accuracy of a model that is
        additive in the features of both modalities.
      interacting: Likewise of a model with interactions.
    """
    if advice.family != "interaction" or interacting.lower > additive.upper:
        return advice
    reason = (
        f"trained models: {interacting.lower:.1%} to {interacting.upper:.1%} "
        f"accurate with interactions, {additive.lower:.1%} to "
        f"{additive.upper:.1%} without"
    )
    return Recommendation(
        "",
        "",
        f"undecided: {advice.text}, but an additive model does as well",
        (*advice.reasons, reason),
        "a stronger model with interactions, on more labelled pairs",
    )


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
    gains = []
    for name, found in candidates.items():
        _check_interactions(f"candidates[{name!r}]", found)
        singles = [found.accuracy1] + ([] if over_first else [found.accuracy2])
        certain = found.accuracy.lower - max(s.upper for s in singles)
        possible = found.accuracy.upper - max(s.lower for s in singles)
        gains.append(
            Gain(name, max(0.0, certain), max(0.0, possible),
                 _labels(found), affordable=False)
        )  # fmt: skip
    gains.sort(key=lambda g: (-g.certain, -g.possible, g.labels, g.name))
    out = []
    for gain in gains:
        affordable = gain.labels <= budget and gain.possible > 0
        budget -= gain.labels * affordable
        out.append(gain._replace(affordable=affordable))
    return out


def _labels(found: Interactions) -> int:
    if "synergy" in found.estimates:
        return found.estimates["synergy"].needed
    noise = found.size / found.effective
    return math.ceil(SAMPLES_PER_CELL * found.cells * noise)


def _check_interactions(name: str, found: Interactions) -> None:
    if not isinstance(found, Interactions):
        raise InputError(
            f"{name} must be what quantify returns, got {type(found).__name__}"
        )


def _size(interval: Sequence[float], margin: float) -> str:
    lower, upper = interval
    if math.isnan(lower) or math.isnan(upper):
        return "unknown"
    if lower > margin:
        return "large"
    return "small" if upper < margin else "open"


def _describe(interval: Sequence[float], size: str, margin: float) -> str:
    if size == "unknown":
        return "too few samples to say"
    between = f"between {interval[0]:z.3f} and {interval[1]:z.3f} bits"
    return (
        between
        + {
            "large": f", above the margin of {margin:g}",
            "small": f", below the margin of {margin:g}",
            "open": f", on both sides of the margin of {margin:g}",
        }[size]
    )


def _too_few(
    found: Interactions, unknown: Sequence[str], words: Mapping[str, str]
) -> str:
    if unknown == ["synergy"]:
        return (
            f"label about {_labels(found):,} pairs ({found.size:,} are there) "
            "or use fewer symbols: the synergy is unknown"
        )
    needed = (
        max(e.needed for k, e in found.estimates.items() if k in unknown)
        if set(unknown) & set(found.estimates)
        else _labels(found)
    )
    return (
        f"too few samples for {', '.join(words[k] for k in unknown)}: about "
        f"{needed:,} labelled samples of each modality are needed "
        f"({found.size:,} are there), or fewer symbols"
    )


def _narrow(
    found: Interactions,
    ranges: Mapping[str, Sequence[float]],
    size: Mapping[str, str],
    margin: float,
    words: Mapping[str, str],
) -> str:
    still = [k for k in words if size[k] == "open"]
    estimate = found.estimates.get("synergy")
    if "synergy" in still and (estimate is None or not estimate.enough):
        return (
            "the pairwise marginals allow a synergy between "
            f"{found.synergy.lower:z.3f} and {found.synergy.upper:z.3f} bits: "
            f"label about {_labels(found):,} pairs to know it"
        )
    if not still:
        return "one more modality, or a smaller margin"
    parts = []
    for key in still:
        lower, upper = ranges[key]
        value = found.estimates[key].value
        distance = abs(value - margin)
        half = value - lower if value > margin else upper - value
        times = (half / distance) ** 2 if distance > 0 else math.inf
        if times > _MOST_TIMES:
            parts.append(f"{words[key]} is at the margin")
        else:
            many = math.ceil(times * found.size)
            parts.append(f"{words[key]} needs about {many:,} samples")
    return (
        "; ".join(parts)
        + f" ({found.size:,} are there), if the values stay where they are"
    )
