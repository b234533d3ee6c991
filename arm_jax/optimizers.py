"""Optimisers by name, and their moments by parameter."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from arm_jax.config import OptimizerConfig
from arm_jax.errors import InputError

Params = Any


def create(
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


def _moments(
    optimizer: optax.GradientTransformation, opt_state: Any, marks: Params
) -> Any:
    """Returns `opt_state` with the mark of its parameter for each moment.

    What belongs to no parameter, such as the number of updates, has False.
    """
    return optax.tree_map_params(
        optimizer,
        lambda _, mark: mark,
        opt_state,
        marks,
        transform_non_params=lambda _: False,
    )


def hold(
    optimizer: optax.GradientTransformation,
    held: Any,
    old: tuple[Params, Any],
    new: tuple[Params, Any],
) -> tuple[Params, Any]:
    """Undoes an update of the parameters that are held.

    Args:
      optimizer: Gradient transformation.
      held: Tree of bools that begins like the parameters.
      old: Parameters, and state of the optimiser, before the update.
      new: Both after it.

    Returns:
      Both, with what is held and its moments as before.
    """
    spread = lambda mark, part: jax.tree.map(lambda _: bool(mark), part)
    marks = jax.tree.map(spread, held, new[0])
    kept = lambda mark, before, after: before if mark else after
    return (
        jax.tree.map(kept, marks, old[0], new[0]),
        jax.tree.map(kept, _moments(optimizer, new[1], marks), old[1], new[1]),
    )


def renewed_moments(
    optimizer: optax.GradientTransformation,
    opt_state: Any,
    params: Params,
    renewed: Params,
) -> Any:
    """Returns `opt_state` with some moments as they are at the start.

    Args:
      optimizer: Gradient transformation.
      opt_state: Its state.
      params: Parameters.
      renewed: Booleans, a scalar for each array of parameters: whether its
        moments start anew.
    """
    marks = _moments(optimizer, opt_state, renewed)
    return jax.tree.map(
        lambda mark, new, old: jnp.where(mark, new, old),
        marks,
        optimizer.init(params),
        opt_state,
    )
