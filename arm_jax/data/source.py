"""Inputs that are read and decoded when they are asked for."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import numpy as np

from arm_jax.data.workers import Make
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
        processors.
      elsewhere: `elsewhere(rows, seeds) -> batch`, what makes them in place of
        `make`, in other processes; None for this one.
    """

    records: Records
    decode: Callable[[Any], Example]
    digest: str
    augment: Callable[[Example, np.random.Generator], Example] | None = None
    settle: Callable[[Example], Example] | None = None
    rows: np.ndarray | None = None
    threads: int = 0
    elsewhere: Make | None = None

    def __len__(self) -> int:
        return len(self.records) if self.rows is None else len(self.rows)

    @property
    def made_at_once(self) -> int:
        """Number of batches that are made at a time."""
        return self.threads or os.cpu_count() or 1

    def where(self, chosen: np.ndarray) -> "Source":
        """Returns the source of the examples that `chosen`, `[n]`, marks."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        return dataclasses.replace(self, rows=rows[chosen])

    def example(self, index: int) -> dict[str, Any]:
        """Returns the inputs of one example, not augmented."""
        return self._settled(self.decode(self.records[self._row(index)]))

    def take(
        self, indices: np.ndarray, seeds: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Returns the examples at `indices`, stacked.

        Args:
          indices: Positions, of any shape, which comes first in what is
            returned.
          seeds: Seeds of the augmentations, int64 `[*indices.shape, words]`;
            None for none.

        Raises:
          InputError: Examples that differ in their arrays.
        """
        make = self.elsewhere or self.make
        return make(self._row(indices), seeds)

    def make(
        self, rows: np.ndarray, seeds: np.ndarray | None
    ) -> dict[str, Any]:
        """Returns the examples of records, as `take` those of positions."""
        # A batch may ask for an example twice, the second time as a copy.
        decoded = {
            int(row): self.decode(self.records[int(row)])
            for row in np.unique(rows)
        }
        examples = []
        for position in np.ndindex(rows.shape):
            example: Any = decoded[int(rows[position])]
            if seeds is not None and self.augment is not None:
                rng = np.random.default_rng(seeds[position].tolist())
                example = dict(self.augment(example, rng))
            else:
                example = self._settled(example)
            examples.append(example)
        _check_alike(rows.reshape(-1), examples)
        return jax.tree.map(
            lambda *x: np.stack(x).reshape(*rows.shape, *np.shape(x[0])),
            *examples,
        )

    def _row(self, index: Any) -> Any:
        return index if self.rows is None else self.rows[index]

    def _settled(self, example: Example) -> dict[str, Any]:
        return dict(example if self.settle is None else self.settle(example))


def _check_alike(rows: np.ndarray, examples: list[Any]) -> None:
    first = described(examples[0])
    for row, example in zip(rows, examples, strict=True):
        if (this := described(example)) != first:
            raise InputError(
                f"example {row} has {this}, example {rows[0]} {first}"
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
