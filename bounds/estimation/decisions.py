"""What to do, from interactions with error bars; never more than those say.

A quantity is large if its interval is above a margin, small if its interval is
below, and open otherwise. A recommendation needs every quantity that it rests
on to be large or small; if one is open, what is recommended is to measure it.
Which quantities those are is in `recommend`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bounds import inputs
from bounds._wording import shown
from bounds.errors import InputError
from bounds.estimation import _wanted
from bounds.estimation._wanted import PARTS, SUMS, UNTESTED
from bounds.estimation.interactions import Interactions, Range
from bounds.estimation.posteriors import PosteriorPID
from bounds.estimation.ranking import check_interactions

# Information in bits below which a quantity does not matter.
MARGIN = 0.05
_OPEN = "the samples do not support a choice"

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


def recommend(
    evidence: Interactions | PosteriorPID,
    names: tuple[str, str],
    *,
    margin: float = MARGIN,
    synergy: Range | None = None,
    interaction: Range | None = None,
) -> Recommendation:
    """Recommends a family of models for two modalities.

    What decides is what each modality adds to the other, I(X1;Y|X2) = U1 + S
    and I(X2;Y|X1) = U2 + S: where it has no interval of its own, or one that is
    open, the ends of both parts are added. If neither adds anything, their
    redundancy says whether there is anything at all; if one adds nothing, the
    other will do. If both add something, both are needed, and the question is
    how to fuse them: with interactions if these are worth the margin. Some
    synergy needs none, such as that of two noisy measurements of one thing; so
    where models with and without interactions were trained, their difference
    decides. Otherwise a small synergy decides against them, and a large one of
    symbols for them; of posteriors it leaves them open.

    Args:
      evidence: What `quantify` or `pid_of_posteriors` returns.
      names: Names of the two modalities.
      margin: Bits below which a quantity does not matter.
      synergy: What is known of the synergy, where posteriors have no joint
        classifier.
      interaction: Confidence interval of the information, in bits, that a model
        with interactions has and an additive one has not.

    Raises:
      InputError: No interactions; not two names; a margin that is not
        positive.
    """
    if not isinstance(evidence, PosteriorPID):
        check_interactions("evidence", evidence)
    margin = inputs.real("margin", margin, above=0)
    check_names(names)
    one, two = names
    words = {
        "redundancy": "redundancy R",
        "unique1": f"U1, unique to {one}",
        "unique2": f"U2, unique to {two}",
        "synergy": "synergy S",
        "conditional1": f"U1 + S, what {one} adds to {two}",
        "conditional2": f"U2 + S, what {two} adds to {one}",
        "interaction": "interactions, beyond an additive model",
    }
    ranges = _ranges(evidence, synergy)
    if interaction is not None:
        ranges["interaction"] = interaction
    ranges |= _sums(ranges, margin)
    size = {key: _size(ends, margin) for key, ends in ranges.items()}
    if (
        isinstance(evidence, PosteriorPID)
        and interaction is None
        and size["synergy"] == "large"
    ):
        size["interaction"] = UNTESTED
    reasons = tuple(
        f"{words[key]}: " + _describe(ranges[key], size[key], margin)
        for key in words
        if key in ranges
    )
    adds = [_adds(i, size) for i in (1, 2)]
    deciding, family, modality = _decide(adds, size, names)
    if isinstance(evidence, PosteriorPID) and evidence.doubts:
        return _undecided(reasons, "; ".join(evidence.doubts), _OPEN)
    if family:
        text = FAMILIES[family] + (f": {modality}" if modality else "")
        return Recommendation(family, modality, text, reasons, "")
    if isinstance(evidence, PosteriorPID):
        measure = _wanted.of_posteriors(
            evidence, ranges, size, margin, deciding, words
        )
    else:
        unknown = [key for key in words if size.get(key) == "unknown"]
        if unknown:
            measure = _wanted.too_few(evidence, unknown, words)
        else:
            measure = _wanted.of_symbols(evidence, ranges, size, margin, words)
    return _undecided(reasons, measure, _so_far(adds, names))


class Known(NamedTuple):
    """What follows from values that are known.

    Attributes:
      family: a key of `FAMILIES`.
      modality: the one to keep, of family "one"; otherwise empty.
      distance: from the margin, of the nearest value that decides.
    """

    family: str
    modality: str
    distance: float


def decide(
    values: Mapping[str, float],
    names: tuple[str, str],
    *,
    margin: float = MARGIN,
) -> Known:
    """Returns what `recommend` would say if all were known.

    Args:
      values: redundancy, unique1, unique2, synergy and, if it is known,
        interaction, in bits.
      names: Names of the two modalities.
      margin: Bits below which a quantity does not matter.
    """
    values = dict(values)
    for i, name in enumerate(SUMS, 1):
        values[name] = values[f"unique{i}"] + values["synergy"]
    size = {key: _size((v, v), margin) for key, v in values.items()}
    adds = [_adds(i, size) for i in (1, 2)]
    deciding, family, modality = _decide(adds, size, names)
    nearest = min(
        abs(values[key] - margin) for key in {*SUMS, *deciding} & values.keys()
    )
    return Known(family, modality, nearest)


def check_names(names: tuple[str, str]) -> None:
    """Checks names of two modalities.

    Raises:
      InputError: Not two words, or twice the same.
    """
    if (
        not isinstance(names, list | tuple)
        or len(names) != 2
        or not all(isinstance(name, str) for name in names)
    ):
        raise InputError(f"names must be two names, got {shown(names)}")
    if names[0] == names[1]:
        raise InputError(f"names must differ, got {shown(names)}")


def _ranges(
    evidence: Interactions | PosteriorPID, synergy: Range | None
) -> dict[str, Sequence[float]]:
    """Confidence intervals of what is decided by, by name."""
    if not isinstance(evidence, PosteriorPID):
        ranges: dict[str, Sequence[float]] = {
            key: (one.lower, one.upper)
            for key, one in evidence.estimates.items()
            if key in PARTS
        }
        return ranges | {"synergy": evidence.synergy}
    ranges = {
        key: ends
        for key, ends in evidence.interval.items()
        if key in (*PARTS, *SUMS)
    }
    ranges.setdefault("synergy", synergy or Range(math.nan, math.nan))
    return {key: ranges[key] for key in PARTS} | ranges


def _sums(
    ranges: Mapping[str, Sequence[float]], margin: float
) -> dict[str, Sequence[float]]:
    """Ends of U + S where they say another thing than those of U and of S.

    Two quantities below the margin may be above it together.
    """
    found: dict[str, Sequence[float]] = {}
    for side in (1, 2):
        name = f"conditional{side}"
        own = _size(ranges[name], margin) if name in ranges else ""
        parts = [ranges[f"unique{side}"], ranges["synergy"]]
        sizes = {_size(ends, margin) for ends in parts}
        if own in ("small", "large") or sizes & {"large", "unknown"}:
            continue
        together = tuple(map(sum, zip(*parts, strict=True)))
        size = _size(together, margin)
        if own == "open":
            news = size != "open"
        else:
            news = size != ("small" if sizes == {"small"} else "open")
        if news:
            found[name] = together
    return found


def _adds(side: int, size: Mapping[str, str]) -> str:
    """The size of what one modality adds to the other, U + S."""
    own = size.get(f"conditional{side}", "")
    if own in ("small", "large"):
        return own
    parts = {size[f"unique{side}"], size["synergy"]}
    if "large" in parts:
        return "large"
    return "small" if parts == {"small"} and not own else "open"


def _decide(
    adds: Sequence[str], size: Mapping[str, str], names: tuple[str, str]
) -> tuple[list[str], str, str]:
    """Returns what decides, the family (empty if open) and the modality."""
    if "open" in adds:
        still = [f"conditional{i + 1}" for i in (0, 1) if adds[i] == "open"]
        parts = [f"unique{name[-1]}" for name in still]
        return [*still, *parts, "synergy"], "", ""
    if adds == ["small", "small"]:
        families = {"large": "agreement", "small": "none"}
        return ["redundancy"], families.get(size["redundancy"], ""), ""
    if "small" in adds:
        return [], "one", names[adds.index("large")]
    key = "interaction" if "interaction" in size else "synergy"
    families = {"large": "interaction", "small": "additive"}
    return [key], families.get(size[key], ""), ""


def _undecided(
    reasons: tuple[str, ...], measure: str, text: str
) -> Recommendation:
    return Recommendation("", "", f"undecided: {text}", reasons, measure)


def _so_far(adds: Sequence[str], names: tuple[str, str]) -> str:
    """What is decided where the family is not."""
    if adds == ["large", "large"]:
        return "both modalities are needed, whether with interactions is open"
    for needed, other in ((0, 1), (1, 0)):
        if adds[needed] == "large" and adds[other] == "open":
            return (
                f"{names[needed]} is needed, whether {names[other]} adds to it "
                "is open"
            )
    return _OPEN


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
