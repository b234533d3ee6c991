"""Data sets by name.

A data set is a module with a function `load(**options) -> Dataset`: a file of
this package, or any importable module given by its dotted path, so that a
user's own data set needs no change here.
"""

from collections.abc import Mapping
from typing import Any

from arm_jax import registry
from arm_jax.data import options as _options
from arm_jax.data.dataset import Dataset as Dataset
from arm_jax.data.dataset import Split as Split
from arm_jax.data.dataset import checked
from arm_jax.data.source import Source as Source
from arm_jax.errors import InputError

_NOT_DATASETS = frozenset(
    {
        *("dataset", "options", "packed", "pipeline", "prepared"),
        *(
            "scaling",
            "avdigits_sources",
            "logmel",
            "memory",
            "outputs",
            "source",
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
    module = registry.find(name, __name__, names(), "data set", "load")
    where = f"data set '{name}'"
    if not callable(getattr(module, "load", None)):
        raise InputError(f"{where} has no function `load`")
    dataset = module.load(**_options.checked(where, module.load, options))
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"{where}: `load` must return an arm_jax.data.Dataset, got "
            f"{type(dataset).__name__}"
        )
    # Those of this package have been checked.
    return checked(dataset) if "." in name else dataset
