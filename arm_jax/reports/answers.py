"""The answer of a report, in sentences that need no knowledge of the field."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from arm_jax.reports.pieces import Gain, capital, fixed, holm

# What follows the names of a pair, by family of `bounds.estimation.decisions`.
_SAYS = {
    "none": "tell too little about the label, alone and together: look for "
    "another source",
    "agreement": "say the same about the label: either one will do",
    "additive": "are both needed, and it is enough to combine what each says "
    "on its own (late fusion)",
    "interaction": "are needed together, in one model that sees both at once: "
    "part of what they say shows only in combination",
}
_OTHER_SYMBOLS = ", but not with other symbols"
# Level of what a comparison calls sure.
_SURE = 0.05
_ADDITIVE_DOES = ", but an additive model does as well"


def of_interactions(results: Mapping[str, Any]) -> str:
    """What to do with the modalities of a data set, in one sentence."""
    pairs = list(results["pairs"].values())
    if len(pairs) == 1:
        return capital(_of_pair(pairs[0], results["samples"])) + "."
    plain = [pair for pair in pairs if pair["plain"]]
    for name in results["modalities"]:
        own = [p for p in plain if name in (p["first"], p["second"])]
        if own and all(p["recommendation"]["modality"] == name for p in own):
            others = listed([m for m in results["modalities"] if m != name])
            return (
                f"{capital(name)} alone is enough to tell the label: what "
                f"{others} would add does not matter."
            )
    groups: dict[str, list[str]] = {}
    for pair in plain or pairs:
        advice = pair["recommendation"]
        if advice["family"] == "one":
            what = f"need {advice['modality']} alone"
        else:
            what = _SAYS.get(advice["family"], "are not settled by the samples")
        groups.setdefault(what, []).append(_names(pair))
    said = [f"{listed(names)} {what}" for what, names in groups.items()]
    return capital("; ".join(said)) + "."


def of_pair(pair: Mapping[str, Any], samples: int) -> str:
    """What to do with two modalities, in one sentence."""
    return capital(_of_pair(pair, samples)) + "."


def named(
    doubt: str, pair: Mapping[str, Any], both: str = "the classifier of both"
) -> str:
    """Returns a sentence about posteriors r1, r2, r12 with their names.

    Args:
      doubt: The sentence.
      pair: Whose posteriors r1 and r2 are: `first` and `second`.
      both: Whose posterior r12 is.
    """
    names = {"r1": pair["first"], "r2": pair["second"], "r12": both}
    return re.sub(r"\br(1|2|12)\b", lambda match: names[match[0]], doubt)


def how_much(known: float, entropy: float, names: Sequence[str]) -> str:
    """How much of the label modalities tell together."""
    share = f"{100 * known / entropy:.0f} %" if entropy > 0 else "all"
    return (
        f"Together, {listed(names)} tell {share} of what there is to know "
        f"about the label ({fixed(known, 2)} of {fixed(entropy, 2)} bits)."
    )


def of_training(
    method: str,
    accuracy: Mapping[str, float],
    examples: int,
    *,
    labels: int = 0,
    number: bool = False,
) -> str:
    """How well a trained model does, and on whom it relies.

    Args:
      method: name of the method.
      accuracy: in %, of "fused" and of each modality alone, by name.
      examples: number of those it was tested on.
      labels: number of labels, or numbers, that each has at once; 0 for one.
      number: whether numbers are predicted; accuracies are R^2 in % then.
    """
    alone = {k: v for k, v in accuracy.items() if k != "fused"}
    each = f"the {labels} labels of each of " if labels else ""
    share = f"{fixed(accuracy['fused'], 1)} %"
    does = f"is right on {share} of {each}{examples:,} examples"
    if number:
        of = f"variance of {labels} numbers" if labels else "variance"
        does = f"explains {share} of the {of} in {examples:,} examples"
    out = f"Trained by {method}, the model {does} that it has not seen"
    if len(alone) < 2:
        return out + "."
    worst, *_, best = sorted(alone, key=lambda name: alone[name])
    out += (
        f"; asked alone, {best} reaches {fixed(alone[best], 1)} % and {worst} "
        f"{fixed(alone[worst], 1)} %"
    )
    return out + "."


def of_comparison(
    gains: Mapping[str, Gain], baseline: str, measure: str = "accuracy"
) -> str:
    """Which methods are better than the first, and whether that is sure.

    Of many methods some look better by chance: sure is what is so at 5 % over
    all comparisons.

    Args:
      gains: difference of accuracy to the first in points, by method; those
        that are not finite do not count.
      baseline: name of the first.
      measure: what accuracy is called.
    """
    gains = {k: gain for k, gain in gains.items() if math.isfinite(gain.mean)}
    if not gains:
        return f"There is nothing yet to compare {baseline} with."
    adjusted = holm([gain.p for gain in gains.values()])
    sure = [k for k, p in zip(gains, adjusted, strict=True) if p < _SURE]
    better = [name for name in sure if gains[name].mean > 0]
    worse = len(sure) - len(better)
    best = max(gains, key=lambda name: gains[name].mean)
    lead = f"{fixed(gains[best].mean, 1, plus=True)} points"
    if better:
        top = max(better, key=lambda name: gains[name].mean)
        mean, low, high, _ = (fixed(x, 1, plus=True) for x in gains[top])
        out = (
            f"{top} {'does best' if top == best else 'is surely better'}, "
            f"{mean} points of {measure} against {baseline} (95 % interval "
            f"{low} to {high})"
        )
        if len(better) > 1:
            out += f"; {len(better) - 1} more are surely better, too"
        if top != best:
            out += f"; the lead of {best}, {lead}, may be chance"
    else:
        out = (
            f"No method is surely better than {baseline}: the best, {best}, is "
            f"at {lead}, and that may be chance"
        )
        if worse:
            out += f"; {worse} of {len(gains)} are surely worse"
    if len(gains) > 1 and sure:
        out += f" (sure: at 5 % over all {len(gains)} comparisons, by Holm)"
    return out + "."


def of_contributions(mean: Mapping[str, float]) -> str:
    """Which modality the predictions rest on.

    Args:
      mean: contribution given the others, in bits, by modality.
    """
    if len(mean) < 2:
        return f"The model sees one modality, {next(iter(mean))}."
    least, *_, most = sorted(mean, key=lambda name: mean[name])
    return (
        f"The predictions rest on {most} most: it adds "
        f"{fixed(mean[most], 2)} bits per sample to what the others say, and "
        f"{least} {fixed(mean[least], 2)}."
    )


def _of_pair(pair: Mapping[str, Any], samples: int) -> str:
    advice = pair["recommendation"]
    one, two = pair["first"], pair["second"]
    if advice["family"] == "one":
        kept = advice["modality"]
        other = two if kept == one else one
        return (
            f"{kept} alone is enough to tell the label: what {other} would "
            "add does not matter"
        )
    if advice["family"]:
        return f"{_names(pair)} {_SAYS[advice['family']]}"
    open_ = advice["text"].removeprefix("undecided: ")
    if open_.endswith(_OTHER_SYMBOLS):
        open_ = (
            "the answer changes with the number of values that the features "
            "are cut into"
        )
    elif open_.endswith(_ADDITIVE_DOES):
        open_ = (
            "they seem to interact, but a model without interactions predicts "
            "as well"
        )
    return (
        f"{samples:,} samples do not settle what to do with {_names(pair)}: "
        f"{open_}"
    )


def _names(pair: Mapping[str, Any]) -> str:
    return f"{pair['first']} and {pair['second']}"


def listed(names: Sequence[str]) -> str:
    """Returns "a, b and c"."""
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last
