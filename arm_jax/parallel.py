"""Runs side by side, on all devices: the only module that knows both axes.

Runs with different seeds are trained as one program: steps are vmapped over
them before they are mapped over devices. On the devices an array of several
runs has a leading axis of runs; who trains, evaluates or acts between two
epochs writes functions of one run, and gets lists with an entry per run. This
is the only module that knows pmap.

The state has no device axis: it goes in and comes out replicated, in its own
shape, so that it is checkpointed as it is and resumes on another number of
devices. What comes out of a step must therefore be equal on all devices, which
JAX does not check: a value that was not averaged would silently be that of
device 0. `pmean` is where the averaging happens.

On CPUs devices are added in their order, so that numbers are the same bits
however the devices are divided among processes.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax import processes
from arm_jax.errors import InputError

AXIS = "devices"


def pmean(tree: Any, axis_name: str | None) -> Any:
    """Mean over the mapped devices; the identity where none are mapped."""
    if axis_name is None:
        return tree
    size = jax.lax.axis_size(axis_name)
    return jax.tree.map(lambda x: x / size, _sums(tree, axis_name))


def means(
    pairs: Sequence[tuple[jax.Array, jax.Array | None]], axis_name: str | None
) -> list[jax.Array]:
    """Means over the last axis and the mapped devices, in one message.

    Args:
      pairs: Of x, `[..., batch]`, and weights, `[batch]`; all ones if None. No
        weight at all gives 0.
      axis_name: Name of the mapped axis, if there is one.
    """
    sums = []
    for x, weight in pairs:
        if weight is None:
            weight = jnp.ones(x.shape[-1], x.dtype)
        by_example = weight.reshape((1,) * (x.ndim - 1) + (-1,))
        sums.append(((x * by_example).sum(-1), weight.sum()))
    if axis_name is not None:
        sums = _sums(sums, axis_name)
    return [x / jnp.maximum(weight, 1e-12) for x, weight in sums]


def gather(x: jax.Array, axis_name: str | None) -> jax.Array:
    """`x`, `[batch, ...]`, of all mapped devices, along the first axis."""
    if axis_name is None:
        return x
    if _in_order(axis_name):
        return _gather_in_order(x, axis_name)
    return jax.lax.all_gather(x, axis_name, tiled=True)


def _sums(tree: Any, axis_name: str) -> Any:
    """Sums over the devices.

    Within a process leaf by leaf, so that XLA can drop unused leaves; it fuses
    the rest. Between processes each leaf would be a message of its own, and all
    of a type go in one; in order they always do, so that programs are alike.
    """
    in_order = _in_order(axis_name)
    add = _sum_in_order if in_order else jax.lax.psum
    if jax.process_count() == 1 and not in_order:
        return jax.tree.map(lambda x: add(x, axis_name), tree)
    leaves, structure = jax.tree.flatten(tree)
    sums: dict[int, Any] = {}
    for dtype in dict.fromkeys(x.dtype for x in leaves):
        places = [i for i, x in enumerate(leaves) if x.dtype == dtype]
        whole = jnp.concatenate([leaves[i].reshape(-1) for i in places])
        ends = np.cumsum([leaves[i].size for i in places])[:-1]
        parts = jnp.split(add(whole, axis_name), ends)
        for place, part in zip(places, parts, strict=True):
            sums[place] = part.reshape(leaves[place].shape)
    return jax.tree.unflatten(structure, [sums[i] for i in range(len(leaves))])


def _in_order(axis_name: str) -> bool:
    """Whether devices are added in their order.

    The order of a reduction is that of the messages, and between processes
    another one than within; a method that magnifies roundings shows it. On
    accelerators it would cost as many times the memory as there are devices.
    """
    several = jax.lax.axis_size(axis_name) > 1
    return several and jax.default_backend() == "cpu"


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _sum_in_order(x: jax.Array, axis_name: str) -> jax.Array:
    whole = jax.lax.all_gather(x, axis_name)
    return functools.reduce(jnp.add, whole)


# A sum over devices is its own transpose: each has a share in all the results.
_sum_in_order.defvjp(
    lambda x, axis_name: (_sum_in_order(x, axis_name), None),
    lambda axis_name, _, slope: (_sum_in_order(slope, axis_name),),
)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _gather_in_order(x: jax.Array, axis_name: str) -> jax.Array:
    return jax.lax.all_gather(x, axis_name, tiled=True)


def _own_part(axis_name: str, size: int, slope: jax.Array) -> tuple[jax.Array]:
    total = _sum_in_order(slope, axis_name)
    start = jax.lax.axis_index(axis_name) * size
    return (jax.lax.dynamic_slice_in_dim(total, start, size),)


_gather_in_order.defvjp(
    lambda x, axis_name: (_gather_in_order(x, axis_name), len(x)), _own_part
)


def replicate(tree: Any) -> Any:
    """Places `tree` on all devices of this process, without a device axis."""
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()), (AXIS,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return jax.device_put(tree, sharding)


def share(tree: Any) -> Any:
    """Returns the arrays that process 0 has, on the devices of this one."""
    leaves, structure = jax.tree.flatten(tree)
    keys = [
        jax.random.key_impl(x)
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
        else None
        for x in leaves
    ]
    numbers = [
        np.asarray(x if key is None else jax.random.key_data(x))
        for x, key in zip(leaves, keys, strict=True)
    ]
    shared = [
        x if key is None else jax.random.wrap_key_data(jnp.asarray(x), impl=key)
        for x, key in zip(processes.share(numbers), keys, strict=True)
    ]
    return replicate(jax.tree.unflatten(structure, shared))


def start(
    create: Callable[[jax.Array], Any],
) -> Callable[[Sequence[int]], Any]:
    """Maps `create(seed)` over the seeds of all runs, on the devices."""
    # Under jit: eagerly each small operation would be compiled by itself.
    mapped = jax.jit(jax.vmap(create))
    return lambda seeds: replicate(mapped(jnp.asarray(seeds)))


def put(trees: Sequence[Any]) -> Any:
    """Places the runs' trees, which differ in values alone, on the devices."""
    return replicate(jax.tree.map(lambda *x: np.stack(x), *trees))


