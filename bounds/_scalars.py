"""Options as people give them: integers, seeds, numbers and words."""

import math
import operator
from numbers import Real
from typing import Any

import numpy as np

from bounds._wording import short, shown
from bounds.errors import InputError

_MOST_SEED = 2**32 - 1


def integer(name: str, value: Any, least: int = 0) -> int:
    """Returns an integer of at least `least`, such as a number of replicates.

    Raises:
      InputError: Another type, booleans and floats among them; less.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_):
        raise InputError(
            f"{short(name)} must be an integer, got {shown(value)}"
        )
    if number < least:
        raise InputError(
            f"{short(name)} must be at least {least}, got {shown(number)}"
        )
    return number


def seed(name: str, value: Any) -> int:
    """Returns a seed, an integer from 0 to 2**32 - 1.

    Raises:
      InputError: Anything else; None would give other numbers each time.
    """
    number = integer(name, value)
    if number > _MOST_SEED:
        raise InputError(
            f"{short(name)} must be below 2**32, got {shown(number)}"
        )
    return number


def real(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """Returns a number strictly between two others, such as a level.

    Raises:
      InputError: Another type; NaN; on or outside the limits.
    """
    # Arrays without axes are numbers; ragged lists cannot become arrays.
    if not isinstance(value, Real) and (
        getattr(value, "shape", None) != ()
        or np.asarray(value).dtype.kind not in "iuf"
    ):
        raise InputError(f"{short(name)} must be a number, got {shown(value)}")
    number = float(value)
    if above < number < below:
        return number
    wanted = "finite"
    if above == 0 and below == math.inf:
        wanted = "positive"
    elif above > -math.inf and below < math.inf:
        wanted = f"between {above:g} and {below:g}"
    elif above > -math.inf:
        wanted = f"above {above:g}"
    elif below < math.inf:
        wanted = f"below {below:g}"
    raise InputError(f"{short(name)} must be {wanted}, got {shown(value)}")


def listed(name: str, value: Any) -> list[Any]:
    """Returns the entries of a sequence, such as one of options.

    Raises:
      InputError: What has no entries, such as a number.
    """
    try:
        return list(value)
    except TypeError as error:
        raise InputError(
            f"{short(name)} must be a sequence, got {shown(value)}"
        ) from error


def boolean(name: str, value: Any) -> bool:
    """Returns True or False.

    Raises:
      InputError: Anything else.
    """
    if not isinstance(value, bool | np.bool_):
        raise InputError(
            f"{short(name)} must be True or False, got {shown(value)}"
        )
    return bool(value)


def choice(name: str, value: Any, known: tuple[str, ...]) -> str:
    """Returns `value` if it is one of the words `known`.

    Raises:
      InputError: It is not.
    """
    if not isinstance(value, str) or value not in known:
        raise InputError(
            f"{short(name)} must be one of {', '.join(known)}, got "
            f"{shown(value)}"
        )
    return value
