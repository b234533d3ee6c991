"""The model's head with its variables, as the method's fusion makes it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax.methods import Method, Variables
from arm_jax.models import Model
from arm_jax.valuation import Head

# Key of the method's own parameters among those of the model.
OWN = "method"


# By identity: what it holds has no hash, and functions under jit need one.
@dataclasses.dataclass(frozen=True, eq=False)
class FusedHead:
    """`head(features, mask) -> logits` of the trained method.

    Attributes:
      method: Method, whose fusion it is.
      plain: The model's head.
      variables: All variables.
      present: What the batch has, `[batch, modalities]`, or None for all of
        it; the rest stays masked.
    """

    method: Method
    plain: Head
    variables: Variables
    present: jax.Array | None = None

    def __call__(
        self, features: Mapping[str, jax.Array], mask: jax.Array
    ) -> Any:
        """Outputs under one mask, `[modalities]` or `[batch, modalities]`."""
        if self.present is not None:
            mask = jnp.atleast_2d(mask) * self.present
        return self.method.fuse(self.plain, features, mask, *self._own())

    def on_masks(
        self, features: Mapping[str, jax.Array], masks: np.ndarray
    ) -> Any:
        """Outputs under several, see `valuation.on_masks`."""
        return self.method.fuse_masks(
            self.plain, features, masks, self.present, *self._own()
        )

    def _own(self) -> tuple[Any, Any]:
        """The method's memory and parameters."""
        return self.variables.memory, self.variables.params.get(OWN, ())


def bind_head(
    model: Model,
    method: Method,
    variables: Variables,
    batch: Mapping[str, Any] | None = None,
) -> FusedHead:
    """Returns the head with its variables, and what the batch has, if given.

    A batch of which nothing is missing may lack the mask.
    """

    def plain(features: Mapping[str, jax.Array], mask: jax.Array) -> Any:
        return model.head(variables.params, features, mask, variables.state)

    present = None if batch is None else batch.get("mask")
    return FusedHead(method, plain, variables, present)
