"""Errors that a person can act on."""

from collections.abc import Iterable

from bounds.errors import InputError as InputError


class TrainingError(RuntimeError):
    """Training cannot go on, for example because the loss is not finite."""


def shortened(text: str) -> str:
    """Returns at most 60 characters of `text`, as messages show a value."""
    return text if len(text) <= 60 else text[:57] + "..."


def check_choice(what: str, value: str, known: Iterable[str]) -> None:
    """Raises InputError unless the option `what` is one of `known`."""
    if not isinstance(value, str) or value not in known:
        raise InputError(
            f"{what} must be one of {', '.join(known)}, got '{value}'"
        )


def check_known(what: str, value: str, known: Iterable[str]) -> None:
    """Raises InputError, which begins with `what`, unless `value` is known."""
    if value not in known:
        raise InputError(f"{what} '{value}'; known: {', '.join(known)}")
