"""Batches of a split, by Grain: seeded, sharded, resumable at any batch."""

import os
from collections.abc import Callable, Iterator, Sequence

import grain
import jax
import numpy as np
from absl import flags

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
      InputError: the split is smaller than one batch, or the batch cannot be
        divided among the processes.
    """
    if batch_size < 1:
        raise InputError(f"data.batch_size must be positive, got {batch_size}")
    if batch_size > len(split):
        raise InputError(
            f"data.batch_size {batch_size} is larger than the training split "
            f"({len(split)} examples)"
        )
    processes = jax.process_count()
    if batch_size % processes:
        raise InputError(
            f"data.batch_size {batch_size} is not divisible by the "
            f"{processes} processes"
        )
    return (len(split) + copies) // batch_size


def epoch_batches(
    split: Split,
    batch_size: int,
    *,
    seeds: Sequence[int],
    epoch: int,
    copy_row: np.ndarray | None = None,
    copy_mask: np.ndarray | None = None,
    start: int = 0,
) -> Iterator[dict]:
    """Yields the shuffled batches of one epoch, of this process.

    Each epoch of each run is a permutation of its own, drawn from the run's
    seed and `epoch`; an example appears at most once in it, and once more as a
    copy if it has one. The remainder that fills no batch is another one in
    each epoch. Batches are addressed by number, so resuming needs nothing but
    `start`.

    Args:
      split: the examples.
      batch_size: examples per batch, of all processes together.
      seeds: one seed per run; runs see the same batches alone or side by
        side.
      epoch: number of the epoch.
      copy_row: positions of examples to be shown once more, `[runs, copies]`.
      copy_mask: the modalities these are shown with, `[runs, copies,
        modalities]`.
      start: number of the first batch to yield.

    Yields:
      `inputs`, `label`, `id`, each `[runs, batch, ...]`, and `mask` `[runs,
      batch, modalities]` float32.
    """
    runs = len(seeds)
    row = np.tile(np.arange(len(split)), (runs, 1))
    modalities = len(split.modalities)
    mask = np.ones((*row.shape, modalities), np.float32)
    if copy_row is not None and copy_mask is not None:
        row = np.concatenate([row, copy_row], axis=1)
        mask = np.concatenate([mask, copy_mask], axis=1, dtype=np.float32)
    steps = row.shape[1] // batch_size
    # The 1 sets these draws apart from those of a method between two epochs.
    order = np.stack(
        [
            np.random.default_rng([seed, epoch, 1]).permutation(row.shape[1])
            for seed in seeds
        ]
    )[:, : steps * batch_size]
    of_process = slice(jax.process_index(), None, jax.process_count())

    def gather(number: int) -> dict:
        batch = slice(number * batch_size, (number + 1) * batch_size)
        place = order[:, batch][:, of_process]
        at = np.arange(runs)[:, None], place

        def draw(run: int, number: int) -> np.random.Generator:
            # The 2 sets these draws apart from that of the order.
            seed = [seeds[run], epoch, 2, int(place[run, number])]
            return np.random.default_rng(seed)

        return split.take(row[at], draw) | {"mask": mask[at]}

    yield from _made(split, gather, start, steps)


def _made(
    split: Split,
    make: Callable[[int], dict],
    start: int,
    stop: int,
) -> Iterator[dict]:
    """Makes batches ahead of their use, and yields them in order.

    The pipeline moves numbers of batches; one gather moves the examples.
    """
    batches = grain.MapDataset.range(start, stop).map(make)
    if not isinstance(split.inputs, Source):
        options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)
        yield from batches.to_iter_dataset(options)
        return
    threads = split.inputs.threads or os.cpu_count() or 1
    options = grain.ReadOptions(
        num_threads=threads, prefetch_buffer_size=2 * threads
    )
    stream = batches.to_iter_dataset(options)
    if split.inputs.processes:
        # Grain reads flags of its own, which only commands parse.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        workers = grain.MultiprocessingOptions(split.inputs.processes)
        stream = stream.mp_prefetch(workers)
    yield from stream


def eval_batches(split: Split, batch_size: int) -> Iterator[dict]:
    """Yields all examples in order; the last batch is padded, never dropped.

    A batch has one more field, `valid` `[batch_size]` bool, false on the
    padding, which repeats the first example.

    Raises:
      InputError: batches of no examples.
    """
    if batch_size < 1:
        raise InputError(f"batch_size must be positive, got {batch_size}")

    def gather(number: int) -> dict:
        indices = np.arange(number * batch_size, (number + 1) * batch_size)
        valid = indices < len(split)
        return split.take(np.where(valid, indices, 0)) | {"valid": valid}

    count = -(-len(split) // batch_size)
    if isinstance(split.inputs, Source):
        yield from _made(split, gather, 0, count)
    else:
        yield from map(gather, range(count))
