"""Layouts: what other projects call the tensors of an encoder.

A layout is a table from our modules to theirs. Which of the arrays of a module
are meant follows from ours:

| ours | theirs | |
|---|---|---|
| `kernel`, 2 axes | `weight` | transposed, theirs is (out, in) |
| `kernel`, 4 axes | `weight` | OIHW becomes HWIO |
| `scale` | `weight`, `gamma` | of a normalisation |
| `bias` | `bias`, `beta` | |
| `embedding` | `weight` | |
| `mean`, `var` | `running_mean`, `running_var` | |

Everything is accounted for: each of our arrays has one tensor, each tensor (or
each part of one) is used once, and what is left over is on the layout's list.
"""

import dataclasses
import fnmatch
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from arm_jax.errors import InputError
from arm_jax.models.weights.files import Beside
from arm_jax.models.weights.safetensors import Tensor

Path = tuple[str, ...]
Shapes = Mapping[str, tuple[int, ...]]

_LEAVES = {
    "kernel": ("weight",),
    "scale": ("weight", "gamma"),
    "bias": ("bias", "beta"),
    "embedding": ("weight",),
    "mean": ("running_mean",),
    "var": ("running_var",),
}
# Modules of ours that no file has: they are for the task at hand.
OWN = ("projection",)
# Counts of batches that PyTorch's normalisations keep.
_IGNORED = ("*num_batches_tracked",)
_MOST = 5


class Part(NamedTuple):
    """A module of theirs, of which one is several of ours.

    Attributes:
      module: Its name.
      number: Which of the parts, along the outputs.
      of: How many there are.
    """

    module: str
    number: int
    of: int


# Where the arrays of a module of ours are: candidates, of which a file has one.
# One that ends in "*" is followed by the leaf without a dot, as in
# `self_attention.in_proj_weight`.
Names = tuple[str | Part, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """How one project calls the tensors of an encoder.

    Attributes:
      name: For messages.
      mark: Names that a file of this layout has. What is before the first is
        the prefix of all.
      modules: Their names by ours, `{n}` being the number of `layer_{n}`.
      arrays: The same for arrays of ours that are in no module.
      ignored: Names that may be left over, with * for anything.
      options: `options(shapes, beside) -> options of the encoder`, of the
        shapes by name without prefix, and of the files beside.
    """

    name: str
    mark: tuple[str, ...]
    modules: Mapping[str, Names]
    arrays: Mapping[str, Names]
    ignored: tuple[str, ...]
    options: Callable[[Shapes, Beside], dict[str, Any]]

    def prefixes(self, tensors: Mapping[str, Tensor]) -> list[str]:
        """Returns the prefixes under which the file has this layout."""
        first, *rest = self.mark
        prefixes = [
            name.removesuffix(first)
            for name in tensors
            if name == first or name.endswith(f".{first}")
        ]
        return [
            p for p in prefixes if all(p + mark in tensors for mark in rest)
        ]

    def candidates(self, path: Path) -> list[str | Part]:
        """Returns their names of an array of ours, without prefix."""
        joined, number = "/".join(path), ""
        if layer := re.match(r"layer_(\d+)/", joined):
            number = layer[1]
            joined = "layer_{n}/" + joined[layer.end() :]
        if joined in self.arrays:
            return [_filled(name, number, "") for name in self.arrays[joined]]
        module, _, leaf = joined.rpartition("/")
        return [
            _filled(name, number, suffix)
            for name in self.modules.get(module, ())
            for suffix in _LEAVES.get(leaf, ())
        ]

    def may_be_left(self, name: str) -> bool:
        """Whether a tensor without prefix may be left over."""
        patterns = self.ignored + _IGNORED
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


class Assignment(NamedTuple):
    """Where an array of ours is.

    Attributes:
      name: Name of the tensor, without prefix.
      tensor: The tensor.
      number: Which of the parts of the tensor, along its first axis.
      of: How many there are.
    """

    name: str
    tensor: Tensor
    number: int = 0
    of: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the part."""
        shape = self.tensor.shape
        if self.of == 1:
            return shape
        return (shape[0] // self.of, *shape[1:])

    def read(self) -> np.ndarray:
        """Returns the numbers of the part.

        Raises:
          InputError: Some are not finite, or the file cannot be read.
        """
        x = self.tensor.read().astype(np.float32)
        if not np.isfinite(x).all():
            raise InputError(
                f"{self.tensor.file}: {self.name} has numbers that are not "
                "finite"
            )
        if self.of > 1:
            x = np.split(x, self.of)[self.number]
        return x


def assign(
    layout: Layout,
    tensors: Mapping[str, Tensor],
    wanted: Mapping[Path, Any],
    where: str,
) -> dict[Path, Assignment]:
    """Returns where each of our arrays is; shapes are not compared.

    Args:
      layout: Layout of the file.
      tensors: Its tensors, without prefix.
      wanted: Our arrays, by path.
      where: What to begin a message with.

    Raises:
      InputError: Arrays that have no tensor, or tensors that are left over.
    """
    found: dict[Path, Assignment] = {}
    parts: dict[str, set[int]] = {}
    missing = []
    for path in wanted:
        if path[0] in OWN:
            continue
        names = layout.candidates(path)
        there = [name for name in names if _plain(name) in tensors]
        if not there:
            missing.append(_plain(names[0]) if names else "/".join(path))
            continue
        name = _plain(there[0])
        of, number = 1, 0
        if isinstance(there[0], Part):
            of, number = there[0].of, there[0].number
        # Whether it can be divided is a matter of shapes.
        found[path] = Assignment(name, tensors[name], number, of)
        parts.setdefault(name, set()).add(number)
    if missing:
        raise InputError(
            f"{where} has the layout of {layout.name} but lacks "
            f"{_listed(missing)}: it is of another architecture, or not whole"
        )
    whole = {
        name for name, used in parts.items() if len(used) == _of(found, name)
    }
    left = sorted(
        name for name in tensors.keys() - whole if not layout.may_be_left(name)
    )
    if left:
        raise InputError(
            f"{where} has the layout of {layout.name}, and tensors that this "
            f"encoder has no use for: {_listed(left)}; it is of another "
            "architecture or size"
        )
    return found


def _of(found: Mapping[Path, Assignment], name: str) -> int:
    return next(a.of for a in found.values() if a.name == name)


def converted(x: np.ndarray, leaf: str) -> np.ndarray:
    """Returns a tensor of theirs in the order of axes of ours.

    Args:
      x: Tensor.
      leaf: Name of our array, such as "kernel".
    """
    if leaf == "kernel" and x.ndim == 4:
        return x.transpose(2, 3, 1, 0)
    if leaf == "kernel" and x.ndim == 2:
        return x.T
    return x


def converted_shape(shape: tuple[int, ...], leaf: str) -> tuple[int, ...]:
    """Returns the shape of what `converted` returns."""
    return converted(np.broadcast_to(np.int8(0), shape), leaf).shape


def _filled(name: str | Part, number: str, suffix: str) -> str | Part:
    """Puts the number of a layer and the leaf into a name."""
    if isinstance(name, Part):
        filled = _filled(name.module, number, suffix)
        return name._replace(module=_plain(filled))
    name = name.replace("{n}", number)
    if not suffix:
        return name
    if name.endswith("*"):
        return name[:-1] + suffix
    return f"{name}.{suffix}"


def _plain(name: str | Part) -> str:
    return name.module if isinstance(name, Part) else name


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST
    shown = ", ".join(names[:_MOST])
    return shown + (f" and {more} more" if more > 0 else "")
