"""How an encoder starts and is trained: options that every encoder has."""

import dataclasses
import fnmatch
import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from arm_jax.config import from_mapping
from arm_jax.errors import InputError, check_choice
from arm_jax.models import weights
from arm_jax.models.weights.adapting import CHANNELS
from arm_jax.models.weights.layout import Path


@dataclasses.dataclass(frozen=True)
class TuningConfig:
    """Options of every encoder, beside its own, in its block of the config."""

    # A .safetensors file, or a folder with one and its config.json; empty for
    # a random start. Sizes that they tell need not be given.
    weights: str = ""
    # What the names of the encoder's tensors begin with, in a file of several.
    weights_prefix: str = ""
    # How a first convolution is made fit for another number of channels:
    # "repeat" or "mean", see arm_jax.models.weights.adapting; empty: it is not.
    adapt_channels: str = ""
    # Whether embeddings of positions are interpolated for images of another
    # size.
    adapt_positions: bool = False
    # True for all; or names of parts, such as ("words", "layer_*"), of which
    # each begins the path of parameters.
    frozen: bool | str | tuple[str, ...] = False
    # In place of that of the optimiser, on the same schedule.
    learning_rate: float | None = None


class Tuning(NamedTuple):
    """How an encoder is trained.

    Attributes:
      frozen: Paths of parameters that stay as they are.
      is_frozen: Whether all do, but for those of the task at hand: then the
        encoder is in training what it is in prediction.
      learning_rate: In place of the optimiser's, None for that.
    """

    frozen: frozenset[Path] = frozenset()
    is_frozen: bool = False
    learning_rate: float | None = None

    def rate(self, path: Path) -> float | None:
        """Returns the encoder's own rate for a parameter, None without one."""
        return None if weights.own(path) else self.learning_rate

    def still_parts(self, paths: Collection[Path]) -> tuple[str, ...]:
        """Returns the modules all of whose parameters are frozen."""
        moving = {path[0] for path in paths if path not in self.frozen}
        return tuple(sorted({path[0] for path in paths} - moving))


def split(
    block: Mapping[str, Any], where: str
) -> tuple[TuningConfig, dict[str, Any]]:
    """Returns these options, and what is left of an encoder's block.

    Args:
      block: The encoder's block.
      where: Its path in the config, for messages.

    Raises:
      InputError: Options of the wrong type or value.
    """
    names = {field.name for field in dataclasses.fields(TuningConfig)}
    mine = {key: value for key, value in block.items() if key in names}
    rest = {key: value for key, value in block.items() if key not in names}
    options = from_mapping(TuningConfig, mine, f"{where}.")
    rate = options.learning_rate
    if rate is not None and not 0 < rate < math.inf:
        raise InputError(
            f"config {where}.learning_rate must be positive and finite, got "
            f"{rate}; `frozen` keeps an encoder as it is"
        )
    if options.adapt_channels:
        check_choice(
            f"config {where}.adapt_channels", options.adapt_channels, CHANNELS
        )
    if not options.weights:
        for key in ("weights_prefix", "adapt_channels", "adapt_positions"):
            if getattr(options, key):
                raise InputError(f"config {where}.{key} is for weights only")
    return options, rest


def tuning(
    options: TuningConfig, paths: Collection[Path], where: str
) -> Tuning:
    """Returns how an encoder with these parameters is trained.

    Args:
      options: Options.
      paths: Paths of its parameters.
      where: Path of its block in the config, for messages.

    Raises:
      InputError: A part that it does not have.
    """
    frozen = options.frozen
    if isinstance(frozen, str):
        # The command line has words and no lists.
        words = {"true": True, "false": False}
        frozen = words.get(frozen.lower(), tuple(frozen.split(",")))
    if frozen is True:
        still = frozenset(path for path in paths if not weights.own(path))
        return Tuning(still, True, options.learning_rate)
    chosen: set[Path] = set()
    for pattern in frozen or ():
        pattern = pattern.strip()
        beginning = {path for path in paths if _begins(path, pattern)}
        if not beginning:
            parts = ", ".join(dict.fromkeys(path[0] for path in paths))
            raise InputError(
                f"config {where}.frozen names '{pattern}'; the encoder has "
                f"{parts}"
            )
        chosen |= beginning
    return Tuning(frozenset(chosen), False, options.learning_rate)


def _begins(path: Path, pattern: str) -> bool:
    starts = ("/".join(path[:end]) for end in range(1, len(path) + 1))
    return any(fnmatch.fnmatchcase(start, pattern) for start in starts)
