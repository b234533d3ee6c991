"""What an index finds: items, and what is to be said of them."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from arm_jax.errors import InputError


class Item(NamedTuple):
    """One example, before anything of it was decoded.

    Attributes:
      key: What names it for good, such as the file's place in the data set.
      split: Name of the split that it comes with.
      label: Number of its class.
      source: What `decode` gets: paths and texts, to be pickled.
      stamp: What changes when its files or texts do, such as "12 bytes".
      group: What must not be on both sides of a split; empty for none.
      fault: Why it cannot be used, where lists and names tell; empty if not.
    """

    key: str
    split: str
    label: int
    source: Any = None
    stamp: str = ""
    group: str = ""
    fault: str = ""

    @property
    def state(self) -> str:
        """What tells whether it is still what it was."""
        return self.fault or self.stamp


@dataclasses.dataclass(frozen=True)
class Index:
    """All items of a data set, in the order of their keys.

    Attributes:
      items: The items; keys differ.
      class_names: Names of the classes, in the order of the labels.
      summary: Lines that say what was found, and what is missing.
    """

    items: Sequence[Item]
    class_names: tuple[str, ...]
    summary: Sequence[str] = ()

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that tell keys, splits, labels and groups."""
        sha = hashlib.sha256(json.dumps(self.class_names).encode())
        for item in self.items:
            row = item.key, item.split, item.label, item.group
            sha.update(json.dumps(row).encode())
        return sha.hexdigest()[:12]


def ordered(items: Iterable[Item]) -> tuple[Item, ...]:
    """Returns items by key.

    Raises:
      InputError: Two items with one key.
    """
    rows = tuple(sorted(items, key=lambda item: item.key))
    for one, other in zip(rows, rows[1:], strict=False):
        if one.key == other.key:
            raise InputError(f"the index has '{one.key}' twice")
    return rows


def carve(
    keys: Sequence[str],
    labels: np.ndarray,
    groups: Sequence[str],
    share: float,
    seed: int,
) -> np.ndarray:
    """Returns which training examples are for validation, bool `[n]`.

    About `share` of each class, whole groups where there are groups. A draw
    depends on seed and key (or group) alone, so that a file more or less moves
    few others. A class of one group keeps it for training.

    Args:
      keys: Key of each example.
      labels: Class of each example, integers `[n]`.
      groups: Group of each example; empty where it has none.
      share: Share of the examples.
      seed: Random seed.
    """
    units = [g or k for g, k in zip(groups, keys, strict=True)]
    draw = {
        unit: hashlib.sha256(
            # Names of files need not be text.
            f"{seed}:{unit}".encode("utf-8", "surrogateescape")
        ).digest()
        for unit in set(units)
    }
    chosen: set[str] = set()
    for label in np.unique(labels):
        counts: dict[str, int] = {}
        for row in np.flatnonzero(labels == label).tolist():
            counts[units[row]] = counts.get(units[row], 0) + 1
        # Groups that another class brought along come first.
        order = sorted(
            counts, key=lambda unit: (unit not in chosen, draw[unit])
        )
        wanted = round(share * sum(counts.values()))
        taken = 0
        for unit in order[:-1]:
            if taken >= wanted:
                break
            taken += counts[unit]
            chosen.add(unit)
    return np.array([unit in chosen for unit in units], bool)
