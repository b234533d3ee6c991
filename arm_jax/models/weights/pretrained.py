"""Weights of one encoder: found, told apart, checked, and read."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from arm_jax.errors import InputError
from arm_jax.models.weights import adapting, files
from arm_jax.models.weights.files import Opened
from arm_jax.models.weights.layout import (
    OWN,
    Assignment,
    Layout,
    Path,
    assign,
    converted,
    converted_shape,
)
from arm_jax.models.weights.safetensors import Tensor

# The arrays that can be adapted.
_FIRST = (("conv1", "kernel"), ("patches", "kernel"))
_POSITIONS = ("positions",)


class Adapting(NamedTuple):
    """What may be adapted to other images.

    Attributes:
      channels: Rule for the first convolution, of `adapting.CHANNELS`; empty
        for none.
      positions: Whether embeddings of positions may be interpolated.
      grid: Rows and columns of patches, if the encoder has patches.
    """

    channels: str = ""
    positions: bool = False
    grid: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """Weights whose layout is known.

    Attributes:
      opened: The files.
      layout: Their layout.
      tensors: By name without prefix.
    """

    opened: Opened
    layout: Layout
    tensors: Mapping[str, Tensor]

    def options(self) -> dict[str, Any]:
        """Returns options of the encoder that the files tell; None: unknown.

        Raises:
          InputError: Weights of another architecture, or a config.json of
            another model.
        """
        shapes = {name: t.shape for name, t in self.tensors.items()}
        try:
            return self.layout.options(shapes, self.opened.beside)
        except InputError as error:
            raise InputError(f"{self.opened.path}: {error}") from error
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.opened.path} has the layout of {self.layout.name}, but "
                f"no tensor of its sizes ({error}): it is of another "
                "architecture, or not whole"
            ) from error

    def fit(
        self, wanted: Mapping[Path, tuple[int, ...]], adapt: Adapting
    ) -> Callable[[], dict[Path, np.ndarray]]:
        """Returns what reads our arrays, by path, in float32.

        Args:
          wanted: Shapes of our arrays by path.
          adapt: What may be adapted.

        Raises:
          InputError: Tensors that are missing, left over or of other shapes; or
            nothing that could be adapted as is asked for.
        """
        for key, asked, can in (
            ("adapt_channels", adapt.channels, wanted.keys() & set(_FIRST)),
            ("adapt_positions", adapt.positions, adapt.grid),
        ):
            if asked and not can:
                raise InputError(
                    f"{key} is {asked!r}; this encoder has nothing to adapt so"
                )
        assigned = assign(
            self.layout, self.tensors, wanted, str(self.opened.path)
        )
        for path, there in assigned.items():
            self._check_shape(path, there, wanted[path], adapt)

        def read() -> dict[Path, np.ndarray]:
            arrays = {}
            for path, there in assigned.items():
                x = converted(there.read(), path[-1])
                arrays[path] = _adapted(path, x, wanted[path], adapt)
            return arrays

        return read

    def _check_shape(
        self,
        path: Path,
        there: Assignment,
        shape: tuple[int, ...],
        adapt: Adapting,
    ) -> None:
        if not there.tensor.is_floating:
            raise InputError(
                f"{self.opened.path}: {there.name} is of type "
                f"{there.tensor.dtype}, and floats are needed: take weights "
                "that are not quantised"
            )
        divisible = there.tensor.shape and not (
            there.tensor.shape[0] % there.of
        )
        if there.of > 1 and not divisible:
            raise InputError(
                f"{self.opened.path}: {there.name} is of shape "
                f"{there.tensor.shape}, which cannot be divided by {there.of}"
            )
        found = converted_shape(there.shape, path[-1])
        hint = ""
        if found == shape and not _of_another_grid(path, shape, adapt):
            return
        if path in _FIRST and _without(found, 2) == _without(shape, 2):
            if adapt.channels:
                return
            hint = (
                f"; of images with {shape[2]} channels: set adapt_channels to "
                f"{' or '.join(map(repr, adapting.CHANNELS))}"
            )
        if path == _POSITIONS and _without(found, 1) == _without(shape, 1):
            if adapt.positions and adapt.grid:
                return
            hint = (
                "; they are of images of another size: set adapt_positions to "
                "True to interpolate"
            )
        raise InputError(
            f"{self.opened.path}: {there.name} is of shape {there.shape}, "
            f"which makes {found}; the encoder's {'/'.join(path)} has {shape}"
            f"{hint}"
        )


def find(
    path: str, prefix: str, layouts: Sequence[Layout], encoder: str
) -> Pretrained:
    """Finds out which layout the weights at a path have.

    Args:
      path: File or folder.
      prefix: What the names of the tensors begin with, where a file has several
        encoders; the others are not looked at. Empty for all.
      layouts: Layouts that are known for the encoder.
      encoder: Name of the encoder, for messages.

    Raises:
      InputError: No such file, a damaged one, or one of another layout.
    """
    if not layouts:
        raise InputError(f"no layout of weights is known for {encoder}")
    opened = files.opened(path)
    tensors = {
        name.removeprefix(prefix): tensor
        for name, tensor in opened.tensors.items()
        if name.startswith(prefix)
    }
    where = str(opened.path)
    if not tensors:
        raise InputError(f"{where} has no tensor that begins with '{prefix}'")
    fitting = [
        (layout, start)
        for layout in layouts
        for start in layout.prefixes(tensors)
    ]
    if not fitting:
        known = ", ".join(layout.name for layout in layouts)
        first = ", ".join(sorted(tensors)[:3])
        raise InputError(
            f"{where} has none of the layouts of weights for {encoder} "
            f"({known}); it has {first}, ..."
        )
    if len(fitting) > 1:
        starts = ", ".join(f"'{start}'" for _, start in fitting)
        raise InputError(
            f"{where} has several encoders that begin with {starts}: set "
            "weights_prefix to one"
        )
    ((layout, start),) = fitting
    inside = {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }
    # What is beside the encoder, such as a classifier, is left over like what
    # is in it.
    beside = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.startswith(start)
    }
    if twice := inside.keys() & beside.keys():
        raise InputError(
            f"{where} has {min(twice)} with and without '{start}' before it"
        )
    return Pretrained(opened, layout, inside | beside)


def _adapted(
    path: Path, x: np.ndarray, shape: tuple[int, ...], adapt: Adapting
) -> np.ndarray:
    if x.shape == shape and not _of_another_grid(path, shape, adapt):
        return x
    if path == _POSITIONS and adapt.grid:
        return adapting.positions(x, adapt.grid)
    return adapting.channels(x, shape[2], adapt.channels)


def _of_another_grid(
    path: Path, shape: tuple[int, ...], adapt: Adapting
) -> bool:
    """Whether embeddings of positions are as many, but of a square grid."""
    if path != _POSITIONS or adapt.grid is None:
        return False
    rows, columns = adapt.grid
    return rows != columns and math.isqrt(shape[1] - 1) ** 2 == shape[1] - 1


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def own(path: Path) -> bool:
    """Whether an array of an encoder is for the task at hand, in no file."""
    return path[0] in OWN
