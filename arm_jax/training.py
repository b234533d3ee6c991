"""The training step and the prediction step, as pure functions."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from arm_jax import parallel, shapley
from arm_jax.config import OptimizerConfig
from arm_jax.errors import InputError
from arm_jax.methods import Context, Forward, Memory, Method, terms
from arm_jax.models import Model, Params, State
from arm_jax.valuation import (
    Array,
    Head,
    Subsets,
    at_label,
    conditional_contributions,
    is_right,
    joint_contribution,
    masks_for,
    subset_log_probs,
)

_BITS = 1 / math.log(2)
# Key of the method's own parameters among those of the model.
_OWN = "method"
# Decay a step of the running means of features.
_MEAN_DECAY = 0.99


class Variables(flax.struct.PyTreeNode):
    """What a prediction needs.

    Attributes:
      params: Parameters of the model, and of the method under "method".
      state: State of the model, see arm_jax.models.Model.
      memory: What the method keeps.
    """

    params: Params
    state: State
    memory: Memory


class TrainState(flax.struct.PyTreeNode):
    """Everything that a step changes, and the key it draws from.

    `key` stays the same: step t uses `fold_in(key, t)`, so that a resumed run
    draws what the uninterrupted one would have drawn.
    """

    step: jax.Array
    variables: Variables
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
    start = config.learning_rate if warmup == 0 else 0.0
    if config.schedule == "cosine":
        schedule = optax.warmup_cosine_decay_schedule(
            init_value=start,
            peak_value=config.learning_rate,
            warmup_steps=warmup,
            decay_steps=total_steps,
        )
    elif config.schedule == "constant":
        schedule = optax.warmup_constant_schedule(
            init_value=start,
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
        optimizer = optax.chain(
            optax.clip_by_global_norm(config.clip_norm), optimizer
        )
    return _promoting(optimizer)


def _promoting(
    optimizer: optax.GradientTransformation,
) -> optax.GradientTransformation:
    """Lets Optax multiply floats by integer counts, whatever JAX is set to."""

    def update(*arguments: Any) -> Any:
        with jax.numpy_dtype_promotion("standard"):
            return optimizer.update(*arguments)

    return optax.GradientTransformation(optimizer.init, update)


def create_state(
    model: Model,
    method: Method,
    optimizer: optax.GradientTransformation,
    seed: int | jax.Array,
) -> TrainState:
    """Initialises everything from `seed`; vmap over seeds for several runs."""
    init_key, step_key = jax.random.split(jax.random.key(seed))
    params, model_state = model.init(init_key)
    context = Context(model.modalities, model.num_classes, model.widths)
    if method.parameters is not None:
        own_key = jax.random.fold_in(init_key, 1)
        params = {**params, _OWN: method.parameters(context, own_key)}
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        variables=Variables(
            params=params,
            state=model_state,
            memory=method.init(context, jax.random.fold_in(init_key, 2)),
        ),
        opt_state=optimizer.init(params),
        key=step_key,
    )


def make_train_step(
    model: Model,
    method: Method,
    optimizer: optax.GradientTransformation,
    log_prior: Array,
    *,
    axis_name: str | None = None,
) -> Callable[[TrainState, Mapping[str, Any]], tuple[TrainState, dict]]:
    """Returns `train_step(state, batch) -> (state, metrics)`.

    The function is pure. Gradients and metrics are averaged over `axis_name`
    if there is one, so all its outputs are equal on all devices; without it
    the same function runs under plain jit.

    Args:
      model: the model.
      method: the method, options bound.
      optimizer: the gradient transformation.
      log_prior: log p(y) of the training split, `[classes]`.
      axis_name: of the mapped device axis.
    """

    def turn(
        state: TrainState, batch: Mapping[str, Any], number: int
    ) -> tuple[TrainState, tuple[dict, State]]:
        common = jax.random.fold_in(state.key, state.step)
        update_key, encode_key, loss_key = jax.random.split(common, 3)
        if axis_name is not None:
            encode_key = jax.random.fold_in(
                encode_key, jax.lax.axis_index(axis_name)
            )
        variables = state.variables

        def objective(params: Params) -> tuple[jax.Array, tuple]:
            now = variables.replace(params=params)
            features, encoders = model.encode(
                params,
                variables.state,
                batch["inputs"],
                train=True,
                key=encode_key,
                axis_name=axis_name,
            )
            head = bind_head(model, method, now)
            forward = Forward(
                features=features,
                head=lambda f, mask: head(
                    f, jnp.atleast_2d(mask) * batch["mask"]
                ),
                log_prior=log_prior,
                step=state.step,
                memory=variables.memory,
                turn=number,
                parameters=params.get(_OWN, ()),
                axis_name=axis_name,
                key=loss_key,
            )
            value, metrics = method.loss(forward, batch)
            # As of this batch; those of features are not averaged yet.
            seen = {
                "encoders": encoders,
                "means": {name: f.mean(axis=0) for name, f in features.items()},
            }
            return value, (metrics | _measurements(forward, batch), seen)

        (value, (metrics, seen)), gradients = jax.value_and_grad(
            objective, has_aux=True
        )(variables.params)
        gradients, metrics, seen = parallel.pmean(
            (gradients, metrics | {"loss": value}, seen), axis_name
        )
        memory = variables.memory
        if method.update is not None:
            gradients, memory = method.update(
                gradients, metrics, memory, update_key
            )
        updates, opt_state = optimizer.update(
            gradients, state.opt_state, variables.params
        )
        params = optax.apply_updates(variables.params, updates)
        metrics |= {
            "gradient_norm": optax.tree.norm(gradients),
            "update_norm": optax.tree.norm(updates),
            "parameter_norm": optax.tree.norm(params),
        }
        return state.replace(
            variables=variables.replace(params=params, memory=memory),
            opt_state=opt_state,
        ), (metrics, seen)

    def train_step(
        state: TrainState, batch: Mapping[str, Any]
    ) -> tuple[TrainState, dict]:
        for number in range(method.turns(len(model.modalities))):
            state, (metrics, seen) = turn(state, batch, number)
        # The model's state is that of the last turn: one update per batch, and
        # the other turns need encode no more than their loss does.
        means = jax.tree.map(
            lambda old, new: _MEAN_DECAY * old + (1 - _MEAN_DECAY) * new,
            state.variables.state["means"],
            seen["means"],
        )
        variables = state.variables.replace(
            state={"encoders": seen["encoders"], "means": means}
        )
        metrics |= {
            f"state_norm_{name}": optax.tree.norm(kept)
            for name, kept in seen["encoders"].items()
        }
        return state.replace(step=state.step + 1, variables=variables), metrics

    return train_step


def bind_head(model: Model, method: Method, variables: Variables) -> Head:
    """Returns `head(features, mask) -> logits` of the trained method."""

    def plain(features: Mapping[str, jax.Array], mask: jax.Array) -> jax.Array:
        return model.head(variables.params, features, mask, variables.state)

    if method.fuse is None:
        return plain
    fuse = method.fuse
    own = () if method.parameters is None else (variables.params[_OWN],)
    return lambda features, mask: fuse(
        plain, features, mask, variables.memory, *own
    )


def make_predict_step(
    model: Model, method: Method, *, features: bool = False
) -> Callable[[Variables, Mapping[str, Any]], Any]:
    """Returns `predict(variables, batch) -> log-probabilities of all subsets`.

    Arrays have the batch axis first, `[batch, (modalities,) classes]`, so that
    devices and padding can be merged and cut without knowing the subset. With
    `features` the result is the pair (log-probabilities, features). Labels are
    not looked at.
    """

    def predict(variables: Variables, batch: Mapping[str, Any]) -> Any:
        found, _ = model.encode(
            variables.params, variables.state, batch["inputs"]
        )
        head = bind_head(model, method, variables)
        log_probs = subset_log_probs(head, found)
        log_probs = Subsets(
            log_probs.full,
            jnp.moveaxis(log_probs.alone, 0, 1),
            jnp.moveaxis(log_probs.without, 0, 1),
        )
        return (log_probs, found) if features else log_probs

    return predict


def make_correct_step(
    model: Model, method: Method
) -> Callable[[Variables, Mapping[str, Any]], jax.Array]:
    """Returns `correct(variables, batch) -> [batch, 2 ** modalities]`.

    Whether the prediction of each subset, in the order of
    `shapley.coalitions`, is right: 1 or 0.
    """
    coalitions = shapley.coalitions(len(model.modalities))

    def correct(variables: Variables, batch: Mapping[str, Any]) -> jax.Array:
        features, _ = model.encode(
            variables.params, variables.state, batch["inputs"]
        )
        head = bind_head(model, method, variables)
        masks = masks_for(features, coalitions)
        logits = jax.vmap(head, in_axes=(None, 0))(features, masks)
        return is_right(logits, batch["label"]).T.astype(jnp.float32)

    return correct


def _measurements(forward: Forward, batch: Mapping[str, Any]) -> dict:
    """What every method logs: accuracy, and contributions in bits.

    Copies with fewer modalities have no contributions and do not count.
    """
    label = batch["label"]
    log_probs = jax.lax.stop_gradient(forward.log_probs())
    right = is_right(log_probs.full, label)
    weight = terms.complete(batch)
    phi = forward.mean(conditional_contributions(log_probs, label), weight)
    joint = joint_contribution(log_probs, forward.log_prior, label)
    return {
        "accuracy": forward.mean(right.astype(weight.dtype), weight),
        "cross_entropy": forward.mean(-at_label(log_probs.full, label), weight),
        "phi_mi": forward.mean(joint, weight) * _BITS,
    } | {
        f"phi_cmi_{name}": phi[m] * _BITS
        for m, name in enumerate(forward.features)
    }
