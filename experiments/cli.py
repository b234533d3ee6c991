"""What all commands share: flags, configs and errors in one line."""

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_dict, config_flags

from arm_jax import lock
from arm_jax.errors import InputError, TrainingError

CONFIG = config_flags.DEFINE_config_file(
    "config", lock_config=True, help_string="configs/NAME.py[:ARGUMENT]"
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run; made if missing, resumed if not."
)

ALLOW = flags.DEFINE_list(
    "allow",
    [],
    "What may differ from the beginning of a run that goes on: sources, "
    "packages, device.",
)


def required(flag: flags.FlagHolder) -> Any:
    """Returns the value of a flag that must be given.

    Raises:
      InputError: it was not given.
    """
    if flag.value is None:
        raise InputError(f"--{flag.name}=... is required")
    return flag.value


def config() -> dict[str, Any]:
    """Returns the config that the flags name, as a plain dict.

    Raises:
      InputError: none was given, or it cannot be read.
    """
    given = required(CONFIG)
    try:
        return to_dict(given)
    except OSError as error:  # how ml_collections reports a missing file
        raise InputError(_last_words(error)) from error


def to_dict(config: config_dict.ConfigDict) -> dict[str, Any]:
    """Returns a config as a plain dict, references resolved."""
    return config.copy_and_resolve_references().to_dict()


def run(
    main: Callable[[Sequence[str]], int | None], *, exclusive: bool = False
) -> None:
    """Runs a command: `main(argv) -> exit status`.

    If it is `exclusive`, a workdir that a process of this machine holds is
    refused at once: config files load the libraries, which takes seconds.

    What the user got wrong is printed in one line, with exit status 2, and a
    training that cannot go on with 1. Any other exception is a defect and
    keeps its traceback.
    """

    def guarded(argv: Sequence[str]) -> int | None:
        # Libraries report every checkpoint; people want the project's words.
        absl_logging.set_verbosity(absl_logging.ERROR)
        for package in ("arm_jax", "experiments"):
            logging.getLogger(package).setLevel(logging.INFO)
        try:
            if len(argv) > 1:
                raise InputError(f"unknown argument '{argv[1]}'")
            return main(argv)
        except InputError as error:
            return _fail(error, 2)
        except TrainingError as error:
            return _fail(error, 1)

    if exclusive:
        try:
            lock.check(_workdir_of(sys.argv))
        except InputError as error:
            sys.exit(_fail(error, 2))
    app.run(guarded, flags_parser=_parse_flags)


def _workdir_of(argv: Sequence[str]) -> str:
    """Returns the flag's value as it stands on the command line."""
    for at, argument in enumerate(argv):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name == WORKDIR.name:
            return value if equals else "".join(argv[at + 1 : at + 2])
    return ""


def _parse_flags(argv: Sequence[str]) -> list[str]:
    try:
        return flags.FLAGS(argv)
    # ml_collections raises all of these, for an unknown key, a value of a
    # wrong type, or whatever a config file raises.
    except (
        AttributeError, KeyError, TypeError, ValueError, flags.Error
    ) as error:  # fmt: skip
        sys.exit(_fail(InputError(_last_words(error)), 2))


def _last_words(error: Exception) -> str:
    """The message of an error that may quote the traceback of another one.

    What a person got wrong fits one line; a defect of a config file keeps its
    traceback.
    """
    text = str(error.args[0] if isinstance(error, KeyError) else error).strip()
    last = text.splitlines()[-1].strip()
    if "Traceback" in text and "InputError" not in last:
        return text
    return last.removeprefix("arm_jax.errors.InputError: ")


def _fail(error: Exception, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status
