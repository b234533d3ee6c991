"""What a trained model makes of modalities, beside what the data have.

A model can only use what is there: where it has less than the classifiers of
the data, it neglects something; where it has more, they have not learned all.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from arm_jax.analysis import outputs as analysis
from arm_jax.data import packed
from arm_jax.data.outputs import Outputs
from arm_jax.errors import InputError

# As of a pair in the results of `bounds.estimation.study`.
QUANTITIES = ("redundancy", "unique1", "unique2", "synergy", "total")


def beside(
    outputs: Outputs, pairs: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Summarises a model's outputs, and compares them pair by pair.

    Args:
      outputs: What it predicts from subsets of modalities, on any samples of
        the same kind as the data's.
      pairs: Those of the data, as in the results of a study.

    Returns:
      What `arm_jax.analysis.outputs.summary` does, and `differences`: by pair
      what the model has more or less of than the data: `quantity`, `model` and
      `data` in bits, where one interval ends before the other begins.
    """
    found = analysis.summary(outputs)
    differences = {}
    for key, pair in pairs.items():
        model, data = found["decomposition"].get(key), pair["posteriors"]
        if not model or "value" not in model or "value" not in data:
            continue
        differences[key] = [
            {
                "quantity": quantity,
                "model": model["value"][quantity],
                "data": data["value"][quantity],
            }
            for quantity in QUANTITIES
            if quantity in data["value"]
            and _apart(model["interval"][quantity], data["interval"][quantity])
        ]
    return found | {"differences": differences}


def matched(
    outputs: Outputs, modalities: Sequence[str], classes: int, name: str
) -> Outputs:
    """Returns them with the modalities in the order of the data's.

    Raises:
      InputError: They are of other modalities, or for other classes.
    """
    for modality in outputs.modalities:
        if modality not in modalities:
            raise InputError(
                f"there are outputs of '{packed.shown(modality)}', a modality "
                f"that {name} has not; it has: {', '.join(modalities)}"
            )
    own = len(outputs.log_prior)
    if own != classes:
        raise InputError(
            f"there are outputs for {own} classes; {name} has {classes}"
        )
    order = tuple(m for m in modalities if m in outputs.modalities)
    return dataclasses.replace(outputs, modalities=order)


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[1] < other[0] or other[1] < one[0]
