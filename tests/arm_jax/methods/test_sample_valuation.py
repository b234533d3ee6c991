import itertools

import numpy as np
import pytest

from arm_jax import methods, shapley
from arm_jax.errors import InputError
from arm_jax.methods import sample_valuation
from arm_jax.valuation import Subsets
from tests.arm_jax import helpers


def log_softmax(x):
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def survey(logits, label, nobody=0.0):
    """Of an additive head: `logits` are `[modalities, n, classes]`."""
    full = nobody + logits.sum(axis=0)
    return methods.Survey(
        features={str(m): None for m in range(len(logits))},
        log_probs=Subsets(
            log_softmax(full),
            log_softmax(nobody + logits),
            log_softmax(full - logits),
        ),
        label=label,
        log_prior=None,
    )


@pytest.mark.parametrize(
    ("right", "phi", "copies"),
    [
        # Right: from a, from b, from both.
        ((0, 0, 0), (0, 0), (2, 2)),
        ((1, 0, 0), (0.5, -0.5), (1, 3)),
        ((0, 1, 0), (-0.5, 0.5), (3, 1)),
        ((1, 1, 0), (0, 0), (2, 2)),
        ((0, 0, 1), (1, 1), (0, 0)),
        ((1, 0, 1), (1.5, 0.5), (0, 1)),
        ((0, 1, 1), (0.5, 1.5), (1, 0)),
        ((1, 1, 1), (1, 1), (0, 0)),
    ],
)
def test_two_modalities_by_hand(right, phi, copies):
    table = np.array([False, *map(bool, right)])[:, None]
    found = sample_valuation.contributions(table)[:, 0]
    np.testing.assert_array_equal(found, phi)
    np.testing.assert_array_equal(sample_valuation.copies_of(found), copies)


def test_three_modalities_by_hand():
    # Right from all three and from a and b: v = 2 for {a, b}, 3 for all.
    right = np.zeros((8, 1), bool)
    right[[0b011, 0b111]] = True
    # c joins last in a third of the orders, and adds 1; a adds 2 or 3.
    a = (1 * 2 + 2 * 3) / 6
    np.testing.assert_allclose(
        sample_valuation.contributions(right)[:, 0],
        # Orders in which a is second after b: 1; in which it is last: 2.
        [a, a, 2 / 6],
    )


@pytest.mark.parametrize(
    ("modalities", "nobody"), [(1, 0.0), (2, 0.0), (2, 1.0), (4, 1.0)]
)
def test_right_from_every_subset(rng, modalities, nobody):
    logits = rng.normal(size=(modalities, 50, 3))
    offset = nobody * rng.normal(size=3)
    label = rng.integers(3, size=50)
    found = sample_valuation.right_by_subset(
        survey(logits, label, offset).log_probs, label
    )
    assert not found[0].any()
    for members in itertools.product([0, 1], repeat=modalities):
        if any(members):
            row = sum(bit << m for m, bit in enumerate(members))
            np.testing.assert_array_equal(
                shapley.coalitions(modalities)[row], members
            )
            total = offset + np.tensordot(members, logits, axes=1)
            np.testing.assert_array_equal(
                found[row], total.argmax(axis=-1) == label
            )


def choose(logits, label, replay):
    method = methods.create("sample_valuation", {"replay": replay})
    epoch = helpers.EpochByHand({"train": survey(logits, label)})
    return method.begin_epoch(epoch)


def test_copies_within_the_budget():
    # Sample 0: a right, b wrong, both right: one copy of b. Others: none.
    logits = np.zeros((2, 4, 2))
    logits[:, :, 1] = -2.0
    logits[1, 0, 1] = 1.0
    found = choose(logits, np.zeros(4, int), replay=0.75)
    assert found.row.shape == (3,)
    assert found.row[0] == 0
    np.testing.assert_array_equal(found.mask, [[0, 1], [1, 1], [1, 1]])


def test_a_random_subset_of_too_many_copies():
    # Everything is wrong: two copies of each modality of each sample.
    logits = np.zeros((2, 40, 2))
    logits[:, :, 1] = 1.0
    found = choose(logits, np.zeros(40, int), replay=0.5)
    assert found.row.shape == (20,)
    np.testing.assert_array_equal(found.mask.sum(axis=1), np.ones(20))
    pairs = np.stack([found.row, found.mask.argmax(axis=1)], 1)
    counts = np.unique(pairs, axis=0, return_counts=True)[1]
    assert counts.max() <= 2
    assert set(pairs[:, 1]) == {0, 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replay": -0.5}, r"options.replay must be above 0, got -0\.5"),
        ({"replay": 0.0}, "replay must be above 0"),
        ({"warmup": -1}, "warmup must be at least 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        methods.create("sample_valuation", options)
