"""A multimodal classifier as pure functions of its parameters and its state."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax.config import ModelConfig
from arm_jax.errors import InputError, check_known
from arm_jax.models import encoders, fusions

Params = Any
State = Any
Features = dict[str, jax.Array]

_PARAMS = "params"


class Model(NamedTuple):
    """Encoders and a fusion.

    Attributes:
      modalities: Names, sorted; the order of masks.
      num_classes: Number of labels.
      widths: Width of the features, by modality.
      additive: Whether logits are a sum of terms of the single modalities.
      init: `init(key) -> (params, state)`. The parameters are `{"encoders":
        {modality: ...}, "head": ...}`. The state is `{"encoders": {modality:
        ...}, "means": {modality: [width]}}`: what encoders keep, such as the
        running statistics of batch normalisation, for the modalities that keep
        anything, and the running means of features, which training updates.
      encode: `encode(params, state, inputs, *, train, key, axis_name, resting)
        -> (features, state of encoders)`: the features `[batch, width]` of
        each modality by name. In training, dropout draws from `key`, and
        statistics are those of the batch, over `axis_name` if there is one;
        but the encoders of modalities in `resting` run as without `train`.
      head: `head(params, features, mask, state) -> logits`: `[batch, classes]`
        from the modalities whose entry of `mask`, `[modalities]` or
        `[batch, modalities]`, is not 0; one that is not 1 either scales what
        the modality adds. vmap over masks evaluates all subsets on features
        computed once.
    """

    modalities: tuple[str, ...]
    num_classes: int
    widths: dict[str, int]
    additive: bool
    init: Callable[[jax.Array], tuple[Params, State]]
    encode: Callable[..., tuple[Features, State]]
    head: Callable[..., jax.Array]


class _Named(nn.Module):
    """Gives an encoder the path that its random numbers are derived from."""

    encoders: dict[str, nn.Module]

    def __call__(self, x: Any, *, train: bool) -> jax.Array:
        (module,) = self.encoders.values()
        return module(x, train=train)


def create_model(
    config: ModelConfig,
    specs: Mapping[str, Any],
    num_classes: int,
    fusion: str = "",
) -> Model:
    """Builds the model for modalities whose examples are of given shapes.

    Args:
      config: Encoders and fusion.
      specs: By modality: the shape of one example, a tuple; or its shape and
        type, a `jax.ShapeDtypeStruct`; or a pytree of those.
      num_classes: Number of labels.
      fusion: Name of the fusion that a method needs; empty for any.

    Raises:
      InputError: Unknown encoder, fusion, option or modality; an encoder that
        does not fit its modality; a fusion that cannot leave a modality out,
        or another one than the method needs.
    """
    # By name, which is the order that JAX gives a dict it has looked into.
    modalities = tuple(sorted(specs))
    examples = {name: _example(spec) for name, spec in specs.items()}
    for name in config.encoders:
        check_known("config model.encoders has", name, modalities)
    shared = {
        "hidden": config.hidden,
        "features": config.features,
        "dropout": config.dropout,
    }
    factories = {
        name: encoders.create(
            f"model.encoders.{name}",
            {"name": config.encoder} | dict(config.encoders.get(name, {})),
            shared,
        )
        for name in modalities
    }

    def branch(name: str, axis_name: str | None = None) -> _Named:
        shape = encoders.shape_of(examples[name])
        module = factories[name](shape, axis_name=axis_name)
        return _Named({name: module})

    def initial(name: str, key: jax.Array) -> tuple[Params, State]:
        x = _batch_of_one(examples[name])
        variables = branch(name).init(key, x, train=False)
        return _without(name, variables)

    def applied(name: str, key: jax.Array) -> jax.Array:
        x = _batch_of_one(examples[name])
        return branch(name).init_with_output(key, x, train=False)[0]

    key = jax.eval_shape(lambda: jax.random.key(0))
    widths = {
        name: _width(name, jax.eval_shape(lambda k, n=name: applied(n, k), key))
        for name in modalities
    }
    head_module = _create_fusion(config, fusion, widths, num_classes)

    def init(key: jax.Array) -> tuple[Params, State]:
        params: dict[str, Params] = {}
        states: dict[str, State] = {}
        for name in modalities:
            params[name], kept = initial(name, key)
            if kept:
                states[name] = kept
        means = {name: jnp.zeros(width) for name, width in widths.items()}
        features = {name: jnp.zeros((1, w)) for name, w in widths.items()}
        mask = jnp.ones(len(modalities))
        head = head_module.init(key, features, mask, means)[_PARAMS]
        return (
            {"encoders": params, "head": head},
            {"encoders": states, "means": means},
        )

    def encode(
        params: Params,
        state: State,
        inputs: Mapping[str, Any],
        *,
        train: bool = False,
        key: Any = None,
        axis_name: str | None = None,
        resting: Collection[str] = (),
    ) -> tuple[Features, State]:
        rngs = None if key is None else {"dropout": key}
        features: Features = {}
        states = dict(state["encoders"])
        for name in modalities:
            module = branch(name, axis_name)
            variables = _with(
                name, params["encoders"][name], states.get(name, {})
            )
            trains = train and name not in resting
            if trains and name in states:
                features[name], new = module.apply(
                    variables,
                    inputs[name],
                    train=True,
                    rngs=rngs,
                    mutable=list(states[name]),
                )
                states[name] = _without(name, new)[1]
            else:
                features[name] = module.apply(
                    variables, inputs[name], train=trains, rngs=rngs
                )
        return features, states

    def head(
        params: Params,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        state: State,
    ) -> jax.Array:
        return head_module.apply(
            {_PARAMS: params["head"]}, features, mask, state["means"]
        )

    return Model(
        modalities,
        num_classes,
        widths,
        head_module.additive,
        init,
        encode,
        head,
    )


def _example(spec: Any) -> Any:
    """Shapes and types of an example; a tuple of numbers is one of float32."""
    if isinstance(spec, tuple):
        return jax.ShapeDtypeStruct(spec, jnp.float32)
    return spec


def _batch_of_one(example: Any) -> Any:
    return jax.tree.map(lambda x: jnp.zeros((1, *x.shape), x.dtype), example)


def _create_fusion(
    config: ModelConfig,
    needed: str,
    widths: Mapping[str, int],
    num_classes: int,
) -> Any:
    block = dict(config.fusion)
    name = block.setdefault("name", needed or "concat")
    if needed and name != needed:
        raise InputError(
            f"config model.fusion.name is '{name}'; the method needs '{needed}'"
        )
    shared = {"head": config.head, "absent": config.absent}
    module = fusions.create("model.fusion", block, shared)(widths, num_classes)
    if not module.masks:
        raise InputError(
            f"config model.fusion: '{name}' cannot leave a modality out, by "
            "which contributions are measured in every method"
        )
    return module


def _width(name: str, features: Any) -> int:
    """Returns the width of features `[1, width]`.

    Raises:
      InputError: They have another shape.
    """
    if features.ndim != 2 or features.shape[0] != 1:
        raise InputError(
            f"config model.encoders.{name}: features must be [batch, width], "
            f"got {features.shape} for a batch of 1"
        )
    return int(features.shape[1])


def _with(name: str, params: Params, state: State) -> dict[str, Any]:
    """Returns the collections of one encoder under the path of its `_Named`."""
    path = f"encoders_{name}"
    collections = {_PARAMS: params} | dict(state)
    return {kind: {path: tree} for kind, tree in collections.items() if tree}


def _without(name: str, variables: Mapping[str, Any]) -> tuple[Params, State]:
    """Undoes `_with`: parameters and state of an encoder."""
    path = f"encoders_{name}"
    collections = {kind: tree[path] for kind, tree in variables.items()}
    params = collections.pop(_PARAMS, {})
    return params, collections
