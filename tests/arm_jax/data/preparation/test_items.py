import numpy as np
import pytest

from arm_jax.data.preparation import Index, Item
from arm_jax.data.preparation.items import carve, ordered
from arm_jax.errors import InputError


def draw(keys, labels, groups=None, share=0.2, seed=0):
    groups = groups or [""] * len(keys)
    return carve(keys, np.asarray(labels), groups, share, seed)


def test_a_share_of_each_class():
    labels = np.repeat([0, 1, 2], [10, 50, 7])
    keys = [f"key {n}" for n in range(67)]
    chosen = draw(keys, labels)
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [2, 10, 1])
    assert (chosen != draw(keys, labels, seed=1)).any()


def test_a_key_less_moves_few():
    keys = [f"key {n}" for n in range(100)]
    labels = np.zeros(100, int)
    before, after = draw(keys, labels), draw(keys[1:], labels[1:])
    assert (before[1:] != after).sum() <= 1
    # Nor does the order count.
    order = np.random.default_rng(0).permutation(100)
    again = draw([keys[i] for i in order], labels)
    np.testing.assert_array_equal(again, before[order])


def test_groups_are_on_one_side():
    rng = np.random.default_rng(1)
    group = rng.integers(20, size=400)
    labels = rng.integers(5, size=400)
    groups = [f"actor {n}" for n in group]
    chosen = draw([str(n) for n in range(400)], labels, groups)
    assert not set(group[chosen]) & set(group[~chosen])
    assert 0.15 < chosen.mean() < 0.35
    assert set(labels[chosen]) == set(range(5))


def test_the_last_group_of_a_class_stays():
    groups = ["a"] * 4 + ["b"] * 4
    chosen = draw(list("abcdefgh"), [0] * 4 + [1] * 4, groups)
    assert not chosen.any()


def test_keys_differ():
    items = [Item("b", "train", 0), Item("a", "train", 1)]
    assert [item.key for item in ordered(items)] == ["a", "b"]
    with pytest.raises(InputError, match="the index has 'a' twice"):
        ordered([*items, Item("a", "test", 0)])


def test_digests_tell_what_counts():
    items = [Item("a", "train", 0), Item("b", "test", 1)]
    names = ("no", "yes")
    digest = Index(items, names).digest
    # Not where the files are, and how large.
    same = [items[0]._replace(source="x", stamp="5 bytes"), items[1]]
    assert Index(same, names).digest == digest
    others = [
        Index([items[0]._replace(label=1), items[1]], names),
        Index([items[0]._replace(group="g"), items[1]], names),
        Index([items[0]._replace(split="test"), items[1]], names),
        Index(items[:1], names),
        Index(items, ("yes", "no")),
    ]
    assert len({digest, *(x.digest for x in others)}) == 6
