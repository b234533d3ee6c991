"""Inputs that are read and decoded when they are asked for."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import numpy as np

from arm_jax.errors import InputError

# One example: an array, or a pytree of arrays, by modality.
Example = Mapping[str, Any]


class Records(Protocol):
    """Anything with a length and an index, such as a TFDS data source."""

    def __len__(self) -> int:
        """Returns the number of records."""

    def __getitem__(self, index: int, /) -> Any:
        """Returns one record, in any order and from any thread."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Random access to the inputs of a split that need not fit in memory.

    Attributes:
      records: What is stored, in the order of the split.
      decode: `decode(record) -> example`: arrays, or pytrees of arrays, by
        modality; of equal shapes in all examples.
      digest: What tells the records from others, in place of their bytes.
      augment: `augment(example, rng) -> example`, in training only; `rng` is a
        NumPy generator whose seed is the run's, the epoch and the position in
        it, so that a resumed run draws the same. None for nothing.
      settle: `settle(example) -> example`, wherever nothing is augmented, such
        as the crop of an image's middle. None for nothing.
      rows: Numbers of the records that the split has; None for all.
      threads: Number of batches that are made at a time; 0 for the number of
        processors, and with processes for one in each of them.
      processes: Number of processes that make them, each with so many threads;
        0 for none but this one.
    """

    records: Records
    decode: Callable[[Any], Example]
    digest: str
    augment: Callable[[Example, np.random.Generator], Example] | None = None
    settle: Callable[[Example], Example] | None = None
    rows: np.ndarray | None = None
    threads: int = 0
    processes: int = 0

    def __len__(self) -> int:
        return len(self.records) if self.rows is None else len(self.rows)

    @property
    def made_at_once(self) -> int:
        """Number of batches that one process makes at a time."""
        # Batches that are ready wait in memory: in each process, for each
        # thread.
        return self.threads or (1 if self.processes else os.cpu_count() or 1)

    def where(self, chosen: np.ndarray) -> "Source":
        """Returns the source of the examples that `chosen`, `[n]`, marks."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        return dataclasses.replace(self, rows=rows[chosen])

    def example(self, index: int) -> dict[str, Any]:
        """Returns the inputs of one example, not augmented."""
        return self._settled(self._decoded(index))

    def _decoded(self, index: int) -> Example:
        row = index if self.rows is None else int(self.rows[index])
        return self.decode(self.records[row])

    def _settled(self, example: Example) -> dict[str, Any]:
        return dict(example if self.settle is None else self.settle(example))

    def take(
        self,
        indices: np.ndarray,
        draw: Callable[..., np.random.Generator] | None = None,
    ) -> dict[str, Any]:
        """Returns the examples at `indices`, stacked.

        Args:
          indices: Positions, of any shape, which comes first in what is
            returned.
          draw: `draw(*position) -> rng` of the augmentation of the example at
            a position in `indices`; None for none.

        Raises:
          InputError: Examples that differ in their arrays.
        """
        # A batch may ask for an example twice, the second time as a copy.
        examples = {int(i): self._decoded(int(i)) for i in np.unique(indices)}
        rows = []
        for position in np.ndindex(indices.shape):
            example: Any = examples[int(indices[position])]
            if draw is not None and self.augment is not None:
                example = dict(self.augment(example, draw(*position)))
            else:
                example = self._settled(example)
            rows.append(example)
        self._check_alike(indices.reshape(-1), rows)
        return jax.tree.map(
            lambda *x: np.stack(x).reshape(*indices.shape, *np.shape(x[0])),
            *rows,
        )

    def _check_alike(self, indices: np.ndarray, rows: list[Any]) -> None:
        first = described(rows[0])
        for index, row in zip(indices, rows, strict=True):
            if (this := described(row)) != first:
                raise InputError(
                    f"example {index} has {this}, example {indices[0]} {first}"
                )


def described(example: Any) -> str:
    """Returns the types and shapes of an example's arrays, for messages."""
    return ", ".join(
        f"{path}: {np.asarray(x).dtype}{list(np.shape(x))}"
        for path, x in named_leaves(example)
    )


def named_leaves(tree: Any) -> list[tuple[str, Any]]:
    """Returns the arrays of a pytree with their paths, as in "text/ids"."""
    return [
        (jax.tree_util.keystr(path, simple=True, separator="/"), leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]
