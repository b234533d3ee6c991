"""What encoders and fusions have in common: a name and options in a config."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from arm_jax import registry
from arm_jax.config import check_options
from arm_jax.errors import InputError

Factory = Callable[..., Any]
# Arguments that are no options.
_GIVEN = frozenset({"axis_name", "frozen"})


def create(
    package: str,
    known: Sequence[str],
    kind: str,
    config: str,
    block: Mapping[str, Any],
    shared: Mapping[str, Any],
) -> Factory:
    """Returns the function of a part with its options bound.

    Args:
      package: Where the parts of this kind are.
      known: Their names.
      kind: "encoder" or "fusion": the name of the function, too.
      config: Path of the block in the config, for messages.
      block: `name`, and options.
      shared: Options that every part has that knows them.

    Returns:
      A function of what the part is for. It ignores an `axis_name` or `frozen`
      that the part does not take.

    Raises:
      InputError: No name, an unknown one, or an unknown option.
    """
    options = dict(block)
    name = options.pop("name", None)
    if not isinstance(name, str) or not name:
        raise InputError(
            f"config {config} needs a 'name', one of {', '.join(known)}; got "
            f"{dict(block)!r}"
        )
    try:
        module = registry.find(name, package, list(known), kind, kind)
    except InputError as error:
        raise InputError(f"config {config}: {error}") from error
    function = getattr(module, kind, None)
    if function is None:
        raise InputError(
            f"config {config}: module '{name}' has no function `{kind}`"
        )
    parameters = inspect.signature(function).parameters
    known_options = {
        key: parameter
        for key, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        and key not in _GIVEN
    }
    bound = {k: v for k, v in shared.items() if k in known_options} | options
    where = f"config {config}: {kind} '{name}'"
    check_options(where, known_options, bound, config)

    def make(*what: Any, **given: Any) -> Any:
        taken = {k: v for k, v in given.items() if k in parameters}
        try:
            return function(*what, **bound, **taken)
        except InputError as error:
            raise InputError(f"config {config}: {error}") from error

    return make
