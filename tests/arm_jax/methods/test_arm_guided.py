import functools

import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods import Copies
from arm_jax.methods.arm_guided import gains_of, guided
from arm_jax.methods.terms import contribution_gap
from arm_jax.valuation import Subsets
from tests.arm_jax import helpers


def held_out(*informative, samples=400):
    """Exact posteriors of two modalities, each a copy of the label or noise."""
    label = np.arange(samples) % 2
    sure, prior = np.log([0.99, 0.01]), np.log([0.5, 0.5])
    # One in a hundred is wrong, as posteriors of 0.99 have it.
    seen = label ^ (np.arange(samples) % 200 // 2 == 7)
    copy = np.where(seen[:, None] == np.arange(2), *sure)
    nothing = np.broadcast_to(prior, copy.shape)
    alone = np.stack([copy if x else nothing for x in informative])
    full = copy if any(informative) else nothing
    return Subsets(full, alone, alone[::-1]), label, prior


def test_gains_are_what_the_others_leave_open():
    # A copy, and noise; the copy takes all off but what it gets wrong.
    gains = gains_of(*held_out(True, False))
    entropy = -(0.99 * np.log2(0.99) + 0.01 * np.log2(0.01))
    np.testing.assert_allclose(gains, [1 - entropy, 0], atol=0.02)
    # Two copies: neither adds to the other.
    np.testing.assert_allclose(gains_of(*held_out(True, True)), 0, atol=1e-6)
    # Together alone, as in XOR: both have all of it.
    found, label, prior = held_out(True, False)
    nothing = np.stack([found.alone[1]] * 2)
    gains = gains_of(Subsets(found.full, nothing, nothing), label, prior)
    np.testing.assert_allclose(gains, 1 - entropy, atol=0.02)


def test_copies_and_pairs_count_as_much_as_the_gain(rng):
    mask = np.eye(2)[np.arange(1000) % 2]
    copies = guided(Copies(np.arange(1000), mask), np.array([0.25, 0]), rng)
    alone = copies.mask.sum(axis=1) == 1
    assert abs(alone[::2].mean() - 0.25) < 0.05
    assert not alone[1::2].any()
    np.testing.assert_array_equal(copies.mask[alone], mask[alone])
    phi = np.array([3.0, 1, 0], np.float32)
    # Of the pairs (3, 1), (3, 0) and (1, 0), the second is the weaker one.
    gain = np.array([1.0, 0.5, 0.25], np.float32)
    found = contribution_gap(phi, gain)
    np.testing.assert_allclose(found, (2 * 0.5 + 3 * 0.25 + 1 * 0.25) / 3)
    ones = np.ones(3, np.float32)
    assert contribution_gap(phi, ones) == contribution_gap(phi)


class Forking(helpers.EpochByHand):
    """A copy knows the rows by heart that it has seen, of either modality."""

    def __init__(self, number):
        truth, label, prior = held_out(True, False)
        heart, _, _ = held_out(True, True)
        self.truth, self.heart = truth, heart
        self.forks = []
        survey = methods.Survey({"a": None, "b": None}, heart, label, prior)
        memory = {"gain": np.full(2, 0.5, np.float32), "arm": ()}
        super().__init__(
            {"train": survey}, number=number, memory=memory, initial="start"
        )
        self.steps = 20

    def fork(self, steps, *, variables, rows):
        assert variables is self.initial
        self.forks.append(steps)
        return rows

    def survey(self, split="train", variables=None):
        found = super().survey(split)
        if variables is None:
            return found
        known = np.isin(np.arange(400), variables)[:, None]
        log_probs = Subsets(
            *map(functools.partial(np.where, known), self.heart, self.truth)
        )
        return found._replace(log_probs=log_probs)


def test_gains_are_of_rows_that_a_copy_has_not_seen():
    options = {"warmup": 4, "folds": 4, "look": 3, "replay": 0.25}
    method = methods.create("arm_guided", options)
    epoch = Forking(4)
    copies = method.begin_epoch(epoch)
    # Three epochs of three quarters of the rows.
    assert epoch.forks == [45] * 4
    gains = epoch.variables.memory["gain"]
    assert gains.dtype == np.float32
    np.testing.assert_allclose(gains, gains_of(*held_out(True, False)), 1e-5)
    assert copies.row.shape == (100,)
    # The loss is weighted by them.
    phi = np.array([0, 3], np.float32)
    assert method.gap(phi, {"gain": gains}) == contribution_gap(phi, gains)
    later = Forking(5)
    method.begin_epoch(later)
    assert later.forks == []


def test_options_that_are_refused():
    for option, message in (
        ({"folds": 1}, "folds must be at least 2"),
        ({"look": 0}, "look must be at least 1"),
    ):
        with pytest.raises(InputError, match=message):
            methods.create("arm_guided", option)
