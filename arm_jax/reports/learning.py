"""Whether classifiers have learned what there is, in words."""

from collections.abc import Mapping
from typing import Any

from arm_jax.reports.answers import listed
from arm_jax.reports.pieces import interval

# What half of the samples have added is, of the margin, this much or more where
# something that matters is missing: of problems with known answers one to two
# times as much was (docs/posteriors.md).
_SHARE = 0.5
ROLES = ("first", "second", "joint")


def sentence(
    pair: Mapping[str, Any], learned: Mapping[str, Any], margin: float
) -> str:
    """What the other half of the samples has taught, and what follows.

    Args:
      pair: Names of its sides, as "first" and "second".
      learned: Ends of the bits that a classifier of "first", "second" and
        "joint" keeps more than if it is fitted to half of the samples.
      margin: Bits below which information does not matter.
    """
    names = [pair["first"], pair["second"], "both"]
    ends = [learned[role] for role in ROLES]
    parts = [
        f"{interval((low + high) / 2, (low, high), 2)} of {name}"
        for name, (low, high) in zip(names, ends, strict=True)
    ]
    missing = [
        name
        for name, (low, high) in zip(names, ends, strict=True)
        if low > 0 and (low + high) / 2 >= _SHARE * margin
    ]
    said = (
        "fitted to half of the samples, classifiers keep fewer bits, by "
        f"{listed(parts)}"
    )
    if missing:
        return (
            f"{said}; as much again, or twice that, of what {listed(missing)} "
            "would tell is not learned yet, nor in the intervals: more labels "
            "would show it"
        )
    # An interaction that no fit has found is not in sight, however large.
    return f"{said}; no more is in sight by more labels"
