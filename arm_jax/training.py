"""The training step and the prediction step, as pure functions."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from arm_jax import parallel
from arm_jax.config import OptimizerConfig
from arm_jax.errors import InputError
from arm_jax.methods import Forward, Loss
from arm_jax.models import Model, Params
from arm_jax.valuation import (
    Subsets,
    at_label,
    conditional_contributions,
    joint_contribution,
    subset_log_probs,
)

_BITS = 1 / math.log(2)


class TrainState(flax.struct.PyTreeNode):
    """Everything that a step changes, and the key it draws from.

    `key` stays the same: step t uses `fold_in(key, t)`, so that a resumed run
    draws what the uninterrupted one would have drawn.
    """

    step: jax.Array
    params: Params
    opt_state: optax.OptState
    key: jax.Array


def create_optimizer(
    config: OptimizerConfig, total_steps: int
) -> optax.GradientTransformation:
    """Builds the optimiser and its schedule over `total_steps`.

    Raises:
      InputError: unknown optimiser or schedule.
    """
    warmup = round(config.warmup * total_steps)
    if config.schedule == "cosine":
        schedule = optax.warmup_cosine_decay_schedule(
            init_value=config.learning_rate if warmup == 0 else 0.0,
            peak_value=config.learning_rate,
            warmup_steps=warmup,
            decay_steps=total_steps,
        )
    elif config.schedule == "constant":
        schedule = optax.warmup_constant_schedule(
            init_value=config.learning_rate if warmup == 0 else 0.0,
            peak_value=config.learning_rate,
            warmup_steps=warmup,
        )
    else:
        raise InputError(
            f"unknown optimizer.schedule '{config.schedule}'; known: "
            "constant, cosine"
        )
    if config.name == "adamw":
        optimizer = optax.adamw(schedule, weight_decay=config.weight_decay)
    elif config.name == "sgd":
        optimizer = optax.chain(
            optax.add_decayed_weights(config.weight_decay),
            optax.sgd(schedule, momentum=config.momentum),
        )
    else:
        raise InputError(
            f"unknown optimizer.name '{config.name}'; known: adamw, sgd"
        )
    if config.clip_norm:
        return optax.chain(
            optax.clip_by_global_norm(config.clip_norm), optimizer
        )
    return optimizer


def create_state(
    model: Model, optimizer: optax.GradientTransformation, seed: int
) -> TrainState:
    """Initialises parameters and optimiser from `seed`."""
    init_key, step_key = jax.random.split(jax.random.key(seed))
    params = jax.jit(model.init)(init_key)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=optimizer.init(params),
        key=step_key,
    )


def make_train_step(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    log_prior: jax.Array,
    *,
    dropout: bool = False,
    axis_name: str | None = None,
) -> Callable[[TrainState, Mapping[str, Any]], tuple[TrainState, dict]]:
    """Returns `train_step(state, batch) -> (state, metrics)`.

    The function is pure. Gradients and metrics are averaged over `axis_name`
    if there is one, so all its outputs are equal on all devices; without it
    the same function runs under plain jit.

    Args:
      model: the model.
      loss: a method's loss, options bound.
      optimizer: the gradient transformation.
      log_prior: log p(y) of the training split, `[classes]`.
      dropout: draw dropout masks.
      axis_name: of the mapped device axis.
    """

    def train_step(
        state: TrainState, batch: Mapping[str, Any]
    ) -> tuple[TrainState, dict]:
        key = jax.random.fold_in(state.key, state.step)
        if axis_name is not None:
            key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))

        def objective(params: Params) -> tuple[jax.Array, dict]:
            features = model.encode(
                params, batch["inputs"], key if dropout else None
            )
            forward = Forward(
                features=features,
                head=lambda f, mask: model.head(params, f, mask),
                log_prior=log_prior,
                step=state.step,
                axis_name=axis_name,
            )
            value, metrics = loss(forward, batch)
            return value, metrics | _measurements(forward, batch["label"])

        (value, metrics), gradients = jax.value_and_grad(
            objective, has_aux=True
        )(state.params)
        gradients = parallel.pmean(gradients, axis_name)
        updates, opt_state = optimizer.update(
            gradients, state.opt_state, state.params
        )
        params = optax.apply_updates(state.params, updates)
        metrics = parallel.pmean(metrics | {"loss": value}, axis_name) | {
            "gradient_norm": optax.tree.norm(gradients),
            "update_norm": optax.tree.norm(updates),
            "parameter_norm": optax.tree.norm(params),
        }
        state = state.replace(
            step=state.step + 1, params=params, opt_state=opt_state
        )
        return state, metrics

    return train_step


def make_predict_step(
    model: Model,
) -> Callable[[Params, Mapping[str, Any]], Subsets]:
    """Returns `predict(params, batch) -> log-probabilities of all subsets`.

    Arrays have the batch axis first, `[batch, (modalities,) classes]`, so that
    devices and padding can be merged and cut without knowing the subset.
    """

    def predict(params: Params, batch: Mapping[str, Any]) -> Subsets:
        features = model.encode(params, batch["inputs"], None)
        log_probs = subset_log_probs(
            lambda f, mask: model.head(params, f, mask), features
        )
        return Subsets(
            log_probs.full,
            jnp.moveaxis(log_probs.alone, 0, 1),
            jnp.moveaxis(log_probs.without, 0, 1),
        )

    return predict


def _measurements(forward: Forward, label: jax.Array) -> dict:
    """What every method logs: accuracy, and contributions in bits."""
    log_probs = jax.lax.stop_gradient(forward.log_probs())
    right = log_probs.full.argmax(axis=-1) == label
    phi = conditional_contributions(log_probs, label).mean(axis=-1) * _BITS
    joint = joint_contribution(log_probs, forward.log_prior, label)
    return {
        "accuracy": right.mean(),
        "cross_entropy": -at_label(log_probs.full, label).mean(),
        "phi_mi": joint.mean() * _BITS,
    } | {f"phi_cmi_{name}": phi[m] for m, name in enumerate(forward.features)}
