"""Typed configuration: what `arm_jax` needs to know to train one model.

Experiments are written as `ml_collections` configs on top of the library;
`from_mapping` turns such a config, as a plain dict, into these dataclasses and
names every key that does not belong. Options of a data set or of a method are
checked by `arm_jax.data.load` and `arm_jax.methods.create`, against the
signature of the function they are passed to.
"""

import dataclasses
import difflib
import inspect
import math
import numbers
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from arm_jax.errors import InputError, check_choice, shortened

T = TypeVar("T")

# Keys of a config of one run that change no number: a run goes on with others.
NO_NUMBERS = ("data.threads", "data.processes", "train.checkpoint_seconds")
# Types that encoders compute in.
DTYPES = ("float32", "bfloat16")
# JAX makes keys of 32 bits of a seed.
_MOST_SEEDS = 2**32


@dataclasses.dataclass(frozen=True)
class SourceConfig:
    """Which data set."""

    name: str
    # Keyword arguments of the data set's `load`.
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class DataConfig(SourceConfig):
    """Which data set, and how it is batched."""

    # Global batch size, over all devices and processes.
    batch_size: int = 64
    # Of data that are decoded when they are asked for: batches that are made at
    # a time, 0 for the number of processors; or, in place of these threads,
    # processes that make one each, 0 for none.
    threads: int = 0
    processes: int = 0


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Encoders of the modalities, and the fusion of their features."""

    # Name of the encoder of each modality, a file of arm_jax.models.encoders,
    # or a dotted module path.
    encoder: str = "mlp"
    # By modality: a block with a `name` of its own, and options of the encoder,
    # such as {"audio": {"name": "windows", "length": 4}}; and how it starts and
    # is trained, see arm_jax.models.tuning: `weights`, `frozen`,
    # `learning_rate`.
    encoders: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=dict
    )
    # Options of every encoder that has them, unless its own block says else:
    # widths of the hidden layers, width of the features, share of dropout.
    hidden: tuple[int, ...] = (64,)
    features: int = 64
    dropout: float = 0.0
    # Two more of these: the type that encoders compute in, "float32" or
    # "bfloat16", while parameters, statistics, heads and losses stay float32;
    # and whether they compute the inside of their blocks again on the way back
    # rather than keep it, for batches that do not fit.
    dtype: str = "float32"
    rematerialize: bool = False
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
    # Checkpoints are written when an epoch ends and the last one is so old, for
    # a short epoch takes less time than its checkpoint; in a long epoch when it
    # is ten minutes old; and when training ends or is interrupted.
    checkpoint_seconds: float = 10.0


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run."""

    data: DataConfig
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    method: MethodConfig = dataclasses.field(default_factory=MethodConfig)
    optimizer: OptimizerConfig = OptimizerConfig()
    train: TrainConfig = TrainConfig()

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules that are named by dotted paths, sorted."""
        names = {
            *(self.data.name, self.method.name, self.model.encoder),
            *(block.get("name") for block in self.model.encoders.values()),
            self.model.fusion.get("name"),
        }
        return tuple(
            sorted(x for x in names if isinstance(x, str) and "." in x)
        )

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        for path, value, smallest in (
            ("data.batch_size", self.data.batch_size, 1),
            ("data.threads", self.data.threads, 0),
            ("data.processes", self.data.processes, 0),
            ("model.features", self.model.features, 1),
            ("train.epochs", self.train.epochs, 1),
            ("train.log_every", self.train.log_every, 1),
            ("train.eval_batch_size", self.train.eval_batch_size, 1),
            ("train.seed", self.train.seed, 0),
            ("train.seeds", self.train.seeds, 1),
            ("train.checkpoint_seconds", self.train.checkpoint_seconds, 0),
            ("optimizer.learning_rate", self.optimizer.learning_rate, 0),
            ("optimizer.weight_decay", self.optimizer.weight_decay, 0),
            ("optimizer.clip_norm", self.optimizer.clip_norm, 0),
        ):
            if not smallest <= value < math.inf:
                bound = "finite" if value > 0 else f"at least {smallest}"
                raise InputError(f"config {path} must be {bound}, got {value}")
        if self.train.seed + self.train.seeds > _MOST_SEEDS:
            # Further ones would begin like the first ones.
            raise InputError(
                "config train.seed must be at most "
                f"{_MOST_SEEDS - self.train.seeds}, with config train.seeds "
                f"{self.train.seeds}, got {self.train.seed}"
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
        check_choice("config model.dtype", self.model.dtype, DTYPES)
        for path, widths in (
            ("model.hidden", self.model.hidden),
            ("model.head", self.model.head),
        ):
            if any(width < 1 for width in widths):
                raise InputError(
                    f"config {path} must hold positive widths, got {widths}"
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
    function: str,
    known: Mapping[str, inspect.Parameter],
    options: Mapping[str, Any],
    path: str,
) -> dict[str, Any]:
    """Checks `options` against the parameters of the function they are for.

    A parameter says by its annotation what it takes, or by its default if it
    has none.

    Args:
      function: What the function is, for messages.
      known: Its parameters, as `inspect.signature` has them.
      options: Option names to values.
      path: Config key of the options, for messages.

    Returns:
      The options, in the types of the parameters.

    Raises:
      InputError: An option that the function does not have, one that it needs
        and is not given, or a value of another type.
    """
    takes_any = any(p.kind is p.VAR_KEYWORD for p in known.values())
    several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = {k: p for k, p in known.items() if p.kind not in several}
    converted = dict(options)
    for key, value in options.items():
        if key in named:
            converted[key] = _convert(_hint(named[key]), value, f"{path}.{key}")
        elif not takes_any:
            raise InputError(
                f"{function} has no option '{key}'{_suggest(key, named)} "
                f"(config {path}.{key} is {shortened(repr(value))})"
            )
    for key, parameter in named.items():
        if key not in options and parameter.default is parameter.empty:
            raise InputError(f"{function} needs config {path}.{key}")
    return converted


def _hint(parameter: inspect.Parameter) -> Any:
    """The type that a parameter takes."""
    hint, default = parameter.annotation, parameter.default
    if hint is not parameter.empty:
        # A module may keep its annotations as text.
        return Any if isinstance(hint, str) else hint
    if isinstance(default, bool | str):
        return type(default)
    return float if isinstance(default, int | float) else Any


def _suggest(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(sorted(known)) or 'none'}"


def _convert(hint: Any, value: Any, path: str) -> Any:
    """Returns `value` as the type `hint` has it, if it is a known one."""
    if dataclasses.is_dataclass(hint):
        _check_block(value, path)
        return from_mapping(typing.cast(type, hint), value, path + ".")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(arguments, value, path)
    if origin is typing.Literal:
        if value not in arguments:
            names = ", ".join(map(repr, arguments))
            raise _unlike(path, f"one of {names}", value)
        return value
    if origin is None or not isinstance(origin, type):
        return _convert_scalar(hint, value, path)
    if issubclass(origin, Mapping):
        _check_block(value, path)
        of = arguments[1]
        return types.MappingProxyType(
            {k: _convert(of, v, f"{path}.{k}") for k, v in value.items()}
        )
    if issubclass(origin, Sequence):
        return _convert_sequence(origin, arguments, value, path)
    return value


def _check_block(value: Any, path: str) -> None:
    if not isinstance(value, Mapping):
        raise _unlike(path, "a block", value)


def _convert_union(hints: tuple[Any, ...], value: Any, path: str) -> Any:
    for hint in hints:
        try:
            return _convert(hint, value, path)
        except InputError:
            continue
    names = " or ".join(getattr(hint, "__name__", str(hint)) for hint in hints)
    raise _unlike(path, f"of type {names}", value)


def _convert_sequence(
    origin: type, items: tuple[Any, ...], value: Any, path: str
) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise _unlike(path, "a tuple", value)
    if origin is not tuple or items[1:] == (...,):
        items = items[:1] * len(value)
    if len(items) != len(value):
        raise _unlike(path, f"a tuple of {len(items)}", value)
    return tuple(
        _convert(hint, item, f"{path}[{i}]")
        for i, (hint, item) in enumerate(zip(items, value, strict=True))
    )


def _convert_scalar(hint: Any, value: Any, path: str) -> Any:
    # bool is an int to Python, and an int is a fine float.
    kinds = {
        bool: bool, int: numbers.Integral, float: numbers.Real, str: str,
        type(None): type(None),
    }  # fmt: skip
    if hint not in kinds:
        return value
    if not isinstance(value, kinds[hint]) or (
        isinstance(value, bool) and hint is not bool
    ):
        raise _unlike(path, f"of type {hint.__name__}", value)
    return value if value is None else hint(value)


def _unlike(path: str, what: str, value: Any) -> InputError:
    return InputError(
        f"config {path} must be {what}, got {shortened(repr(value))}"
    )
