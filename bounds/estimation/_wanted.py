"""What to measure where the samples do not decide."""

import math
from collections.abc import Mapping, Sequence

from bounds.estimation.interactions import Interactions
from bounds.estimation.posteriors import PosteriorPID
from bounds.estimation.ranking import labels_needed

PARTS = ("redundancy", "unique1", "unique2", "synergy")
SUMS = ("conditional1", "conditional2")
# The size of an interaction that no two models were compared for.
UNTESTED = "untested"
# Beyond this many times the present samples, a number is no plan.
_MOST_TIMES = 1000


def of_posteriors(
    evidence: PosteriorPID,
    ranges: Mapping[str, Sequence[float]],
    size: Mapping[str, str],
    margin: float,
    deciding: Sequence[str],
    words: Mapping[str, str],
) -> str:
    """What would decide, where posteriors do not.

    Args:
      evidence: the decomposition.
      ranges: confidence intervals, by name.
      size: that of each, "open" if it does not decide.
      margin: bits below which a quantity does not matter.
      deciding: names of what decides.
      words: what each is called.
    """
    if size["synergy"] == "unknown":
        return "label pairs: the synergy is unknown without them"
    still = [key for key in deciding if size.get(key) == "open"]
    if evidence.synergy is None and set(still) & {"synergy", *SUMS}:
        lower, upper = ranges["synergy"]
        return (
            "label pairs: without them the synergy is between "
            f"{lower:z.3f} and {upper:z.3f} bits"
        )
    if [size.get(key) for key in deciding] == [UNTESTED]:
        return (
            "two classifiers of both modalities, one with interactions and one "
            "without: synergy alone needs none"
        )
    parts = []
    for key in still:
        lower, upper = ranges[key]
        value = getattr(evidence, key, (lower + upper) / 2)
        times = _times(value, lower, upper, margin)
        if times > _MOST_TIMES:
            parts.append(f"{words[key]} is at the margin")
        else:
            parts.append(
                f"{words[key]} needs about {max(times, 1.1):.1f} times the "
                "samples"
            )
    return "; ".join(parts) + ", if the values stay where they are"


def too_few(
    found: Interactions, unknown: Sequence[str], words: Mapping[str, str]
) -> str:
    """What would be enough, where quantities are unknown."""
    if unknown == ["synergy"]:
        return (
            f"label about {labels_needed(found):,} pairs ({found.size:,} are "
            "there) or use fewer symbols: the synergy is unknown"
        )
    needed = (
        max(e.needed for k, e in found.estimates.items() if k in unknown)
        if set(unknown) & set(found.estimates)
        else labels_needed(found)
    )
    return (
        f"too few samples for {', '.join(words[k] for k in unknown)}: about "
        f"{needed:,} labelled samples of each modality are needed "
        f"({found.size:,} are there), or fewer symbols"
    )


def of_symbols(
    found: Interactions,
    ranges: Mapping[str, Sequence[float]],
    size: Mapping[str, str],
    margin: float,
    words: Mapping[str, str],
) -> str:
    """What would decide, where symbols do not; arguments as above."""
    still = [key for key in (*PARTS, *SUMS) if size.get(key) == "open"]
    estimate = found.estimates.get("synergy")
    if {"synergy", *SUMS} & set(still) and (
        estimate is None or not estimate.enough
    ):
        return (
            "the pairwise marginals allow a synergy between "
            f"{found.synergy.lower:z.3f} and {found.synergy.upper:z.3f} bits: "
            f"label about {labels_needed(found):,} pairs to know it"
        )
    if not still:
        return "one more modality, or a smaller margin"
    parts = []
    for key in still:
        lower, upper = ranges[key]
        values = {k: one.value for k, one in found.estimates.items()}
        value = (
            values[f"unique{key[-1]}"] + values["synergy"]
            if key in SUMS
            else values[key]
        )
        times = _times(value, lower, upper, margin)
        if times > _MOST_TIMES:
            parts.append(f"{words[key]} is at the margin")
        else:
            many = math.ceil(times * found.size)
            parts.append(f"{words[key]} needs about {many:,} samples")
    return (
        "; ".join(parts)
        + f" ({found.size:,} are there), if the values stay where they are"
    )


def _times(value: float, lower: float, upper: float, margin: float) -> float:
    """How many times the samples would narrow an interval to the margin."""
    half = value - lower if value > margin else upper - value
    distance = abs(value - margin)
    return (half / distance) ** 2 if distance > 0 else math.inf
