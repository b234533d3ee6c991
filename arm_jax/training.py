"""The training step and the prediction step, as pure functions."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from arm_jax import optimizers, parallel
from arm_jax.heads import OWN, bind_head
from arm_jax.methods import Context, Forward, Method, Step, terms
from arm_jax.methods import Variables as Variables
from arm_jax.models import Model, Params, State
from arm_jax.valuation import (
    Array,
    at_label,
    batch_first,
    conditional_contributions,
    is_right,
    joint_contribution,
    subset_log_probs,
)

_BITS = 1 / math.log(2)
# Decay a step of the running means of features.
_MEAN_DECAY = 0.99


class TrainState(flax.struct.PyTreeNode):
    """Everything that a step changes, and the key it draws from.

    `key` stays the same: step t uses `fold_in(key, t)`, so that a resumed run
    draws what the uninterrupted one would have drawn.
    """

    step: jax.Array
    variables: Variables
    opt_state: optax.OptState
    key: jax.Array


def create_state(
    model: Model,
    method: Method,
    optimizer: optax.GradientTransformation,
    seed: int | jax.Array,
) -> TrainState:
    """Initialises everything from `seed`; vmap over seeds for several runs."""
    init_key, step_key = jax.random.split(jax.random.key(seed))
    params, model_state = model.init(init_key)
    context = Context(
        model.modalities,
        model.num_classes,
        model.widths,
        params,
        model_state,
        model.labels,
    )
    own = method.parameters(context, jax.random.fold_in(init_key, 1))
    if jax.tree.leaves(own):
        params = {**params, OWN: own}
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
    missing: bool = False,
) -> Callable[[TrainState, Mapping[str, Any]], tuple[TrainState, dict]]:
    """Returns `train_step(state, batch, phase=None) -> (state, metrics)`.

    The function is pure; `phase` is static, see `Method.phase`. Gradients,
    metrics and what the loss carries over are averaged over `axis_name` if
    there is one, so all its outputs are equal on all devices; without it the
    same function runs under plain jit.

    Args:
      model: Model.
      method: Method with its options.
      optimizer: Gradient transformation.
      log_prior: log p(y) of the training split, `[classes]` or `[labels, 2]`.
      axis_name: Name of the mapped device axis.
      missing: Whether examples lack modalities: what a batch masks is then
        blank from the inputs on, and means of features are over those that
        have the modality.
    """

    def turn(
        state: TrainState, batch: Mapping[str, Any], number: int, phase: Any
    ) -> tuple[TrainState, tuple[dict, State]]:
        common = jax.random.fold_in(state.key, state.step)
        combine_key, encode_key, loss_key = jax.random.split(common, 3)
        if axis_name is not None:
            encode_key = jax.random.fold_in(
                encode_key, jax.lax.axis_index(axis_name)
            )
        variables = state.variables
        if missing:
            batch = blank(batch, model.modalities)
        held = method.held(variables.params, number, phase)
        resting = optimizers.held_as_a_whole(held, variables.params, "encoders")

        def objective(params: Params) -> tuple[dict[str, jax.Array], tuple]:
            now = variables.replace(params=params)
            features, encoders = model.encode(
                params,
                variables.state,
                batch["inputs"],
                train=True,
                key=encode_key,
                axis_name=axis_name,
                resting=resting,
            )
            features = {
                name: jax.lax.stop_gradient(x) if name in resting else x
                for name, x in features.items()
            }
            if missing:
                features = zero_where_missing(features, batch)
            head, model_head = (
                bind_head(model, m, now, batch) for m in (method, Method())
            )
            forward = Forward(
                features=features,
                head=head,
                log_prior=log_prior,
                step=state.step,
                memory=variables.memory,
                turn=number,
                phase=phase,
                parameters=params.get(OWN, ()),
                axis_name=axis_name,
                key=loss_key,
                model_head=model_head,
                encode=lambda encoders, kept: model.encode(
                    {"encoders": encoders}, {"encoders": kept}, batch["inputs"]
                )[0],
            )
            losses = method.losses(forward, batch)
            # As of this batch; those of features are not averaged yet.
            seen = {
                "encoders": encoders,
                "means": {name: f.mean(axis=0) for name, f in features.items()},
                "shares": batch["mask"].mean(axis=0) if missing else (),
            }
            metrics = losses.metrics | _measurements(forward, batch, missing)
            return losses.values, (metrics, losses.carry, seen)

        values, (metrics, carry, seen), by_loss = _differentiate(
            objective, variables.params
        )
        by_loss, metrics, carry, seen = parallel.pmean(
            (by_loss, metrics | _by_name(values), carry, seen), axis_name
        )
        step = Step(
            by_loss, variables.params, variables.memory, carry, combine_key
        )
        gradients, memory = method.combine(step), method.remember(step)
        updates, opt_state = optimizer.update(
            gradients, state.opt_state, variables.params
        )
        params = optax.apply_updates(variables.params, updates)
        if held is not None:
            params, opt_state = optimizers.hold(
                optimizer,
                held,
                (variables.params, state.opt_state),
                (params, opt_state),
            )
            # As far as it is not undone, for what is logged.
            updates = jax.tree.map(jnp.subtract, params, variables.params)
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
        state: TrainState, batch: Mapping[str, Any], phase: Any = None
    ) -> tuple[TrainState, dict]:
        for number in range(method.turns(len(model.modalities))):
            state, (metrics, seen) = turn(state, batch, number, phase)
        # The model's state is that of the last turn: one update per batch, and
        # the other turns need encode no more than their loss does.
        before = state.variables.state["means"]
        if missing:
            seen["means"] = _over_present(before, seen["means"], seen["shares"])
        means = jax.tree.map(
            lambda old, new: _MEAN_DECAY * old + (1 - _MEAN_DECAY) * new,
            before,
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


def _differentiate(
    objective: Callable[[Params], tuple[dict[str, jax.Array], Any]],
    params: Params,
) -> tuple[dict[str, jax.Array], Any, dict[str, Params]]:
    """Returns the values by name, what goes with them, and their gradients.

    Each value has a backward pass of its own, through the same forward pass:
    XLA makes one of what is traced for each.
    """

    def of_first(params: Params) -> tuple[jax.Array, Any]:
        values, rest = objective(params)
        return values[min(values)], (values, rest)

    (_, (values, rest)), gradient = jax.value_and_grad(of_first, has_aux=True)(
        params
    )
    first, *others = sorted(values)
    gradients = {first: gradient}
    for name in others:
        gradients[name] = jax.grad(lambda p, n=name: objective(p)[0][n])(params)
    return values, rest, gradients


def _by_name(values: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """What is logged of losses: their sum, and each if there are several."""
    if len(values) == 1:
        return {"loss": next(iter(values.values()))}
    each = {f"loss_{name}": value for name, value in values.items()}
    return each | {"loss": functools.reduce(jnp.add, values.values())}


def blank(
    batch: Mapping[str, Any], modalities: Sequence[str]
) -> Mapping[str, Any]:
    """Returns a batch whose inputs are 0 where the mask is.

    So that nothing, be it NaN, has a say in the place of what is missing. A
    batch of which nothing is missing may lack the mask, and stays as it is.
    """
    present = batch.get("mask")
    if present is None:
        return batch

    def blanked(x: jax.Array, own: jax.Array) -> jax.Array:
        own = jnp.broadcast_to(own.reshape(-1, *(1,) * (x.ndim - 1)), x.shape)
        return jnp.where(own > 0, x, jnp.zeros_like(x))

    inputs = {
        name: jax.tree.map(
            lambda x, m=m: blanked(x, present[:, m]), batch["inputs"][name]
        )
        for m, name in enumerate(modalities)
    }
    return {**batch, "inputs": inputs}


def zero_where_missing(
    features: Mapping[str, jax.Array], batch: Mapping[str, Any]
) -> dict[str, jax.Array]:
    """Returns features that are 0 where the mask of the batch is.

    What an encoder makes of a blank is nothing to go by. A batch of which
    nothing is missing may lack the mask.
    """
    present = batch.get("mask")
    if present is None:
        return dict(features)
    return {
        name: jnp.where(present[:, m, None] > 0, x, jnp.zeros_like(x))
        for m, (name, x) in enumerate(features.items())
    }


def _over_present(
    old: Mapping[str, jax.Array],
    means: Mapping[str, jax.Array],
    shares: jax.Array,
) -> dict[str, jax.Array]:
    """Means over the examples that have the modality; the old one of none."""
    least = jnp.finfo(shares.dtype).tiny
    return {
        name: jnp.where(
            shares[m] > 0,
            means[name] / jnp.maximum(shares[m], least),
            old[name],
        )
        for m, name in enumerate(means)
    }


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
        batch = blank(batch, model.modalities)
        encoded, _ = model.encode(
            variables.params, variables.state, batch["inputs"]
        )
        found = zero_where_missing(encoded, batch)
        head = bind_head(model, method, variables, batch)
        log_probs = batch_first(subset_log_probs(head, found))
        return (log_probs, found) if features else log_probs

    return predict


def _measurements(
    forward: Forward, batch: Mapping[str, Any], missing: bool
) -> dict:
    """What every method logs: accuracy, and contributions in bits.

    Of several labels, accuracy is the share of them that is right; of a number
    the share of its variance in the training split that is explained.
    Copies with fewer modalities have no contributions and do not count, unless
    examples lack some, too: then it is measured as in `evaluation.summarize`.
    """
    label, mask = batch["label"], batch["mask"]
    log_probs = jax.lax.stop_gradient(forward.log_probs())
    right = is_right(log_probs.full, label)
    weight = jnp.ones_like(mask[:, 0]) if missing else terms.complete(batch)
    contributions = conditional_contributions(log_probs, label)
    weighted = [(contributions, weight)]
    if missing:
        weighted = list(zip(contributions, mask.T, strict=True))
    accuracy, cross_entropy, joint, *phi = parallel.means(
        [
            (right.astype(weight.dtype), weight),
            (-at_label(log_probs.full, label), weight),
            (joint_contribution(log_probs, forward.log_prior, label), weight),
            *weighted,
        ],
        forward.axis_name,
    )
    by_modality = phi if missing else phi[0]
    return {
        "accuracy": accuracy,
        "cross_entropy": cross_entropy,
        "phi_mi": joint * _BITS,
    } | {
        f"phi_cmi_{name}": by_modality[m] * _BITS
        for m, name in enumerate(forward.features)
    }
