"""Batches of a split, by Grain: seeded, sharded, checkpointable."""

from collections.abc import Iterator

import grain
import jax
import numpy as np

from arm_jax.data.dataset import Split
from arm_jax.errors import InputError


def steps_per_epoch(split: Split, batch_size: int) -> int:
    """Returns how many full batches one pass over `split` has.

    Raises:
      InputError: the split is smaller than one batch, or the batch cannot be
        divided among the processes.
    """
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
    return len(split) // batch_size


def train_batches(
    split: Split, batch_size: int, *, seed: int
) -> grain.DatasetIterator:
    """Returns an endless iterator over shuffled batches of this process.

    Each epoch is a new permutation, drawn from `seed`; an example appears at
    most once in it (the remainder that fills no batch is another one in each
    epoch). The iterator's `get_state` and `set_state` make it resumable, and
    checkpoint libraries know it.

    Args:
      split: the examples.
      batch_size: of all processes together.
      seed: of the permutations.
    """
    steps_per_epoch(split, batch_size)
    processes = jax.process_count()
    # The pipeline moves indices; one gather a batch moves the examples.
    indices = (
        grain.MapDataset.range(len(split))
        .seed(seed)
        .shuffle()
        .slice(slice(jax.process_index(), None, processes))
        .batch(batch_size // processes, drop_remainder=True)
        .map(split.take)
        .repeat()
    )
    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)
    return iter(indices.to_iter_dataset(options))


def eval_batches(split: Split, batch_size: int) -> Iterator[dict]:
    """Yields all examples in order; the last batch is padded, never dropped.

    A batch has one more field than in training: `valid` `[batch_size]` bool,
    false on the padding, which repeats the first example.
    """
    for start in range(0, len(split), batch_size):
        indices = np.arange(start, start + batch_size)
        valid = indices < len(split)
        yield split.take(np.where(valid, indices, 0)) | {"valid": valid}
