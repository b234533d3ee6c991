"""What a trained model is asked once: all subsets, and noise in one modality.

Noise is Gaussian, in the inputs of one modality at a time, and measured in the
deviation that each channel has in training. Pixels that are bytes stay such.
Other integers, such as tokens, have none.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax import shapley
from arm_jax.data import Split, presence
from arm_jax.heads import bind_head
from arm_jax.methods import Method
from arm_jax.models import Model
from arm_jax.training import (
    Variables,
    blank,
    zero_where_missing,
)
from arm_jax.valuation import Array, each_is_right, masks_for, on_masks

# Deviations of the noise, in those of the channel.
LEVELS = (0.5, 1.0, 2.0)
# Training examples that deviations are measured on.
_MEASURED = 512
_SEED = 0


class Probe(NamedTuple):
    """What a model makes of examples; the batch comes first.

    Attributes:
      logits: Of each subset in the order of `shapley.coalitions`,
        `[batch, 2 ** modalities, classes]` or `[..., labels, 2]`, or Gaussians.
      noisy: Whether the prediction of all modalities is right with noise in
        one, 1 or 0, or what `valuation.each_is_right` says of other labels,
        `[batch, modalities with noise, levels]`, and behind it `labels`.
    """

    logits: Any
    noisy: Array


def deviations(train: Split) -> dict[str, Any]:
    """Deviation of each channel, the last axis, by modality.

    Of the first examples of the training split that have the modality, all
    positions together. The modalities that can have no noise are left out; so
    are arrays of others (None in their place).
    """

    def first(name: str) -> Any:
        rows = np.arange(len(train))[presence.of(train, name)][:_MEASURED]
        return train.take(rows)["inputs"][name]

    if train.present is None:
        inputs = train.take(np.arange(min(len(train), _MEASURED)))["inputs"]
    else:
        inputs = {name: first(name) for name in train.modalities}

    def of(x: np.ndarray) -> np.ndarray | None:
        if x.dtype.kind != "f" and x.dtype != np.uint8:
            return None
        rows = x.reshape(-1, x.shape[-1]) if x.ndim > 1 else x[:, None]
        return rows.std(axis=0, dtype=np.float64).astype(np.float32)

    found = {name: jax.tree.map(of, x) for name, x in inputs.items()}
    return {name: x for name, x in sorted(found.items()) if jax.tree.leaves(x)}


def make_step(
    model: Model, method: Method
) -> Callable[[Mapping[str, Any], Variables, Mapping[str, Any]], Probe]:
    """Returns `probe(scales, variables, batch) -> Probe`.

    `scales` are the `deviations` of the inputs. An example's noise depends on
    its id alone, and so is the same for all methods, seeds and sizes of
    batches.

    Args:
      model: Model.
      method: Method, which may have a say in the fusion.
    """
    coalitions = shapley.coalitions(len(model.modalities))
    levels = jnp.asarray(LEVELS)

    def probe(
        scales: Mapping[str, Any],
        variables: Variables,
        batch: Mapping[str, Any],
    ) -> Probe:
        batch = blank(batch, model.modalities)
        head = bind_head(model, method, variables, batch)

        def encode(inputs: Mapping[str, Any]) -> dict[str, jax.Array]:
            found, _ = model.encode(variables.params, variables.state, inputs)
            return zero_where_missing(found, batch)

        clean = encode(batch["inputs"])
        logits = on_masks(head, clean, coalitions)
        everything = masks_for(clean, coalitions[-1])
        # One level after another: media need the memory.
        noisy = jax.lax.map(
            lambda level: encode(_with_noise(batch, scales, level)), levels
        )

        def right(chosen: jax.Array, level: jax.Array) -> jax.Array:
            features = {
                name: jnp.where(chosen == m, noisy[name][level], x)
                for m, (name, x) in enumerate(clean.items())
            }
            scores = head(features, everything)
            right = each_is_right(scores, batch["label"])
            return right.astype(jnp.float32)

        places = [model.modalities.index(name) for name in scales]
        over_levels = jax.vmap(right, in_axes=(None, 0))
        grid = jax.vmap(over_levels, in_axes=(0, None))(
            jnp.asarray(places, jnp.int32), jnp.arange(len(LEVELS))
        )
        logits = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), logits)
        return Probe(logits, jnp.moveaxis(grid, 2, 0))

    return probe


def _with_noise(
    batch: Mapping[str, Any], scales: Mapping[str, Any], level: jax.Array
) -> dict[str, Any]:
    """Inputs with noise in all modalities that can have it."""
    inputs = dict(batch["inputs"])
    for m, (name, scale) in enumerate(scales.items()):
        leaves, structure = jax.tree.flatten(inputs[name])
        # None is no leaf of a tree unless it is said to be.
        own = jax.tree.leaves(scale, is_leaf=lambda x: x is None)
        inputs[name] = jax.tree.unflatten(
            structure,
            [
                x
                if s is None
                else _added(
                    x,
                    jnp.broadcast_to(level * s, x.shape)
                    * _normal(batch["id"], (m, at), x.shape[1:]),
                )
                for at, (x, s) in enumerate(zip(leaves, own, strict=True))
            ],
        )
    return inputs


def _added(x: jax.Array, noise: jax.Array) -> jax.Array:
    if x.dtype != jnp.uint8:
        return x + noise
    noisy = jnp.round(x.astype(noise.dtype) + noise)
    return jnp.clip(noisy, 0, 255).astype(x.dtype)


def _normal(
    ids: jax.Array, place: tuple[int, int], shape: tuple[int, ...]
) -> jax.Array:
    """Standard normal numbers of examples, `[batch, *shape]`."""
    key = jax.random.key(_SEED)
    for number in place:
        key = jax.random.fold_in(key, number)
    return jax.vmap(
        lambda i: jax.random.normal(jax.random.fold_in(key, i), shape)
    )(ids)
