"""Recommendations from symbols, withdrawn where something else contradicts."""

from collections.abc import Mapping

from bounds.estimation.decisions import Recommendation
from bounds.estimation.interactions import Range


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
