"""Encoders by name: one file, one name, one function.

An encoder is a module, in this package or anywhere under a dotted path, with

    encoder(shape, *, option=default, ...) -> flax.linen.Module

for inputs of one modality, `[batch, *shape]`, so adding an encoder is adding a
file. Of a modality that is a pytree of arrays, `shape` is a pytree of
`jax.ShapeDtypeStruct`. The module is called as `module(x, train=...)` and
returns features `[batch, width]`. The keyword arguments are the encoder's
options. Two arguments are none: `axis_name` gets the name of the mapped device
axis, or None, for statistics over the whole batch; `frozen` the names of the
parts that stay as they are, which should act in training as in prediction. What
the module keeps in other collections than "params" is state: it is updated in
training, averaged over devices, and saved in checkpoints. An attribute
`vocabulary` of the module is the number of tokens that it knows.

`LAYOUTS` of the file says how others call its tensors, so that it can start
from their weights; see `arm_jax.models.weights`.
"""

from collections.abc import Mapping
from typing import Any

import jax

from arm_jax import registry
from arm_jax.models import parts
from arm_jax.models.weights import Layout

# Modules of this package that are no encoders.
_NOT_ENCODERS = frozenset({"inputs"})


def names() -> list[str]:
    """Returns the names of the encoders that come with the project."""
    return registry.names(__path__, _NOT_ENCODERS)


def shape_of(example: Any) -> Any:
    """Returns what an encoder is told of an example: a shape, or a pytree."""
    if isinstance(example, jax.ShapeDtypeStruct):
        return tuple(example.shape)
    return example


def layouts(name: Any) -> tuple[Layout, ...]:
    """Returns the layouts of weights that an encoder knows.

    Raises:
      InputError: There is no encoder of that name.
    """
    if not isinstance(name, str) or not name:
        return ()
    module = registry.find(name, __name__, names(), "encoder", "encoder")
    return tuple(getattr(module, "LAYOUTS", ()))


def create(
    config: str, options: Mapping[str, Any], shared: Mapping[str, Any]
) -> parts.Factory:
    """Returns what makes the encoder that a block of the config describes.

    Args:
      config: Path of the block, for messages.
      options: The block: `name`, and the encoder's options.
      shared: Options that hold for every encoder that has them.

    Returns:
      `make(shape, axis_name=...) -> module`.

    Raises:
      InputError: Unknown encoder or option.
    """
    return parts.create(__name__, names(), "encoder", config, options, shared)
