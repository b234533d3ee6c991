"""Optimisers by name, and their moments by parameter.

What is frozen has None in place of moments.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from arm_jax.config import OptimizerConfig
from arm_jax.errors import InputError
from arm_jax.models import Tuning

Params = Any


def create(
    config: OptimizerConfig,
    total_steps: int,
    tuning: Mapping[str, Tuning] | None = None,
    scales: Mapping[str, tuple[float, float]] | None = None,
    learning_rate: jax.Array | None = None,
) -> optax.GradientTransformation:
    """Builds the optimiser and its schedule over `total_steps`.

    Args:
      config: Optimiser and schedule.
      total_steps: Number of updates.
      tuning: By modality, how its encoder is trained, see `Model.tuning`.
      scales: Factors of learning rate and weight decay, by modality.
      learning_rate: That of `config` as an input of the program, a scalar, so
        that others have the same program.

    Raises:
      InputError: unknown optimiser or schedule; or encoders with a learning
        rate of their own beside one of 0.
    """
    # One step at least is left to be taken at the whole rate.
    warmup = min(round(config.warmup * total_steps), total_steps - 1)
    start = 1.0 if warmup == 0 else 0.0
    if config.schedule == "cosine":
        course = optax.warmup_cosine_decay_schedule(
            init_value=start,
            peak_value=1.0,
            warmup_steps=warmup,
            decay_steps=total_steps,
        )
    elif config.schedule == "constant":
        course = optax.warmup_constant_schedule(
            init_value=start, peak_value=1.0, warmup_steps=warmup
        )
    else:
        raise InputError(
            f"unknown optimizer.schedule '{config.schedule}'; known: "
            "constant, cosine"
        )
    rate = config.learning_rate if learning_rate is None else learning_rate
    schedule = lambda step: rate * course(step)
    decay = optax.add_decayed_weights(config.weight_decay)
    rates: tuple[optax.GradientTransformation, ...] = ()
    if scales:
        decay = _decayed(config.weight_decay, scales)
        rates = (_scaled(scales),)
    if config.name == "adamw":
        # As optax.adamw has it, but for the counts.
        optimizer = optax.chain(
            _scale_by_adam(),
            decay,
            optax.scale_by_learning_rate(schedule),
            *rates,
        )
    elif config.name == "sgd":
        optimizer = optax.chain(
            decay, optax.sgd(schedule, momentum=config.momentum), *rates
        )
    else:
        raise InputError(
            f"unknown optimizer.name '{config.name}'; known: adamw, sgd"
        )
    if config.clip_norm:
        optimizer = optax.chain(
            optax.clip_by_global_norm(config.clip_norm), optimizer
        )
    return _promoting(_tuned(optimizer, config.learning_rate, tuning or {}))


class _AdamState(NamedTuple):
    """State of `_scale_by_adam`.

    Attributes:
      count: Number of updates.
      own: That of each array of parameters, like the parameters.
      mu: First moments.
      nu: Second moments.
    """

    count: Any
    own: Any
    mu: Any
    nu: Any


def _scale_by_adam(
    b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> optax.GradientTransformation:
    """`optax.scale_by_adam` that counts the updates of each array.

    By one count alone, moments that start anew would be taken for old ones,
    which makes steps several times too large; and the count would go on for
    those that are held.
    """

    def init(params: Params) -> _AdamState:
        none = jnp.zeros([], jnp.int32)
        return _AdamState(
            count=none,
            own=jax.tree.map(lambda _: jnp.copy(none), params),
            mu=optax.tree.zeros_like(params),
            nu=optax.tree.zeros_like(params),
        )

    def update(gradients: Any, state: Any, params: Params = None) -> Any:
        del params
        mu = optax.tree.update_moment(gradients, state.mu, b1, 1)
        nu = optax.tree.update_moment_per_elem_norm(gradients, state.nu, b2, 2)
        count = optax.safe_increment(state.count)
        own = jax.tree.map(optax.safe_increment, state.own)

        def corrected(moments: Any, decay: float) -> Any:
            # All are divided by one number, as Optax does, since XLA divides
            # by many in another way. Where no update was missed the factor is
            # 1, and bits are those of Optax.
            def one(x: jax.Array, n: jax.Array) -> jax.Array:
                factor = (1 - decay**count) / (1 - decay**n)
                return x * jnp.where(n == count, 1, factor).astype(x.dtype)

            return optax.tree.bias_correction(
                jax.tree.map(one, moments, own), decay, count
            )

        updates = jax.tree.map(
            lambda m, v: m / (jnp.sqrt(v) + eps),
            corrected(mu, b1),
            corrected(nu, b2),
        )
        return updates, _AdamState(count, own, mu, nu)

    return optax.GradientTransformation(init, update)


def _tuned(
    optimizer: optax.GradientTransformation,
    learning_rate: float,
    tuning: Mapping[str, Tuning],
) -> optax.GradientTransformation:
    """Leaves out what is frozen, and gives encoders their own rates.

    Every optimiser here is linear in its learning rate, so that another rate on
    the same schedule is a factor.
    """
    if not any(
        t.frozen or t.learning_rate is not None for t in tuning.values()
    ):
        return optimizer
    for name, one in tuning.items():
        if one.learning_rate is not None and not learning_rate:
            raise InputError(
                f"config model.encoders.{name}.learning_rate needs an "
                "optimizer.learning_rate above 0, whose schedule it follows"
            )

    def trained(tree: Any) -> Any:
        return jax.tree_util.tree_map_with_path(
            lambda path, x: None if _is_frozen(tuning, path) else x, tree
        )

    def update(gradients: Any, state: Any, params: Params) -> tuple[Any, Any]:
        updates, state = optimizer.update(
            trained(gradients), state, trained(params)
        )

        def one(path: Any, gradient: jax.Array, update: Any) -> jax.Array:
            if update is None:
                return jnp.zeros_like(gradient)
            modality, rest = _encoder_of(path)
            own = tuning[modality].rate(rest) if modality in tuning else None
            return update if own is None else update * (own / learning_rate)

        return jax.tree_util.tree_map_with_path(one, gradients, updates), state

    return optax.GradientTransformation(
        lambda params: optimizer.init(trained(params)), update
    )


def _is_frozen(tuning: Mapping[str, Tuning], path: Any) -> bool:
    modality, rest = _encoder_of(path)
    return modality in tuning and rest in tuning[modality].frozen


def _encoder_of(path: Any) -> tuple[str, tuple[str, ...]]:
    """The modality of a parameter, and its path in the encoder."""
    keys = tuple(str(getattr(entry, "key", entry)) for entry in path)
    if len(keys) < 3 or keys[0] != "encoders":
        return "", ()
    return keys[1], keys[2:]


def _decayed(
    weight_decay: float, scales: Mapping[str, tuple[float, float]]
) -> optax.GradientTransformation:
    """Adds decayed weights, of some modalities more or less."""

    def update(updates: Params, params: Params) -> Params:
        return jax.tree.map_with_path(
            lambda path, g, p: g + weight_decay * _factor(scales, path, 1) * p,
            updates,
            params,
        )

    return optax.stateless(update)


def _scaled(
    scales: Mapping[str, tuple[float, float]],
) -> optax.GradientTransformation:
    """Scales updates, which is to scale learning rates."""

    def update(updates: Params, params: Params) -> Params:
        del params
        return jax.tree.map_with_path(
            lambda path, g: _factor(scales, path, 0) * g, updates
        )

    return optax.stateless(update)


def _factor(
    scales: Mapping[str, tuple[float, float]], path: Any, which: int
) -> float:
    """The factor of a parameter: of the encoder's or the method's own."""
    names = [str(getattr(entry, "key", "")) for entry in path[:2]]
    if len(names) < 2 or names[0] not in ("encoders", "method"):
        return 1.0
    return scales.get(names[1], (1.0, 1.0))[which]


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

    What belongs to no parameter, such as the steps of a schedule, has False;
    the number of updates that a parameter has had counts among its moments.
    """
    return optax.tree_map_params(
        optimizer,
        lambda moment, mark: None if moment is None else mark,
        opt_state,
        marks,
        transform_non_params=lambda _: False,
        is_leaf=lambda moment: moment is None,
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


def held_as_a_whole(held: Any, params: Params, kind: str) -> frozenset[str]:
    """Returns the parts of a kind all of whose parameters are held.

    Args:
      held: Tree of bools that begins like the parameters, or None.
      params: The parameters.
      kind: Key of the parts, such as "encoders".
    """
    if held is None:
        return frozenset()
    spread = lambda mark, part: jax.tree.map(lambda _: bool(mark), part)
    marks = jax.tree.map(spread, held, params)[kind]
    return frozenset(
        name for name, part in marks.items() if all(jax.tree.leaves(part))
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
