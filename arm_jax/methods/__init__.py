"""Methods by name: one file, one name, one signature.

A method is a module, in this package or anywhere under a dotted path, with

    loss(forward, batch, *, option=default, ...) -> (scalar, metrics)

so adding a loss is adding a file. `forward` is a `Forward`; `batch` a dict with
`inputs`, `label`, `id` and `mask`; the scalar the mean over the batch of this
device; the metrics are arrays by name, averaged over devices, the scalars
among them logged. The keyword arguments are the method's options.

A method that needs more than a loss (a memory, a say in the gradients, a look
at the data between epochs) is instead a class

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Mine(Method):
        option: float = default

whose fields are the options and whose hooks are those of `Method`.

Beside either, `TAKES_MISSING = True` says that the method is defined where
examples lack modalities: it then counts an example with what `mask` says it
has. `TASKS = ("classes", "labels", "regression")` says that it is defined where
examples have several labels at once, or a number is predicted, too, see
arm_jax.tasks; without it, it is for one class.
`TUNED` says which options a comparison may choose, and among
which values, see `grid`.
"""

import inspect
import itertools
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from arm_jax import registry
from arm_jax.config import check_options
from arm_jax.errors import InputError
from arm_jax.methods._base import Batch as Batch
from arm_jax.methods._base import Context as Context
from arm_jax.methods._base import Forward as Forward
from arm_jax.methods._base import Loss as Loss
from arm_jax.methods._base import Losses as Losses
from arm_jax.methods._base import Memory as Memory
from arm_jax.methods._base import Method as Method
from arm_jax.methods._base import Metrics as Metrics
from arm_jax.methods._base import Step as Step
from arm_jax.methods._base import Variables as Variables
from arm_jax.methods._epoch import Copies as Copies
from arm_jax.methods._epoch import Epoch as Epoch
from arm_jax.methods._epoch import Survey as Survey
from arm_jax.methods._plain import PlainLoss as PlainLoss

# Modules of this package that are no methods.
_NOT_METHODS = frozenset({"terms"})
_PATH = "method.options"
# Key of a grid that is no option: a factor of `optimizer.learning_rate`.
RATE = "learning_rate"
# Points of a grid at most: all methods have the same budget.
MOST_POINTS = 6
# The grid of a method that declares none.
_RATES = {RATE: (1.0, 0.3, 3.0)}


def names() -> list[str]:
    """Returns the names of the methods that come with the project."""
    return registry.names(__path__, _NOT_METHODS)


def default_options(name: str) -> dict[str, Any]:
    """Returns the options of the method `name` with their defaults."""
    return {
        key: parameter.default
        for key, parameter in _options(_entry(name)).items()
        if parameter.default is not parameter.empty
    }


def create(name: str, options: Mapping[str, Any]) -> Method:
    """Returns the method `name` with its options.

    Raises:
      InputError: Unknown method or option, or a value that it refuses.
    """
    entry = _entry(name)
    checked = check_options(f"method '{name}'", _options(entry), options, _PATH)
    if isinstance(entry, type):
        return entry(**checked)
    return PlainLoss(function=entry, options=checked)


def takes_missing(name: str) -> bool:
    """Whether a method is defined where examples lack modalities."""
    return bool(getattr(_module(name), "TAKES_MISSING", False))


def tasks(name: str) -> tuple[str, ...]:
    """Returns the tasks that a method is defined for, see arm_jax.tasks."""
    return tuple(getattr(_module(name), "TASKS", ("classes",)))


def grid(name: str, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the points among which a comparison chooses for the method.

    Its file declares them, as in `TUNED = {"weight": (1.0, 3.0),
    "learning_rate": (1.0, 0.3, 3.0)}`: values by option, the default first; and
    factors of the config's learning rate. Each value goes with each of the
    others.

    Args:
      name: Name of the method.
      options: Its options as configured. They are the first point; a value that
        is not in the grid takes the place of the grid's last one.

    Raises:
      InputError: The file declares an option that the method does not have, or
        too many points.
    """
    declared = getattr(_module(name), "TUNED", _RATES)
    known = default_options(name) | dict(options) | {RATE: 1.0}
    axes = []
    for key, values in declared.items():
        if key not in known:
            raise InputError(f"method '{name}' has no option '{key}' to tune")
        others = [value for value in values if value != known[key]]
        axes.append([(key, x) for x in (known[key], *others)][: len(values)])
    points = [dict(point) for point in itertools.product(*axes)]
    if len(points) > MOST_POINTS:
        raise InputError(
            f"method '{name}' declares {len(points)} points to tune; all "
            f"methods have {MOST_POINTS} at most"
        )
    return points


def check_head(name: str, method: Method, additive: bool) -> None:
    """Checks the method `name` against the model.

    Args:
      name: Name of the method, for messages.
      method: The method.
      additive: Whether the model's logits add up over the modalities.

    Raises:
      InputError: The method needs logits that do, and they do not.
    """
    if method.needs_additive_head and not additive:
        raise InputError(
            f"method '{name}' needs logits that add up over the modalities: "
            "config model.fusion.name=concat and model.head=()"
        )


def _options(entry: Any) -> dict[str, inspect.Parameter]:
    """The options of a method, which are keyword-only parameters."""
    try:
        signature = inspect.signature(entry, eval_str=True)
    except NameError:  # of a type that is imported for type checkers only
        signature = inspect.signature(entry)
    return {
        key: parameter
        for key, parameter in signature.parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def _module(name: str) -> ModuleType:
    return registry.find(name, __name__, names(), "method", "loss")


def _entry(name: str) -> Any:
    """Returns the class or the loss that a method's module has."""
    module = _module(name)
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Method)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    ]
    if len(classes) > 1:
        found = ", ".join(c.__name__ for c in classes)
        raise InputError(f"module '{name}' has several methods: {found}")
    if not classes and not callable(getattr(module, "loss", None)):
        raise InputError(
            f"module '{name}' has no function `loss` and no class that "
            "derives from arm_jax.methods.Method"
        )
    if not classes:
        return module.loss
    (found_class,) = classes
    undecorated = "__dataclass_params__" not in vars(found_class)
    if undecorated and inspect.get_annotations(found_class):
        raise InputError(
            f"module '{name}': {found_class.__name__} must be decorated with "
            "dataclasses.dataclass(frozen=True, kw_only=True), or its options "
            "are not known"
        )
    return found_class
