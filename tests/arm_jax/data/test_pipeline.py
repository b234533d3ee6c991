import jax
import numpy as np
import pytest

from arm_jax.data.dataset import Split
from arm_jax.data.pipeline import eval_batches, steps_per_epoch, train_batches
from arm_jax.errors import InputError


def make_split(n: int) -> Split:
    x = np.arange(n, dtype=np.float32)
    return Split(
        inputs={"a": x[:, None], "b": np.stack([x, -x], axis=1)},
        label=np.arange(n, dtype=np.int32) % 3,
        id=np.arange(n, dtype=np.int32) + 100,
    )


def ids(batches, count):
    return [next(batches)["id"] for _ in range(count)]


def test_each_epoch_is_a_new_permutation():
    batches = train_batches(make_split(23), 5, seed=1)
    first, second = (np.concatenate(ids(batches, 4)) for _ in range(2))
    for epoch in (first, second):
        assert len(set(epoch.tolist())) == 20
        assert set(epoch.tolist()) <= set(range(100, 123))
    assert not np.array_equal(first, second)
    assert set(first.tolist()) != set(second.tolist())


def test_rows_of_a_batch_belong_together():
    batch = next(train_batches(make_split(23), 5, seed=1))
    row = batch["id"] - 100
    np.testing.assert_array_equal(batch["inputs"]["a"][:, 0], row)
    np.testing.assert_array_equal(batch["inputs"]["b"][:, 1], -row)
    np.testing.assert_array_equal(batch["label"], row % 3)


def test_seed_decides():
    split = make_split(23)
    same = [ids(train_batches(split, 5, seed=s), 9) for s in (3, 3, 4)]
    np.testing.assert_array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])


def test_state_restores_the_position():
    split = make_split(23)
    batches = train_batches(split, 5, seed=1)
    ids(batches, 6)
    state = batches.get_state()
    wanted = ids(batches, 5)
    other = train_batches(split, 5, seed=1)
    other.set_state(state)
    np.testing.assert_array_equal(ids(other, 5), wanted)


def test_processes_share_an_epoch(monkeypatch):
    split = make_split(24)
    parts = []
    for index in range(2):
        monkeypatch.setattr(jax, "process_index", lambda index=index: index)
        monkeypatch.setattr(jax, "process_count", lambda: 2)
        parts.append(np.concatenate(ids(train_batches(split, 6, seed=1), 4)))
    assert len(parts[0]) == len(parts[1]) == 12
    assert sorted(np.concatenate(parts).tolist()) == list(range(100, 124))


def test_batch_that_is_too_large():
    with pytest.raises(InputError, match="batch_size 24 is larger than"):
        steps_per_epoch(make_split(23), 24)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 16])
def test_evaluation_pads_and_never_drops(n):
    batches = list(eval_batches(make_split(n), 8))
    assert all(len(b["id"]) == 8 for b in batches)
    kept = np.concatenate([b["id"][b["valid"]] for b in batches])
    np.testing.assert_array_equal(kept, np.arange(n) + 100)
