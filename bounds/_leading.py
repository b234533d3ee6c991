"""Leading axes: broadcast, flattened for one batch, and restored."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from bounds import _engine, _entry
from bounds.errors import InputError
from bounds.options import Options


def call(
    function: Callable[..., Any],
    names: Sequence[str],
    values: Sequence[Any],
    event_ranks: Sequence[int],
    options: Options,
) -> Any:
    """Validates distributions and evaluates a function on the batch.

    Args:
      function: a module-level function of arrays `[*event]` to a pytree.
      names: Names of the arguments, for messages.
      values: distributions `[..., *event]`.
      event_ranks: number of trailing event axes of each value.
      options: of the call.

    Returns:
      NumPy arrays with the broadcast leading axes of `values`.
    """
    checked = [
        _entry.check_distribution(name, value, rank)
        for name, value, rank in zip(names, values, event_ranks, strict=True)
    ]
    flat, lead = flatten(names, checked, event_ranks)
    return restore(_engine.run(function, *flat, options=options), lead)


def flatten(
    names: Sequence[str],
    values: Sequence[np.ndarray],
    event_ranks: Sequence[int],
) -> tuple[list[np.ndarray], tuple[int, ...]]:
    """Broadcasts leading axes and folds them into one; also returns them.

    Raises:
      InputError: leading axes that do not go together.
    """
    leads = [
        v.shape[: v.ndim - r] for v, r in zip(values, event_ranks, strict=True)
    ]
    try:
        lead = np.broadcast_shapes(*leads)
    except ValueError as error:
        shapes = ", ".join(
            f"{n} {s}" for n, s in zip(names, leads, strict=True)
        )
        raise InputError(
            f"the batch axes do not broadcast: {shapes}"
        ) from error
    flat = []
    for value, rank in zip(values, event_ranks, strict=True):
        event = value.shape[value.ndim - rank :]
        full = np.broadcast_to(value, lead + event)
        flat.append(full.reshape((-1, *event)))
    return flat, lead


def restore(tree: Any, lead: tuple[int, ...]) -> Any:
    """Unfolds the batch axis of every leaf."""
    return jax.tree.map(lambda x: x.reshape(lead + x.shape[1:]), tree)
