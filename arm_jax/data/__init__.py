"""Data sets by name.

A data set is a module with a function `load(**options) -> Dataset`: a file of
this package, or any importable module given by its dotted path, so that a
user's own data set needs no change here. One that has to be prepared from a
user's files, once, also has `index(**options)` and `prepare(index, **options)`,
each with those of `load`'s options that it needs.
"""

import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from arm_jax import registry
from arm_jax.data import options as _options
from arm_jax.data.dataset import Dataset as Dataset
from arm_jax.data.dataset import Split as Split
from arm_jax.data.dataset import checked
from arm_jax.data.preparation import Index as Index
from arm_jax.data.preparation import Prepared as Prepared
from arm_jax.data.source import Source as Source
from arm_jax.errors import InputError

_NOT_DATASETS = frozenset(
    {
        *("dataset", "options", "packed", "pipeline", "prepared"),
        *("scaling", "avdigits_sources", "logmel", "memory", "outputs"),
        *("source", "food101_index", "preparation", "storage", "clips"),
        *(
            "drawing",
            "presence",
            "kinds",
            "labels",
            "workers",
            "stratification",
        ),
    }
)


def names() -> list[str]:
    """Returns the names of the data sets that come with the project."""
    return registry.names(__path__, _NOT_DATASETS)


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """Loads the data set `name`.

    Raises:
      InputError: unknown name or option, an option of a wrong type, what the
        data set itself finds wrong with its files, or data that no model can
        be trained on.
    """
    module, options = _module(name, options)
    dataset = module.load(**options)
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"data set '{name}': `load` must return an arm_jax.data.Dataset, "
            f"got {type(dataset).__name__}"
        )
    # Those of this package have been checked.
    return checked(dataset) if "." in name else dataset


def index(name: str, options: Mapping[str, Any]) -> Index:
    """Returns what there is to prepare for the data set `name`.

    Raises:
      InputError: As `load`; or a data set that is not prepared by itself.
    """
    module, options = _module(name, options)
    if not hasattr(module, "index"):
        raise InputError(f"data set '{name}' needs no preparation: train on it")
    return module.index(**_taken(module.index, options))


def prepare(
    name: str, index: Index, options: Mapping[str, Any], **how: Any
) -> Prepared:
    """Prepares the data set `name`, or what is missing of it.

    Args:
      name: Name of the data set.
      index: What `index` returned.
      options: Options of the data set.
      **how: Arguments of `arm_jax.data.preparation.prepare`.

    Raises:
      InputError: As `arm_jax.data.preparation.prepare`.
    """
    module, options = _module(name, options)
    return module.prepare(index, **_taken(module.prepare, options), **how)


def _module(
    name: str, options: Mapping[str, Any]
) -> tuple[ModuleType, dict[str, Any]]:
    """Returns the module of a data set, and its options checked."""
    module = registry.find(name, __name__, names(), "data set", "load")
    where = f"data set '{name}'"
    if not callable(getattr(module, "load", None)):
        raise InputError(f"{where} has no function `load`")
    return module, _options.checked(where, module.load, options)


def _taken(
    function: Callable[..., Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns those options that a function has."""
    parameters = inspect.signature(function).parameters
    return {key: x for key, x in options.items() if key in parameters}
