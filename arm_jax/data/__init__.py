"""Data sets by name.

A data set is a module with a function `load(**options) -> Dataset`: a file of
this package, or any importable module given by its dotted path, so that a
user's own data set needs no change here.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

from arm_jax.config import check_options
from arm_jax.data.dataset import Dataset as Dataset
from arm_jax.data.dataset import Split as Split
from arm_jax.errors import InputError

_NOT_DATASETS = frozenset(
    {
        *("dataset", "packed", "pipeline", "prepared"),
        *("avdigits_sources", "logmel"),
    }
)


def names() -> list[str]:
    """Returns the names of the data sets that come with the project."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(set(found) - _NOT_DATASETS)


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """Loads the data set `name`.

    Raises:
      InputError: unknown name or option, or what the data set itself finds
        wrong with its files.
    """
    if "." not in name and name not in names():
        raise InputError(
            f"unknown data set '{name}'; known: {', '.join(names())} (or the "
            "dotted path of a module with a function `load`)"
        )
    target = name if "." in name else f"{__name__}.{name}"
    try:
        module = importlib.import_module(target)
    except ModuleNotFoundError as error:
        if error.name is None or not target.startswith(error.name):
            raise
        raise InputError(f"no module '{name}' for the data set") from error
    function = module.load
    check_options(
        f"data set '{name}'", inspect.signature(function).parameters, options
    )
    return function(**options)
