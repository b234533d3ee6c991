"""Modules by name: a file of a package, or any importable dotted path."""

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType

from arm_jax.errors import InputError


def names(path: Iterable[str], helpers: Iterable[str]) -> list[str]:
    """Returns the modules of the package at `path`, sorted.

    Those in `helpers`, and those whose name begins with an underscore, are left
    out.
    """
    modules = {module.name for module in pkgutil.iter_modules(path)}
    return sorted(
        name for name in modules - set(helpers) if not name.startswith("_")
    )


def find(
    name: str, package: str, known: list[str], kind: str, entry: str
) -> ModuleType:
    """Imports the module `name` of `package`, or of a dotted path.

    Args:
      name: one of `known`, or a dotted path.
      package: where the known ones are.
      known: see `names`.
      kind: what the module is, for messages.
      entry: the function that it must have, for messages.

    Raises:
      InputError: there is no such module.
    """
    if "." not in name and name not in known:
        raise InputError(
            f"unknown {kind} '{name}'; known: {', '.join(known)} (or the "
            f"dotted path of a module with a function `{entry}`)"
        )
    target = name if "." in name else f"{package}.{name}"
    if not all(part.isidentifier() for part in target.split(".")):
        raise InputError(f"no module '{name}' for the {kind}")
    try:
        return importlib.import_module(target)
    except ModuleNotFoundError as error:
        if error.name is None or not target.startswith(error.name):
            raise
        raise InputError(f"no module '{name}' for the {kind}") from error
