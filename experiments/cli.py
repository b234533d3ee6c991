"""What all commands share: flags, configs and errors in one line."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import ConfigDict

from arm_jax import environment, failures, launch, lock, processes
from arm_jax.errors import InputError, TrainingError

from . import overrides

CONFIG = flags.DEFINE_string(
    "config",
    None,
    "Config file, FILE.py[:ARGUMENT], or the name of one that comes with the "
    "package; --config.KEY.KEY=VALUE overrides a value of it.",
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
_INTERRUPTED = 130
_overridden: list[tuple[str, str]] = []


def required(flag: flags.FlagHolder) -> Any:
    """Returns the value of a flag that must be given.

    Raises:
      InputError: It was not given.
    """
    if flag.value is None:
        raise InputError(f"--{flag.name}=... is required")
    return flag.value


def config(command: str = "train", file: str = "") -> dict[str, Any]:
    """Returns the config that the command line names, as a plain dict.

    Args:
      command: Name of the command: the function of the config file.
      file: A data file in place of the config's; without --config that of
        `npz` is taken.

    Raises:
      InputError: None was given, or it cannot be read, or one of its values
        cannot be overridden as asked.
    """
    if not file:
        given = required(CONFIG)
        return to_dict(overrides.load(given, _overridden, command))
    own = [("data.options.path", file), *_overridden]
    return to_dict(overrides.load(CONFIG.value or "npz", own, command))


def to_dict(config: ConfigDict) -> dict[str, Any]:
    """Returns a config as a plain dict, references resolved."""
    return config.copy_and_resolve_references().to_dict()


def run(
    main: Callable[[Sequence[str]], int | None],
    *,
    takes_config: bool = True,
    takes_file: bool = False,
    exclusive: bool = False,
    joins: bool = False,
) -> None:
    """Runs a command: `main(argv) -> exit status`.

    Exit status, with one line on stderr: 2 for what the user got wrong; 1 for
    what the machine refuses (a full disk, no permission, no memory) and for a
    training that cannot go on; 130 for an interrupt; 141, without a line, if
    nobody reads the output any more. Any other exception is a defect and keeps
    its traceback.

    Args:
      main: The command.
      takes_config: Whether it reads `config`.
      takes_file: Whether it takes one argument that is no flag, a data file.
      exclusive: Whether a workdir that a process of this machine holds is
        refused, and that at once: to load the libraries takes seconds.
      joins: Whether it joins others by a launcher alone, not by flags.
    """

    def guarded(argv: Sequence[str]) -> int | None:
        # Libraries report every checkpoint, and each error from every thread
        # before they raise it; people want the project's words.
        absl_logging.set_verbosity(absl_logging.FATAL)
        logging.getLogger("arm_jax").setLevel(logging.INFO)
        if exclusive:
            launch.start_from_flags()
        elif joins:
            launch.start()
        environment.check_platform()
        if len(argv) > 1 + takes_file:
            raise InputError(f"unknown argument '{argv[1 + takes_file]}'")
        if not takes_config and (CONFIG.value is not None or _overridden):
            raise InputError("this command takes no --config")
        status = main(argv)
        sys.stdout.flush()
        processes.finish()
        return status

    def start() -> None:
        if exclusive:
            launch.define_flags()
            if not launch.announced(sys.argv):
                lock.check(_workdir_of(sys.argv))
        environment.prepare()
        app.run(guarded, flags_parser=_parse_flags)

    status = _status_of(start)
    if status == _INTERRUPTED or (status and not processes.alone()):
        # At once: JAX may be compiling in threads that outlive the interpreter,
        # and would wait for other processes.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _status_of(start: Callable[[], None]) -> Any:
    """Runs `start` and turns its errors into a line and an exit status."""
    try:
        start()
    except InputError as error:
        return _fail(str(error), 2)
    except TrainingError as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return _fail("interrupted; the same command resumes", _INTERRUPTED)
    except BrokenPipeError:
        # Or Python would complain once more, when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        workdir = WORKDIR.value if flags.FLAGS.is_parsed() else None
        sentence = failures.explain(error, workdir)
        if sentence is None:
            processes.defect(error)
            raise
        return _fail(sentence, 1)
    return 0


def _workdir_of(argv: Sequence[str]) -> str:
    """Returns the flag's value as it stands on the command line."""
    for at, argument in enumerate(argv):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name == WORKDIR.name:
            return value if equals else "".join(argv[at + 1 : at + 2])
    return ""


def _parse_flags(argv: Sequence[str]) -> list[str]:
    try:
        # Of a --flagfile, too.
        argv = flags.FLAGS.read_flags_from_files(argv, force_gnu=False)
        others, _overridden[:] = overrides.split(argv)
        return flags.FLAGS(others)
    except flags.Error as error:
        raise InputError(str(error)) from error


def _fail(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    processes.fail(message)
    return status