def fetch(tree: Any) -> list[Any]:
    """Returns the tree of each run, as NumPy arrays; undoes `put`."""
    return by_run(jax.device_get(tree))


def by_run(tree: Any) -> list[Any]:
    """Returns the tree of each run, from arrays that are on the host."""
    (runs,) = {len(x) for x in jax.tree.leaves(tree)}
    return [jax.tree.map(lambda x, r=r: x[r], tree) for r in range(runs)]


@jax.jit
def copied(tree: Any) -> Any:
    """Returns arrays of the same values that share no memory with these."""
    return jax.tree.map(jnp.copy, tree)


@jax.jit
def alone(tree: Any, number: int) -> Any:
    """Returns one of the runs by itself; new arrays, which may be donated."""
    return jax.tree.map(
        lambda x: jax.lax.dynamic_slice_in_dim(x, number, 1), tree
    )


def each(function: Callable[..., Any]) -> Callable[..., Any]:
    """Maps a function of one run's arrays over those of all, on the devices."""
    mapped = jax.jit(jax.vmap(function))
    return lambda *trees: replicate(mapped(*trees))


def scalars(metrics: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Returns the metrics that are one number for each run."""
    return {name: x for name, x in metrics.items() if x.ndim == 1}


def update(step: Callable[..., Any]) -> Callable[..., Any]:
    """Maps `step(*given, state, batch, phase) -> (state, metrics)`.

    Over runs and devices. The mapped step takes `(given, state, batch, phase)`.
    `step` averages over `AXIS`. States and metrics are those of all runs, and
    so are batches, as `side_by_side` makes them; `given` is a tuple of trees
    that all runs share, as `replicate` places them. The state is donated: the
    one passed in is gone after the call. There is one program per phase, which
    is None if not given.

    Args:
      step: Step of one run.
    """
    # In the order of the processes, as they divide a batch. A process alone
    # leaves it to JAX.
    devices = sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
    several = jax.process_count() > 1

    @functools.cache
    def of_phase(phase: Any) -> Callable[..., Any]:
        last = () if phase is None else (phase,)
        return jax.pmap(
            jax.vmap(
                lambda given, state, batch: step(*given, state, batch, *last),
                in_axes=(None, 0, 0),
            ),
            axis_name=AXIS,
            in_axes=(None, None, 0),
            out_axes=(None, None),
            donate_argnums=(1,),
            devices=devices if several else None,
        )

    return lambda given, state, batch, phase=None: of_phase(phase)(
        given, state, batch
    )


def side_by_side(
    makes: Sequence[Callable[[int], Any]],
) -> Callable[[int], Any]:
    """Returns `make(number) -> batch` for `update`, from that of each run."""
    # Workers that make batches must not start JAX.
    devices = jax.local_device_count()

    def make(number: int) -> Any:
        batches = [of_run(number) for of_run in makes]
        # A run alone copies nothing.
        stacked = jax.tree.map(
            lambda *x: np.stack(x) if len(x) > 1 else x[0][None], *batches
        )
        return split(stacked, axis=1, devices=devices)

    return make


def predict(step: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Maps `step(*given, variables, batch) -> outputs` over runs and devices.

    All runs predict the same examples, each process its own ones. The mapped
    step takes `(given, variables, batch)`, see `update`, and returns the
    outputs of each run on the batch, as NumPy arrays `[batch, ...]`.

    Args:
      step: Step of one run.
    """
    mapped = jax.pmap(
        jax.vmap(
            lambda given, variables, batch: step(*given, variables, batch),
            in_axes=(None, 0, None),
        ),
        axis_name=AXIS,
        in_axes=(None, None, 0),
        devices=jax.local_devices() if jax.process_count() > 1 else None,
    )
    return lambda given, variables, batch: by_run(
        merge(mapped(given, variables, split(batch)))
    )


def check_divisible(name: str, batch_size: int) -> None:
    """Raises InputError if the devices do not divide `batch_size`."""
    devices, count = jax.device_count(), jax.process_count()
    if batch_size % devices:
        of = f" of {count} processes" if count > 1 else ""
        raise InputError(
            f"{name} {batch_size} is not divisible by the {devices} devices{of}"
        )


def split(batch: Any, axis: int = 0, devices: int | None = None) -> Any:
    """Splits `axis` of every array over devices, whose axis comes first.

    Args:
      batch: Pytree of NumPy arrays.
      axis: The axis of examples.
      devices: Number of devices; None for the local ones.
    """
    count = jax.local_device_count() if devices is None else devices

    def one(x: np.ndarray) -> np.ndarray:
        size = x.shape[axis] // count
        shape = (*x.shape[:axis], count, size, *x.shape[axis + 1 :])
        return np.moveaxis(x.reshape(shape), axis, 0)

    return jax.tree.map(one, batch)


def merge(outputs: Any) -> Any:
    """Undoes `split`: `[devices, runs, batch, ...]` to `[runs, n, ...]`."""

    def one(x: jax.Array) -> np.ndarray:
        in_order = np.moveaxis(np.asarray(x), 0, 1)
        return in_order.reshape(len(in_order), -1, *in_order.shape[3:])

    return jax.tree.map(one, outputs)
