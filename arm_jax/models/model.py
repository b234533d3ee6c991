"""A multimodal classifier as pure functions of its parameters and its state."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from arm_jax.config import ModelConfig
from arm_jax.errors import InputError, check_known
from arm_jax.gaussian import Gaussian
from arm_jax.models import fusions
from arm_jax.models.branch import Branch
from arm_jax.models.tuning import Tuning

Params = Any
State = Any
Features = dict[str, jax.Array]

_PARAMS = "params"


class Model(NamedTuple):
    """Encoders and a fusion.

    Attributes:
      modalities: Names, sorted; the order of masks.
      num_classes: Number of classes; 2 where there are several labels.
      widths: Width of the features, by modality.
      additive: Whether logits are a sum of terms of the single modalities.
      tuning: How the encoder of each modality is trained.
      vocabularies: Number of tokens, for the encoders that have a vocabulary.
      init: `init(key) -> (params, state)`, random. The parameters are
        `{"encoders": {modality: ...}, "head": ...}`. The state is `{"encoders":
        {modality: ...}, "means": {modality: [width]}}`: what encoders keep,
        such as the running statistics of batch normalisation, for the
        modalities that keep anything, and the running means of features, which
        training updates.
      load: `load(params, state) -> (params, state)` with the weights of files
        in their places, on the host; an axis of runs in front of all arrays
        stays.
      encode: `encode(params, state, inputs, *, train, key, axis_name, resting)
        -> (features, state of encoders)`: the features `[batch, width]` of each
        modality by name. In training, dropout draws from `key`, and statistics
        are those of the batch, over `axis_name` if there is one; but the
        encoders of modalities in `resting` run as without `train`. What is
        frozen gets no gradient. Features are float32, whatever encoders compute
        in.
      head: `head(params, features, mask, state) -> logits`: `[batch, classes]`
        from the modalities whose entry of `mask`, `[modalities]` or
        `[batch, modalities]`, is not 0; one that is not 1 either scales what
        the modality adds. vmap over masks evaluates all subsets on features
        computed once. Of several labels, logits are `[batch, labels, 2]`.
      labels: Number of labels that an example has at once, each 0 or 1, or of
        numbers; 0 where it has one class or number.
      regression: Whether numbers are predicted: `head` returns a `Gaussian`.
    """

    modalities: tuple[str, ...]
    num_classes: int
    widths: dict[str, int]
    additive: bool
    tuning: dict[str, Tuning]
    vocabularies: dict[str, int]
    init: Callable[[jax.Array], tuple[Params, State]]
    load: Callable[[Params, State], tuple[Params, State]]
    encode: Callable[..., tuple[Features, State]]
    head: Callable[..., Any]
    labels: int = 0
    regression: bool = False


def create_model(
    config: ModelConfig,
    specs: Mapping[str, Any],
    num_classes: int,
    fusion: str = "",
    *,
    labels: int = 0,
    regression: bool = False,
) -> Model:
    """Builds the model for modalities whose examples are of given shapes.

    Args:
      config: Encoders and fusion.
      specs: By modality: the shape of one example, a tuple; or its shape and
        type, a `jax.ShapeDtypeStruct`; or a pytree of those.
      num_classes: Number of classes.
      fusion: Name of the fusion that a method needs; empty for any.
      labels: Number of labels, or numbers, that an example has at once, of
        which each has `num_classes` values, 2; 0 where it has one class or
        number.
      regression: Whether numbers are predicted, each by two outputs:
        `num_classes` is 2 then.

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
        "dtype": config.dtype,
        "rematerialize": config.rematerialize,
    }
    branches = {
        name: Branch(
            name,
            {"name": config.encoder} | dict(config.encoders.get(name, {})),
            shared,
            examples[name],
        )
        for name in modalities
    }
    widths = {name: branch.width for name, branch in branches.items()}
    head_module = _create_fusion(
        config, fusion, widths, (labels or 1) * num_classes
    )

    def init(key: jax.Array) -> tuple[Params, State]:
        params: dict[str, Params] = {}
        states: dict[str, State] = {}
        for name in modalities:
            params[name], kept = branches[name].init(key)
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
        features: Features = {}
        states = dict(state["encoders"])
        for name in modalities:
            features[name], new = branches[name].apply(
                params["encoders"][name],
                states.get(name, {}),
                inputs[name],
                train=train and name not in resting,
                key=key,
                axis_name=axis_name,
            )
            if name in states:
                states[name] = new
        return features, states

    def load(params: Params, state: State) -> tuple[Params, State]:
        loaded = dict(params["encoders"])
        states = dict(state["encoders"])
        for name, branch in branches.items():
            loaded[name], kept = branch.load(loaded[name], states.get(name, {}))
            if name in states:
                states[name] = kept
        return (
            {**params, "encoders": loaded},
            {**state, "encoders": states},
        )

    def head(
        params: Params,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        state: State,
    ) -> Any:
        logits = head_module.apply(
            {_PARAMS: params["head"]}, features, mask, state["means"]
        )
        if labels:
            logits = logits.reshape(*logits.shape[:-1], labels, num_classes)
        return Gaussian.of_outputs(logits) if regression else logits

    return Model(
        modalities,
        num_classes,
        widths,
        head_module.additive,
        {name: branch.tuning for name, branch in branches.items()},
        {
            name: branch.vocabulary
            for name, branch in branches.items()
            if branch.vocabulary is not None
        },
        init,
        load,
        encode,
        head,
        labels,
        regression,
    )


def _example(spec: Any) -> Any:
    """Shapes and types of an example; a tuple of numbers is one of float32."""
    if isinstance(spec, tuple):
        return jax.ShapeDtypeStruct(spec, jnp.float32)
    return spec


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
    for attribute in ("masks", "additive"):
        if not hasattr(module, attribute):
            raise InputError(
                f"config model.fusion: the module of '{name}' has no attribute "
                f"`{attribute}` (arm_jax.models.fusions)"
            )
    if not module.masks:
        raise InputError(
            f"config model.fusion: '{name}' cannot leave a modality out, by "
            "which contributions are measured in every method"
        )
    return module
