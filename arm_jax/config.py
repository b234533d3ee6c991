"""Typed configuration: what `arm_jax` needs to know to train one model.

Experiments are written as `ml_collections` configs on top of the library;
`from_mapping` turns such a config, as a plain dict, into these dataclasses and
names every key that does not belong. Options of a data set or of a method are
checked by `arm_jax.data.load` and `arm_jax.methods.create`, against the
signature of the function they are passed to.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from arm_jax.errors import InputError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which data set, and how it is batched."""

    name: str
    # Global batch size, over all devices and processes.
    batch_size: int = 64
    # Keyword arguments of the data set's `load`.
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Encoders of the modalities, and the fusion of their features."""

    # Name of the encoder of each modality, a file of arm_jax.models.encoders,
    # or a dotted module path.
    encoder: str = "mlp"
    # By modality: a block with a `name` of its own, and options of the encoder,
    # such as {"audio": {"name": "windows", "length": 4}}.
    encoders: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=dict
    )
    # Options of every encoder that has them, unless its own block says else:
    # widths of the hidden layers, width of the features, share of dropout.
    hidden: tuple[int, ...] = (64,)
    features: int = 64
    dropout: float = 0.0
    # Name of the fusion, a file of arm_jax.models.fusions, or a dotted module
    # path, and its options; without a name it is "concat", or what the method
    # needs.
    fusion: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    # Options of every fusion that has them: widths of the hidden layers of the
    # head, which without one cannot tell XOR; and what stands in for an absent
    # modality, see arm_jax.models.fusions.
    head: tuple[int, ...] = ()
    absent: str = "zero"


@dataclasses.dataclass(frozen=True)
class MethodConfig:
    """The loss: a file of `arm_jax.methods`, or a dotted module path."""

    name: str = "joint"
    # Keyword arguments of the loss.
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """AdamW or SGD with momentum, on a cosine or constant schedule."""

    name: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    schedule: str = "cosine"
    # Share of all steps during which the learning rate rises linearly.
    warmup: float = 0.0
    # Largest norm of a gradient; 0 leaves gradients alone.
    clip_norm: float = 0.0


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Length, seed and bookkeeping of one run."""

    epochs: int = 20
    # Seeds seed, seed + 1, ... are trained side by side in one program.
    seed: int = 0
    seeds: int = 1
    # Steps that one line of training metrics averages over.
    log_every: int = 20
    eval_batch_size: int = 512


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run."""

    data: DataConfig
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    method: MethodConfig = dataclasses.field(default_factory=MethodConfig)
    optimizer: OptimizerConfig = OptimizerConfig()
    train: TrainConfig = TrainConfig()

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        for path, value, smallest in (
            ("data.batch_size", self.data.batch_size, 1),
            ("model.features", self.model.features, 1),
            ("train.epochs", self.train.epochs, 1),
            ("train.log_every", self.train.log_every, 1),
            ("train.eval_batch_size", self.train.eval_batch_size, 1),
            ("train.seed", self.train.seed, 0),
            ("train.seeds", self.train.seeds, 1),
            ("optimizer.learning_rate", self.optimizer.learning_rate, 0),
            ("optimizer.weight_decay", self.optimizer.weight_decay, 0),
            ("optimizer.clip_norm", self.optimizer.clip_norm, 0),
        ):
            if not value >= smallest:
                raise InputError(
                    f"config {path} must be at least {smallest}, got {value}"
                )
        for path, value in (
            ("model.dropout", self.model.dropout),
            ("optimizer.warmup", self.optimizer.warmup),
            ("optimizer.momentum", self.optimizer.momentum),
        ):
            if not 0 <= value < 1:
                raise InputError(
                    f"config {path} must be in [0, 1), got {value}"
                )
        for width in self.model.hidden:
            if width < 1:
                raise InputError(
                    "config model.hidden must hold positive widths, got "
                    f"{self.model.hidden}"
                )


def from_mapping(cls: type[T], mapping: Mapping[str, Any], path: str = "") -> T:
    """Builds the frozen dataclass `cls` from nested mappings.

    Args:
      cls: a dataclass whose fields are scalars, tuples, mappings or further
        dataclasses.
      mapping: field name to value; nested mappings for nested dataclasses.
      path: prefix of the keys in messages.

    Raises:
      InputError: unknown or missing key, or a value of the wrong type.
    """
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            raise InputError(
                f"unknown config key '{path}{key}'{_suggest(key, fields)}"
            )
    values = {}
    for name, field in fields.items():
        if name in mapping:
            values[name] = _convert(hints[name], mapping[name], path + name)
        elif (
            field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            raise InputError(f"config key '{path}{name}' is missing")
    return cls(**values)


def check_options(
    function: str, known: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """Checks `options` against the keyword arguments that `function` knows.

    Raises:
      InputError: an option that the function does not have.
    """
    for key in options:
        if key not in known:
            raise InputError(
                f"{function} has no option '{key}'{_suggest(key, known)}"
            )


def _suggest(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(sorted(known)) or 'none'}"


def _convert(hint: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise InputError(f"config {path} must be a block, got {value!r}")
        return from_mapping(typing.cast(type, hint), value, path + ".")
    origin = typing.get_origin(hint)
    if origin is tuple:
        item = typing.get_args(hint)[0]
        if not isinstance(value, (tuple, list)):
            raise InputError(f"config {path} must be a tuple, got {value!r}")
        return tuple(_convert(item, v, f"{path}[]") for v in value)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise InputError(f"config {path} must be a block, got {value!r}")
        return types.MappingProxyType(dict(value))
    # bool is an int to Python, and an int is a fine float.
    accepted = (int, float) if hint is float else (hint,)
    if not isinstance(value, accepted) or (
        isinstance(value, bool) and hint is not bool
    ):
        raise InputError(
            f"config {path} must be of type {hint.__name__}, got {value!r}"
        )
    return hint(value)
