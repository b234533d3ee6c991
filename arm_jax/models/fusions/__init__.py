"""Fusions by name: one file, one name, one function.

A fusion is a module, in this package or anywhere under a dotted path, with

    fusion(widths, num_classes, *, option=default, ...) -> flax.linen.Module

for features of the given widths by modality, so adding a fusion is adding a
file. The module is called as `module(features, mask, means)` and returns
logits `[batch, classes]`; `_masking.Fusion` says what they are. Two
attributes describe it:

    masks     whether a modality whose mask is 0 has no influence; without it
              no contribution can be measured, and the fusion is refused
    additive  whether logits are a sum of terms of the single modalities
"""

from collections.abc import Mapping
from typing import Any

from arm_jax import registry
from arm_jax.models import parts

# What stands in for the features of an absent modality: zeros, the running
# mean of its features in training, or a learned vector.
ABSENT = ("zero", "mean", "token")


def names() -> list[str]:
    """Returns the names of the fusions that come with the project."""
    return registry.names(__path__, ())


def create(
    config: str, options: Mapping[str, Any], shared: Mapping[str, Any]
) -> parts.Factory:
    """Returns what makes the fusion that a block of the config describes.

    Args:
      config: Path of the block, for messages.
      options: The block: `name`, and the fusion's options.
      shared: Options that hold for every fusion that has them.

    Returns:
      `make(widths, num_classes) -> module`.

    Raises:
      InputError: Unknown fusion or option.
    """
    return parts.create(__name__, names(), "fusion", config, options, shared)
