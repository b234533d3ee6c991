"""Data sets by name.

A data set is a module with a function `load(**options) -> Dataset`: a file of
this package, or any importable module given by its dotted path, so that a
user's own data set needs no change here.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from arm_jax import registry
from arm_jax.config import check_options
from arm_jax.data.dataset import Dataset as Dataset
from arm_jax.data.dataset import Split as Split

_NOT_DATASETS = frozenset(
    {
        *("dataset", "packed", "pipeline", "prepared"),
        *("avdigits_sources", "logmel"),
    }
)


def names() -> list[str]:
    """Returns the names of the data sets that come with the project."""
    return registry.names(__path__, _NOT_DATASETS)


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """Loads the data set `name`.

    Raises:
      InputError: unknown name or option, or what the data set itself finds
        wrong with its files.
    """
    module = registry.find(name, __name__, names(), "data set", "load")
    function = module.load
    check_options(
        f"data set '{name}'",
        inspect.signature(function).parameters,
        options,
        "data.options",
    )
    return function(**options)
