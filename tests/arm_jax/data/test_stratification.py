"""Parts with their share of every label."""

import numpy as np
import pytest

from arm_jax.data import drawing, stratification
from arm_jax.errors import InputError


def table(rng, n=400):
    frequencies = [0.5, 0.2, 0.1, 0.05, 0.025]
    return (rng.random((n, 5)) < frequencies).astype(np.int64)


def test_every_label_has_its_share(rng):
    labels = table(rng)
    part = stratification.drawn(labels, np.arange(400), 0.2, rng)
    assert abs(part.sum() - 80) <= 1
    share = labels.sum(0) / 5
    assert (np.abs(labels[part].sum(0) - share) <= 1).all()
    # By chance rare labels are often far off it.
    at_random = rng.permutation(400)[:80]
    assert (np.abs(labels[at_random].sum(0) - share) > 1).any()


def test_groups_stay_whole(rng):
    labels = table(rng)
    groups = np.arange(400) // 5
    part = stratification.drawn(labels, groups, 0.2, rng)
    for group in np.unique(groups):
        assert len(set(part[groups == group])) == 1
    share = labels.sum(0) / 5
    assert (np.abs(labels[part].sum(0) - share) <= 4).all()
    assert abs(part.sum() - 80) <= 10


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_no_side_is_empty(share, rng):
    part = stratification.drawn(np.ones((3, 1)), np.arange(3), share, rng)
    assert 0 < part.sum() < 3


def test_seeds_draw_other_parts():
    labels = table(np.random.default_rng(0))
    draw = [drawing.split_codes("a", None, labels, None, s) for s in (0, 0, 1)]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert (draw[0] != draw[2]).any()
    # 256 for training, 64 for validation, 80 for testing.
    assert np.abs(np.bincount(draw[0]) - [256, 64, 80]).max() <= 2
    for code, share in enumerate((0.64, 0.16, 0.2)):
        there = labels[draw[0] == code].sum(0)
        assert (np.abs(there - share * labels.sum(0)) <= 2).all()


def test_too_few_are_named():
    with pytest.raises(InputError, match=r"too few groups \(2\)"):
        drawing.split_codes("a", None, np.ones((8, 2)), np.arange(8) % 2, 0)
