"""Config files, and values of theirs that the command line overrides.

    --config=FILE.py[:ARGUMENT] --config.KEY.KEY=VALUE ...
    --config=NAME[:ARGUMENT]            of a config that comes with the package

A file has a function of the command's name, such as `compare`, which returns
the config; what has no such function has `get_config`. The argument behind the
colon is that function's.

A value is read as the type of the one that it replaces. Tuples are written as
lists, `64,64` or `(64,64)`, blocks as Python dicts, `{'audio': (8,4)}`. Blocks
whose keys depend on the data or the method may get new ones.
"""

import ast
import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from arm_jax.errors import InputError, shortened

# Blocks whose keys no config can list, nor those of the blocks in them: of a
# data set, a method, a model.
_OPEN = frozenset({"options", "encoders", "fusion", "variants"})
_TRUE, _FALSE = ("true", "t", "1", "yes"), ("false", "f", "0", "no")
_MODULE = "config_file"
# Those that come with the package: beside this one, in a checkout and in what
# is installed.
_CONFIGS = Path(__file__).parent.parent / "configs"
_PACKAGE = f"{__package__.rpartition('.')[0]}.configs".lstrip(".")


def split(argv: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Takes the overrides out of a command line.

    Args:
      argv: As in `sys.argv`.

    Returns:
      The other arguments, and the overrides as pairs of a dotted key and text.

    Raises:
      InputError: An override without a key or a value.
    """
    others: list[str] = []
    overrides: list[tuple[str, str]] = []
    arguments = iter(argv)
    for argument in arguments:
        if argument == "--":
            return [*others, argument, *arguments], overrides
        match = re.fullmatch(
            r"--?(no)?config\.([^=]*)(?:=(.*))?", argument, re.DOTALL
        )
        if match is None:
            others.append(argument)
            continue
        negated, key, text = match.groups()
        if not key:
            raise InputError(f"{argument} names no key of the config")
        if text is None:
            text = "false" if negated else next(arguments, "--")
            if text.startswith("--"):
                raise InputError(
                    f"{argument} has no value; write --config.{key}=VALUE"
                )
        overrides.append((key, text))
    return others, overrides


def load(
    given: str,
    overrides: Iterable[tuple[str, str]] = (),
    command: str = "train",
) -> ConfigDict:
    """Loads a config file and overrides its values.

    Args:
      given: FILE.py or NAME, with :ARGUMENT behind it for its function.
      overrides: Pairs of a dotted key and the text of its value.
      command: Name of the command that the config is for.

    Raises:
      InputError: There is no such file, or no function for the command in it;
        an unknown key; a value of another type. What the file itself raises is
        not caught.
    """
    match = re.fullmatch(r"(.+?\.py|[\w-]+)(?::(.*))?", given, re.DOTALL)
    path, argument = match.groups() if match else (given, None)
    function = _function(path, command)
    name = function.__name__
    arguments = () if argument is None else (argument,)
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        what = f"'{argument}'" if arguments else "none"
        raise InputError(
            f"config file {path}: {name}{inspect.signature(function)} does "
            f"not fit the argument after its colon, {what}"
        ) from error
    config = function(*arguments)
    if not isinstance(config, ConfigDict):
        raise InputError(
            f"config file {path}: {name}() must return a ConfigDict, got "
            f"{type(config).__name__}"
        )
    tuples: set[str] = set()
    for key, text in overrides:
        value = _override(config, key, text)
        if isinstance(value, tuple):
            if key in tuples:
                raise InputError(
                    f"--config.{key} is given twice; write its values as one "
                    "list with commas"
                )
            tuples.add(key)
    return config


def _function(given: str, command: str) -> Callable[..., Any]:
    """Returns the function of a config file that the command needs."""
    path = Path(given)
    by_name = _CONFIGS / f"{given}.py"
    if not path.suffix and not path.exists() and by_name.parent.is_dir():
        path = by_name
    module = _module(path)
    if path.resolve().parent != _CONFIGS or command == "train":
        names = dict.fromkeys((command, "get_config"))
    else:
        # In one of ours `get_config` is for training.
        names = dict.fromkeys((command,))
    for name in names:
        if function := getattr(module, name, None):
            return function
    raise InputError(
        f"config file {path} has no function {' or '.join(names)}()"
    )


def _module(path: Path) -> ModuleType:
    if not path.exists():
        raise InputError(f"no config file {path}{_siblings(path)}")
    if path.suffix != ".py" or path.is_dir():
        what = "is a folder" if path.is_dir() else "is no Python file"
        raise InputError(
            f"--config={path} {what}; a config is a .py file with a function "
            "get_config(), such as those in configs/"
        )
    if path.resolve().parent == _CONFIGS:
        return importlib.import_module(f"{_PACKAGE}.{path.stem}")
    module = ModuleType(_MODULE)
    module.__file__ = str(path)
    sys.modules[_MODULE] = module  # where dataclasses look their types up
    loader = SourceFileLoader(_MODULE, str(path))
    try:
        loader.get_code(_MODULE)
    except (SyntaxError, ValueError) as error:  # null bytes
        raise InputError(f"config file {path} is no Python: {error}") from error
    loader.exec_module(module)
    return module


def _siblings(path: Path) -> str:
    """Says which files of the folder have a name like the one that is not."""
    folder = path.parent
    if not folder.is_dir():
        return f": there is no folder {folder}"
    names = sorted(file.name for file in folder.glob("*.py"))
    return _suggest(path.name, names)


def _suggest(name: str, names: Iterable[str]) -> str:
    names = [n for n in names if not n.startswith("_")]
    if close := difflib.get_close_matches(name, names, n=1):
        return f"; did you mean '{close[0]}'?"
    if not names:
        return ""
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"; there are: {shown}"


def _override(config: ConfigDict, key: str, text: str) -> Any:
    """Sets one value, in place, and returns it."""
    *blocks, last = key.split(".")
    block, path = config, ""
    is_open = False
    for name in blocks:
        if is_open and name not in block:
            with config.unlocked():
                block[name] = ConfigDict()
        _check_key(block, name, path)
        is_open = is_open or name in _OPEN
        block, path = block[name], f"{path}{name}."
        if not isinstance(block, ConfigDict):
            raise InputError(
                f"config {path[:-1]} is a value and no block; it has no key "
                f"'{key.removeprefix(path)}'"
            )
    if last not in block:
        if not is_open:
            _check_key(block, last, path)
        value = _literal(text)
    else:
        value = _read(block[last], text, key, is_open)
    with config.unlocked(), config.ignore_type():
        block[last] = value
    return value


def _check_key(block: Mapping[str, Any], name: str, path: str) -> None:
    if name not in block:
        raise InputError(
            f"unknown config key '{path}{name}'{_suggest(name, block)}"
        )


def _read(old: Any, text: str, key: str, is_open: bool) -> Any:
    """Reads `text` as a value of the type of `old`.

    Options are checked by whom they are for, against their annotations: a
    default that happens to be an integer may be replaced by a float.
    """
    if isinstance(old, bool):
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        raise _not(key, "true or false", text)
    if isinstance(old, int):
        value = _literal(text)
        if type(value) is int or (is_open and type(value) is float):
            return value
        whole = type(value) is float and value.is_integer()
        hint = f": write {value:.0f}" if whole and abs(value) < 2**53 else ""
        raise _not(key, "an integer", text, hint)
    if isinstance(old, float):
        try:
            return float(text)
        except ValueError:
            raise _not(key, "a number", text) from None
    if isinstance(old, str):
        return text
    if isinstance(old, tuple | list):
        return _sequence(old, text, key)
    if not isinstance(old, ConfigDict):
        return _literal(text)
    value = _literal(text)
    if not isinstance(value, dict):
        raise InputError(
            f"config {key} is a block: write --config.{key}.KEY=VALUE, or all "
            f"of it as a Python dict, --config.{key}=\"{{'KEY': VALUE}}\""
        )
    return ConfigDict(value)


def _sequence(old: Sequence[Any], text: str, key: str) -> tuple[Any, ...]:
    """Reads a list with or without brackets, its strings without quotes."""
    value = _literal(text)
    if isinstance(value, str):
        match = re.fullmatch(r"\s*[(\[](.*)[)\]]\s*", text, re.DOTALL)
        parts = (match[1] if match else text).split(",")
        value = [_literal(part.strip()) for part in parts if part.strip()]
    if not isinstance(value, tuple | list):
        value = [value]
    types = {type(item) for item in old}
    if types == {str}:
        return tuple(map(str, value))
    if types == {float}:
        value = [float(x) if type(x) is int else x for x in value]
    for kind, what in ((int, "integers"), (float, "numbers")):
        if types == {kind} and any(type(item) is not kind for item in value):
            raise _not(key, f"{what} with commas, as in 64,64", text)
    return tuple(value)


def _not(key: str, what: str, text: str, hint: str = "") -> InputError:
    return InputError(
        f"config {key} must be {what}, got '{shortened(text)}'{hint}"
    )


def _literal(text: str) -> Any:
    """Reads a Python literal; what is none is a string."""
    try:
        return ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text
