"""A method that is nothing but a loss."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax

from arm_jax.methods._base import Batch, Forward, Loss, Method, Metrics


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlainLoss(Method):
    """The method that is a function `loss(forward, batch, *, option)` alone."""

    function: Callable[..., tuple[jax.Array, Metrics]]
    options: Mapping[str, Any]

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Calls the function."""
        return self.function(forward, batch, **self.options)

    def _loss_name(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"
