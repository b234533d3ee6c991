"""Options of a data set's `load`, checked against its signature."""

import functools
import inspect
import os
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from arm_jax.config import check_options

Load = TypeVar("Load", bound=Callable[..., Any])


def typed(load: Load) -> Load:
    """Decorates a `load` so that it refuses options of a wrong type."""
    name = load.__module__.rpartition(".")[2]

    @functools.wraps(load)
    def load_checked(**options: Any) -> Any:
        return load(**checked(f"data set '{name}'", load, options))

    return typing.cast(Load, load_checked)


def checked(
    where: str, load: Callable[..., Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns options in the types that the signature of `load` names.

    NumPy's numbers become Python's, paths text, and one name stands for a
    sequence of it.

    Args:
      where: name of the data set, for messages.
      load: function whose keyword arguments they are.
      options: value of each option.

    Raises:
      InputError: an unknown or missing option, or a value of another type.
    """
    try:
        signature = inspect.signature(load, eval_str=True)
    except NameError:  # of a type that is imported for type checkers only
        signature = inspect.signature(load)
    parameters = signature.parameters
    converted = {
        name: _converted(parameters.get(name), value)
        for name, value in options.items()
    }
    return check_options(where, parameters, converted, "data.options")


def _converted(parameter: inspect.Parameter | None, value: Any) -> Any:
    hint = None if parameter is None else parameter.annotation
    value = _plain(value)
    if hint is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    if hint == Sequence[str]:
        if isinstance(value, str):
            return (value,)
        if isinstance(value, Iterable):
            return tuple(map(_plain, value))
    return value


def _plain(value: Any) -> Any:
    single = isinstance(value, np.generic) or (
        isinstance(value, np.ndarray) and not value.ndim
    )
    return value.item() if single else value
