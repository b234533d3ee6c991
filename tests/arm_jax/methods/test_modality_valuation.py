import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.modality_valuation import weakest_of
from arm_jax.valuation import Subsets
from tests.arm_jax import helpers

ROWS = 30


def survey(strong, modalities=2):
    """All labels are 0; the fused prediction is right, and one alone is.

    With additive logits: (9, 0) of the strong modality, (0, 1) of the others.
    """
    sure, wrong = np.array([9.0, 0.0]), np.array([0.0, 1.0])
    each = np.stack([sure if m == strong else wrong for m in range(modalities)])
    log = lambda z: z - np.log(np.exp(z).sum(-1, keepdims=True))
    shown = lambda z: np.repeat(log(z)[..., None, :], ROWS, axis=-2)
    log_probs = Subsets(
        shown(each.sum(0)), shown(each), shown(each.sum(0) - each)
    )
    features = dict.fromkeys("abcdef"[:modalities], np.zeros((ROWS, 1)))
    return methods.Survey(
        features, log_probs, np.zeros(ROWS, int), np.log([0.5, 0.5])
    )


def copies(survey, **options):
    name = "modality_valuation"
    method = methods.create(name, {"part": 0.5} | options)
    return method.begin_epoch(helpers.EpochByHand({"train": survey}))


def test_number_of_copies_by_hand():
    # v(a) = 1, v(b) = 0, v(ab) = 2: phi = 3/2 and 1/2, so a difference of 1,
    # and 2/3 of the samples.
    found = copies(survey(strong=0), replay=1.0)
    assert found.row.shape == (ROWS,)
    np.testing.assert_array_equal(found.mask[:20], [[0, 1]] * 20)
    np.testing.assert_array_equal(found.mask[20:], 1)
    assert len(set(found.row[:20])) == 20
    weaker = copies(survey(strong=1), replay=1.0, alpha=0.5)
    np.testing.assert_array_equal(weaker.mask.sum(axis=0), [30, 20])


def test_no_more_than_the_budget():
    found = copies(survey(strong=0), replay=0.5)
    np.testing.assert_array_equal(found.mask, [[0, 1]] * 15)


@pytest.mark.parametrize("modalities", [1, 3, 6])
def test_any_number_of_modalities(modalities):
    found = copies(survey(0, modalities), replay=0.5)
    assert found.mask.shape == (15, modalities)
    assert found.mask.any(axis=1).all()


def test_weakest_by_hand():
    assert weakest_of(np.array([0.5])) == (0, 0.0)
    assert weakest_of(np.array([1.25, 0.5])) == (1, 0.75)
    assert weakest_of(np.array([0.5, 0.25, 1.0])) == (1, 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha must be at least 0, got -1"),
        ({"part": 0.0}, "part must be above 0, got 0"),
        ({"part": 1.5}, r"part must be at most 1, got 1\.5"),
        ({"replay": 2.0}, "replay must be at most 1, got 2"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"method\.options\.{message}"):
        methods.create("modality_valuation", options)
