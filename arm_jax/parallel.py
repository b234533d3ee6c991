"""One step on all local devices: the only module that knows pmap.

The state has no device axis: it goes in and comes out replicated, in its own
shape, so that it is checkpointed as it is and resumes on another number of
devices. What comes out of a step must therefore be equal on all devices, which
JAX does not check: a value that was not averaged would silently be that of
device 0. `pmean` is where the averaging happens.

Steps are vmapped over runs with different seeds before they are mapped over
devices: a state has a leading axis of runs, and so has each batch.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from arm_jax.errors import InputError

AXIS = "devices"


def pmean(tree: Any, axis_name: str | None) -> Any:
    """Mean over the mapped devices; the identity where none are mapped.

    Leaf by leaf, so that XLA can drop unused leaves; it fuses the rest.
    """
    if axis_name is None:
        return tree
    return jax.tree.map(lambda x: jax.lax.pmean(x, axis_name), tree)


def replicate(tree: Any) -> Any:
    """Places `tree` on all local devices, without a device axis."""
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()), (AXIS,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return jax.device_put(tree, sharding)


def update(step: Callable[..., Any]) -> Callable[..., Any]:
    """Maps `step(state, batch, phase) -> (state, metrics)`.

    Over runs and devices. `step` averages over `AXIS`. States, batches and
    metrics have a leading axis of runs; batches come from `split(batch,
    axis=1)`. The state is donated: the one passed in is gone after the call.
    There is one program per phase, which is None if not given.
    """

    @functools.cache
    def of_phase(phase: Any) -> Callable[..., Any]:
        given = () if phase is None else (phase,)
        return jax.pmap(
            jax.vmap(lambda state, batch: step(state, batch, *given)),
            axis_name=AXIS,
            in_axes=(None, 0),
            out_axes=(None, None),
            donate_argnums=(0,),
        )

    return lambda state, batch, phase=None: of_phase(phase)(state, batch)


def predict(step: Callable[..., Any]) -> Callable[..., Any]:
    """Maps `step(variables, batch) -> outputs` over runs and devices.

    `variables` have a leading axis of runs, the batch, from `split(batch)`,
    has none: all runs predict the same examples. `merge` takes the outputs.
    """
    return jax.pmap(
        jax.vmap(step, in_axes=(0, None)), axis_name=AXIS, in_axes=(None, 0)
    )


def check_divisible(name: str, batch_size: int) -> None:
    """Raises InputError if the local devices do not divide `batch_size`."""
    devices = jax.local_device_count()
    if batch_size % devices:
        raise InputError(
            f"{name} {batch_size} is not divisible by the {devices} devices"
        )


def split(batch: Any, axis: int = 0) -> Any:
    """Splits `axis` of every array over devices, whose axis comes first."""
    devices = jax.local_device_count()

    def one(x: np.ndarray) -> np.ndarray:
        size = x.shape[axis] // devices
        shape = (*x.shape[:axis], devices, size, *x.shape[axis + 1 :])
        return np.moveaxis(x.reshape(shape), axis, 0)

    return jax.tree.map(one, batch)


def merge(outputs: Any) -> Any:
    """Undoes `split`: `[devices, runs, batch, ...]` to `[runs, n, ...]`."""

    def one(x: jax.Array) -> np.ndarray:
        by_run = np.moveaxis(np.asarray(x), 0, 1)
        return by_run.reshape(len(by_run), -1, *by_run.shape[3:])

    return jax.tree.map(one, outputs)
