"""Options of a data set's `load`, checked against its signature."""

import functools
import inspect
import os
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from arm_jax.config import check_options
from arm_jax.errors import InputError

Load = TypeVar("Load", bound=Callable[..., Any])

# What is taken for an option of a type, and what that is called.
_TAKEN: Mapping[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool, np.bool_), "True or False"),
    int: ((int, np.integer), "an integer"),
    float: ((int, float, np.integer, np.floating), "a number"),
    str: ((str, os.PathLike), "text"),
}


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
    sequence of it. Types beyond bool, int, float, str and sequences of names
    are not checked.

    Args:
      where: name of the data set, for messages.
      load: function whose keyword arguments they are.
      options: value of each option.

    Raises:
      InputError: an unknown or missing option, or a value of another type.
    """
    parameters = inspect.signature(load).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        check_options(where, parameters, options)
    for name, parameter in parameters.items():
        if (
            parameter.kind is inspect.Parameter.KEYWORD_ONLY
            and parameter.default is inspect.Parameter.empty
            and name not in options
        ):
            raise InputError(
                f"{where} needs the option '{name}' "
                f"(--config.data.options.{name}=...)"
            )
    try:
        hints = typing.get_type_hints(inspect.unwrap(load))
    except NameError:  # of a type that is imported for type checkers only
        hints = {}
    return {
        name: _converted(where, name, hints.get(name), value)
        for name, value in options.items()
    }


def _converted(where: str, name: str, hint: Any, value: Any) -> Any:
    if hint == Sequence[str]:
        items = (value,) if isinstance(value, str) else value
        names = tuple(items) if isinstance(items, Iterable) else (items,)
        if all(isinstance(item, str) for item in names):
            return tuple(map(str, names))
        expected = "names"
    elif hint in _TAKEN:
        taken, expected = _TAKEN[hint]
        flag = isinstance(value, bool) and hint is not bool
        if isinstance(value, taken) and not flag:
            return hint(value)
    else:
        return value
    got = repr(value)
    got = got if len(got) <= 60 else got[:57] + "..."
    raise InputError(f"{where}: option '{name}' must be {expected}, got {got}")
