"""Batches of a split, by Grain: seeded, sharded, resumable at any batch."""

from collections.abc import Iterator

import grain
import jax
import numpy as np

from arm_jax.data.dataset import Split
from arm_jax.errors import InputError


def steps_per_epoch(split: Split, batch_size: int, copies: int = 0) -> int:
    """Returns how many full batches one epoch has.

    Args:
      split: the training examples.
      batch_size: of all processes together.
      copies: examples that the epoch shows once more.

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
    return (len(split) + copies) // batch_size


def epoch_batches(
    split: Split,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    copy_row: np.ndarray | None = None,
    copy_mask: np.ndarray | None = None,
    start: int = 0,
) -> Iterator[dict]:
    """Yields the shuffled batches of one epoch, of this process.

    Each epoch is a permutation of its own, drawn from `seed` and `epoch`; an
    example appears at most once in it, and once more as a copy if it has one.
    The remainder that fills no batch is another one in each epoch. Batches are
    addressed by number, so resuming needs nothing but `start`.

    Args:
      split: the examples.
      batch_size: of all processes together.
      seed: of the permutations.
      epoch: number of the epoch.
      copy_row: positions of examples to be shown once more, `[copies]`.
      copy_mask: the modalities these are shown with, `[copies, modalities]`.
      start: number of the first batch to yield.

    Yields:
      `inputs`, `label`, `id`, and `mask` `[batch, modalities]` float32.
    """
    processes = jax.process_count()
    mask = np.ones((len(split), len(split.inputs)), np.float32)
    index = np.arange(len(split))
    if copy_row is not None and copy_mask is not None:
        index = np.concatenate([index, copy_row])
        mask = np.concatenate([mask, copy_mask.astype(np.float32)])

    def gather(rows: np.ndarray) -> dict:
        return split.take(index[rows]) | {"mask": mask[rows]}

    # The pipeline moves row numbers; one gather a batch moves the examples.
    batches = (
        grain.MapDataset.range(len(index))
        .seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        .shuffle()
        .slice(slice(jax.process_index(), None, processes))
        .batch(batch_size // processes, drop_remainder=True)
        .slice(slice(start, None))
        .map(gather)
    )
    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)
    yield from batches.to_iter_dataset(options)


def eval_batches(split: Split, batch_size: int) -> Iterator[dict]:
    """Yields all examples in order; the last batch is padded, never dropped.

    A batch has one more field, `valid` `[batch_size]` bool, false on the
    padding, which repeats the first example.
    """
    for start in range(0, len(split), batch_size):
        indices = np.arange(start, start + batch_size)
        valid = indices < len(split)
        yield split.take(np.where(valid, indices, 0)) | {"valid": valid}
