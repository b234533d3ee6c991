import dataclasses

import jax
import numpy as np
import pytest

from arm_jax.data.dataset import Split
from arm_jax.data.pipeline import (
    epoch_batches,
    eval_batches,
    steps_per_epoch,
    stream,
)
from arm_jax.errors import InputError


def make_split(n: int) -> Split:
    x = np.arange(n, dtype=np.float32)
    return Split(
        inputs={"a": x[:, None], "b": np.stack([x, -x], axis=1)},
        label=np.arange(n, dtype=np.int32) % 3,
        id=np.arange(n, dtype=np.int32) + 100,
    )


def epoch_ids(split, batch_size, start=0, **options):
    options = {"seed": 1, "epoch": 0} | options
    batches = epoch_batches(split, batch_size, **options)
    return [b["id"] for b in stream(split, batches, start)]


def test_each_epoch_is_a_new_permutation():
    split = make_split(23)
    first, second = (
        np.concatenate(epoch_ids(split, 5, epoch=epoch)) for epoch in (0, 1)
    )
    for ids in (first, second):
        assert len(set(ids.tolist())) == len(ids) == 20
        assert set(ids.tolist()) <= set(range(100, 123))
    assert set(first.tolist()) != set(second.tolist())


def test_rows_of_a_batch_belong_together():
    batch = epoch_batches(make_split(23), 5, seed=1, epoch=0).make(0)
    row = batch["id"] - 100
    np.testing.assert_array_equal(batch["inputs"]["a"][:, 0], row)
    np.testing.assert_array_equal(batch["inputs"]["b"][:, 1], -row)
    np.testing.assert_array_equal(batch["label"], row % 3)
    np.testing.assert_array_equal(batch["mask"], np.ones((5, 2)))


def test_seed_decides():
    split = make_split(23)
    same = [epoch_ids(split, 5, seed=s) for s in (3, 3, 4)]
    np.testing.assert_array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])


def test_start_continues_the_epoch():
    split = make_split(23)
    whole = epoch_ids(split, 5)
    np.testing.assert_array_equal(epoch_ids(split, 5, start=3), whole[3:])


def test_copies_come_once_more_with_their_mask():
    split = make_split(24)
    index, mask = np.array([3, 3, 7]), np.array([[1, 0], [1, 0], [0, 1]])
    count, make = epoch_batches(
        split, 9, seed=0, epoch=2, copy_row=index, copy_mask=mask
    )
    batches = list(map(make, range(count)))
    assert count == steps_per_epoch(split, 9, copies=3) == 3
    ids = np.concatenate([b["id"] for b in batches]) - 100
    seen = np.concatenate([b["mask"] for b in batches])
    assert np.bincount(ids, minlength=24).tolist() == [
        {3: 3, 7: 2}.get(k, 1) for k in range(24)
    ]
    at_three = sorted(seen[ids == 3].tolist())
    assert at_three == [[1, 0], [1, 0], [1, 1]]
    assert sorted(seen[ids == 7].tolist()) == [[0, 1], [1, 1]]


def test_a_copy_has_no_more_than_its_example():
    present = np.ones((4, 2), np.float32)
    present[2, 0] = 0
    split = dataclasses.replace(make_split(4), present=present)
    batch = epoch_batches(
        split, 6, seed=0, epoch=0, copy_row=np.array([1, 2]),
        copy_mask=np.ones((2, 2)),
    ).make(0)  # fmt: skip
    np.testing.assert_array_equal(batch["mask"], present[batch["id"] - 100])
    assert sorted(batch["id"]) == [100, 101, 101, 102, 102, 103]


def test_processes_share_an_epoch(monkeypatch):
    split = make_split(24)
    parts = []
    for index in range(2):
        monkeypatch.setattr(jax, "process_index", lambda index=index: index)
        monkeypatch.setattr(jax, "process_count", lambda: 2)
        parts.append(np.concatenate(epoch_ids(split, 6)))
    assert len(parts[0]) == len(parts[1]) == 12
    assert sorted(np.concatenate(parts).tolist()) == list(range(100, 124))


def test_batch_that_is_too_large():
    with pytest.raises(InputError, match="batch_size 24 is larger than"):
        steps_per_epoch(make_split(23), 24)


def test_batch_without_examples():
    with pytest.raises(InputError, match="batch_size must be positive, got 0"):
        steps_per_epoch(make_split(23), 0)
    with pytest.raises(InputError, match="batch_size must be positive, got 0"):
        list(eval_batches(make_split(23), 0))


@pytest.mark.parametrize("n", [1, 7, 8, 9, 16])
def test_evaluation_pads_and_never_drops(n):
    batches = list(eval_batches(make_split(n), 8))
    assert all(len(b["id"]) == 8 for b in batches)
    kept = np.concatenate([b["id"][b["valid"]] for b in batches])
    np.testing.assert_array_equal(kept, np.arange(n) + 100)
