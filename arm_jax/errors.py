"""Errors that a person can act on."""

from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave is wrong; the message names it and its value.

    Commands print it in one line and exit with status 2. Everything else that
    is raised is a defect of the project and keeps its traceback.
    """


class TrainingError(RuntimeError):
    """Training cannot go on, for example because the loss is not finite."""


def check_choice(what: str, value: str, known: Iterable[str]) -> None:
    """Raises InputError unless the option `what` is one of `known`."""
    if value not in known:
        raise InputError(
            f"{what} must be one of {', '.join(known)}, got '{value}'"
        )


def check_known(what: str, value: str, known: Iterable[str]) -> None:
    """Raises InputError for a name, `what` it is of, that is not in `known`."""
    if value not in known:
        raise InputError(f"{what} '{value}'; known: {', '.join(known)}")
