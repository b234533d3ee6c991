"""One step on all local devices: the only module that knows pmap.

The state has no device axis: it goes in and comes out replicated, in its own
shape, so that it is checkpointed as it is and resumes on another number of
devices. What comes out of a step must therefore be equal on all devices, which
JAX does not check: a value that was not averaged would silently be that of
device 0. `pmean` is where the averaging happens.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from arm_jax.errors import InputError

AXIS = "devices"


def pmean(tree: Any, axis_name: str | None) -> Any:
    """Mean over the mapped devices; the identity where none are mapped."""
    if axis_name is None:
        return tree
    return jax.lax.pmean(tree, axis_name)


def replicate(tree: Any) -> Any:
    """Places `tree` on all local devices, without a device axis."""
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()), (AXIS,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return jax.device_put(tree, sharding)


def update(step: Callable[..., Any]) -> Callable[..., Any]:
    """Maps `step(state, batch) -> (state, metrics)` over the devices.

    `step` averages over `AXIS`. The state is donated: the one passed in is
    gone after the call.
    """
    return jax.pmap(
        step,
        axis_name=AXIS,
        in_axes=(None, 0),
        out_axes=(None, None),
        donate_argnums=(0,),
    )


def mapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Maps `function(params, batch) -> outputs`; outputs have a device axis."""
    return jax.pmap(function, axis_name=AXIS, in_axes=(None, 0))


def check_divisible(name: str, batch_size: int) -> None:
    """Raises InputError if the local devices do not divide `batch_size`."""
    devices = jax.local_device_count()
    if batch_size % devices:
        raise InputError(
            f"{name} {batch_size} is not divisible by the {devices} devices"
        )


def split(batch: Any) -> Any:
    """Reshapes each `[batch, ...]` to `[devices, batch / devices, ...]`."""
    devices = jax.local_device_count()
    return jax.tree.map(
        lambda x: x.reshape(devices, len(x) // devices, *x.shape[1:]), batch
    )


def merge(outputs: Any) -> Any:
    """Inverse of `split`, on the host."""
    return jax.tree.map(
        lambda x: np.asarray(x).reshape(-1, *x.shape[2:]), outputs
    )
