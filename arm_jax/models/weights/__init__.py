"""Weights of encoders, from safetensors files on disk.

`safetensors` reads files, `files` finds them, `layout` says how tables of names
are written, and there is one file per layout. An encoder lists those it knows
as `LAYOUTS`; `pretrained` brings the two together. Nothing is downloaded, and
nothing is unpickled.
"""

from collections.abc import Mapping
from typing import Any

from arm_jax.errors import InputError
from arm_jax.models.weights import files
from arm_jax.models.weights.layout import Layout as Layout
from arm_jax.models.weights.layout import Part as Part
from arm_jax.models.weights.pretrained import Adapting as Adapting
from arm_jax.models.weights.pretrained import Pretrained as Pretrained
from arm_jax.models.weights.pretrained import find as find
from arm_jax.models.weights.pretrained import own as own

BESIDE = " (config.json)"


def digests(encoders: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Returns the SHA-256 of the weights of each encoder that has some.

    And, with `BESIDE` behind the name, of what config.json and its like beside
    them say: sizes may follow from it, and activations.

    Args:
      encoders: The block `model.encoders` of a config.

    Raises:
      InputError: A file that is missing or cannot be read.
    """
    found = {}
    for name, block in encoders.items():
        path = block.get("weights")
        if isinstance(path, str) and path:
            try:
                found[name] = files.digest(path)
                found[name + BESIDE] = files.digest_beside(path)
            except InputError as error:
                raise InputError(
                    f"config model.encoders.{name}.weights: {error}"
                ) from error
    return found
