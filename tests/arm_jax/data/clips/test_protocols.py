import numpy as np
import pytest

from arm_jax.data.clips import protocols
from arm_jax.errors import InputError

CLASSES, GROUPS, CLIPS = 3, 20, 4


def rows():
    """Each class has its own groups; those of a group are numbered."""
    out = [
        (f"{label}_{group}_{clip}", label, f"{label}_{group}")
        for label in range(CLASSES)
        for group in range(GROUPS)
        for clip in range(CLIPS)
    ]
    keys, labels, groups = zip(*out, strict=True)
    # As in UCF-101: the first groups are for testing.
    listed = ["test" if int(g.split("_")[1]) < 5 else "train" for g in groups]
    return list(keys), np.array(labels), list(groups), listed


def divided(split, *, seed=0, validation=0.25, listed=None, shared=False):
    keys, labels, groups, by_list = rows()
    if shared:  # as actors are, who act in all classes
        groups = [group.split("_")[1] for group in groups]
    masks = protocols.divided(
        "name",
        keys,
        labels,
        groups,
        by_list if listed is None else listed,
        split=split,
        validation=validation,
        seed=seed,
    )
    sets = {
        word: {groups[i] for i in np.flatnonzero(mask)}
        for word, mask in masks.items()
    }
    return masks, sets, labels


@pytest.mark.parametrize("split", ["official", "random"])
@pytest.mark.parametrize("shared", [False, True])
def test_no_group_is_on_two_sides(split, shared):
    masks, sets, labels = divided(split, shared=shared)
    total = sum(mask.astype(int) for mask in masks.values())
    assert (total == 1).all()
    for one, other in (
        ("train", "test"), ("train", "validation"), ("validation", "test"),
    ):  # fmt: skip
        assert not sets[one] & sets[other]
    # Shares hold in each class.
    tested = np.bincount(labels[masks["test"]])
    expected = 20 if split == "official" else 16
    np.testing.assert_array_equal(tested, [expected] * CLASSES)
    left = (80 - expected) * 0.25
    for count in np.bincount(labels[masks["validation"]]):
        assert left <= count < left + CLIPS


def test_the_leaking_draw_leaks():
    """And validation is by group, nevertheless."""
    _, sets, _ = divided("leaking_random_by_clip")
    assert len(sets["train"] & sets["test"]) > 10
    assert not sets["train"] & sets["validation"]


def test_draws_are_by_seed_and_move_little():
    def test_of(**options):
        return divided("random", **options)[0]["test"]

    np.testing.assert_array_equal(test_of(seed=1), test_of(seed=1))
    assert (test_of(seed=1) != test_of(seed=2)).any()
    # The share for validation does not touch what is for testing.
    np.testing.assert_array_equal(test_of(), test_of(validation=0.1))
    # Nor does the seed touch a list.
    np.testing.assert_array_equal(
        divided("official", seed=1)[0]["test"],
        divided("official", seed=2)[0]["test"],
    )


def test_clips_of_no_list_are_left_out():
    listed = rows()[3]
    listed[:4] = ["-"] * 4
    masks, _, _ = divided("official", listed=listed)
    assert sum(mask.sum() for mask in masks.values()) == 236


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": 0.0}, "validation must be above 0 and below 1"),
        ({"listed": ["train"] * 240}, "without test clips of the split 'offi"),
        ({"listed": ["-"] * 240}, "without training clips of the split"),
    ],
)
def test_what_cannot_be_divided(options, message):
    with pytest.raises(InputError, match=message):
        divided("official", **options)
