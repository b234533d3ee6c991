"""Batches of a split, by Grain: seeded, sharded, resumable at any batch."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grain
import jax
import numpy as np

from arm_jax.data.dataset import Split
from arm_jax.data.source import Source
from arm_jax.errors import InputError


def steps_per_epoch(split: Split, batch_size: int, copies: int = 0) -> int:
    """Returns how many full batches one epoch has.

    Args:
      split: the training examples.
      batch_size: examples per batch, of all processes together.
      copies: examples that the epoch shows once more.

    Raises:
      InputError: the split is smaller than one batch.
    """
    if batch_size < 1:
        raise InputError(f"data.batch_size must be positive, got {batch_size}")
    if batch_size > len(split):
        raise InputError(
            f"data.batch_size {batch_size} is larger than the training split "
            f"({len(split)} examples)"
        )
    return (len(split) + copies) // batch_size


class Batches(NamedTuple):
    """Batches by number, made when they are asked for.

    Attributes:
      number: How many there are.
      make: `make(number) -> batch`, in any order, thread and process.
    """

    number: int
    make: Callable[[int], Any]


def epoch_batches(
    split: Split,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    copy_row: np.ndarray | None = None,
    copy_mask: np.ndarray | None = None,
) -> Batches:
    """Returns the shuffled batches of one epoch of a run, of this process.

    Each epoch of each run is a permutation of its own, drawn from the run's
    seed and `epoch`; an example appears at most once in it, and once more as a
    copy if it has one. The remainder that fills no batch is another one in
    each epoch. A batch has `inputs`, `label`, `id`, each `[batch, ...]`, and
    `mask` `[batch, modalities]` float32.

    Args:
      split: the examples.
      batch_size: examples per batch, of all processes together.
      seed: seed of the run.
      epoch: number of the epoch.
      copy_row: positions of examples to be shown once more, `[copies]`.
      copy_mask: the modalities these are shown with, `[copies, modalities]`.
    """
    row = np.arange(len(split))
    mask = split.present
    if mask is None:
        mask = np.ones((len(row), len(split.modalities)), np.float32)
    if copy_row is not None and copy_mask is not None:
        row = np.concatenate([row, copy_row])
        copies = copy_mask * mask[copy_row]
        mask = np.concatenate([mask, copies], dtype=np.float32)
    # The 1 sets these draws apart from those of a method between two epochs.
    order = np.random.default_rng([seed, epoch, 1]).permutation(len(row))
    first, size = _share(batch_size)

    def gather(number: int) -> dict:
        start = number * batch_size + first
        place = order[start : start + size]
        # The 2 sets these draws apart from that of the order.
        seeds = np.array([[seed, epoch, 2, at] for at in place])
        return split.take(row[place], seeds) | {"mask": mask[place]}

    return Batches(len(row) // batch_size, gather)


def stream(split: Split, batches: Batches, start: int = 0) -> Iterator[Any]:
    """Makes batches of a split ahead of their use, and yields them in order.

    The pipeline moves numbers of batches; one gather moves the examples.
    Resuming needs nothing but `start`.

    Args:
      split: the examples, which say how they are best made.
      batches: those to make.
      start: number of the first batch to yield.
    """
    made = grain.MapDataset.range(start, batches.number).map(batches.make)
    if not isinstance(split.inputs, Source):
        options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)
        yield from made.to_iter_dataset(options)
        return
    threads = split.inputs.made_at_once
    options = grain.ReadOptions(
        num_threads=threads, prefetch_buffer_size=2 * threads
    )
    yield from made.to_iter_dataset(options)


def _share(batch_size: int) -> tuple[int, int]:
    """Where the part of this process begins in a batch, and its size.

    The parts are in the order of the processes, as devices divide a batch, so
    that an example is on the same device however these are divided.
    """
    size = batch_size // jax.process_count()
    return jax.process_index() * size, size


def eval_batches(split: Split, batch_size: int) -> Iterator[dict]:
    """Yields all examples in order; the last batch is padded, never dropped.

    Of several processes each yields its part of each batch. A batch has one
    more field, `valid` `[batch]` bool, false on the padding, which repeats the
    first example.

    Raises:
      InputError: batches of no examples.
    """
    if batch_size < 1:
        raise InputError(f"batch_size must be positive, got {batch_size}")

    first, size = _share(batch_size)

    def gather(number: int) -> dict:
        indices = number * batch_size + first + np.arange(size)
        valid = indices < len(split)
        return split.take(np.where(valid, indices, 0)) | {"valid": valid}

    batches = Batches(-(-len(split) // batch_size), gather)
    if isinstance(split.inputs, Source):
        yield from stream(split, batches)
    else:
        yield from map(batches.make, range(batches.number))
