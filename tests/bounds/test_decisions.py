import math

import numpy as np
import pytest

from bounds.decisions import (
    rank,
    recommend,
    unless_additive_does,
    unless_contradicted,
)
from bounds.estimators import Estimate
from bounds.quantify import Interactions, Range

SMALL, LARGE, OPEN = (0.0, 0.02), (0.2, 0.4), (0.01, 0.2)
UNKNOWN = (math.nan, math.nan)
NAMES = ("sound", "image")


def estimate(ends):
    known = not math.isnan(ends[0])
    middle = sum(ends) / 2
    return Estimate(middle, *ends, middle, 0.01, 0.0, 0.01, known, 5000)


def interactions(r, u1, u2, s, accuracy=(0.5, 0.9), alone=(0.4, 0.6)):
    values = dict(zip(("redundancy", "unique1", "unique2", "synergy"),
                      map(estimate, (r, u1, u2, s)), strict=True))  # fmt: skip
    return Interactions(
        "labelled pairs", values, estimate(s), estimate(s), Range(*s),
        Range(0.1, 0.9), Range(*accuracy), Range(*accuracy),
        Range(*alone), Range(*alone),
        np.array([0.5, 0.5]), 1.0, 100, 1000, 500.0, 1e-6,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sizes", "family", "modality"),
    [
        ((LARGE, SMALL, SMALL, LARGE), "interaction", ""),
        ((OPEN, OPEN, OPEN, LARGE), "interaction", ""),
        ((LARGE, SMALL, SMALL, SMALL), "agreement", ""),
        ((SMALL, SMALL, SMALL, SMALL), "none", ""),
        ((LARGE, LARGE, SMALL, SMALL), "one", "sound"),
        ((OPEN, SMALL, LARGE, SMALL), "one", "image"),
        ((OPEN, LARGE, LARGE, SMALL), "additive", ""),
    ],
)
def test_families(sizes, family, modality):
    found = recommend(interactions(*sizes), NAMES)
    assert (found.family, found.modality) == (family, modality)
    assert found.measure == ""
    assert len(found.reasons) == 4


@pytest.mark.parametrize(
    ("sizes", "measure"),
    [
        ((LARGE, LARGE, OPEN, SMALL), "U2, unique to image needs about"),
        ((LARGE, LARGE, LARGE, OPEN), "synergy S needs about"),
        ((LARGE, LARGE, LARGE, UNKNOWN), "label about 5,000 pairs"),
        ((UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN), "too few samples for"),
        ((OPEN, SMALL, SMALL, SMALL), "redundancy R needs about"),
    ],
)
def test_no_recommendation_beyond_the_error_bars(sizes, measure):
    found = recommend(interactions(*sizes), NAMES)
    assert found.family == ""
    assert "undecided" in found.text
    assert measure in found.measure


@pytest.mark.parametrize("k", range(4))
def test_widening_an_interval_never_changes_the_family(k):
    """A wider interval may withdraw a recommendation, not make another."""
    for sizes in np.ndindex(2, 2, 2, 2):
        narrow = [(SMALL, LARGE)[i] for i in sizes]
        wide = list(narrow)
        wide[k] = (0.0, 0.9)
        before = recommend(interactions(*narrow), NAMES)
        after = recommend(interactions(*wide), NAMES)
        assert after.family in ("", before.family)


def test_an_additive_model_that_does_as_well_withdraws_interactions():
    one = recommend(interactions(LARGE, SMALL, SMALL, LARGE), NAMES)
    additive = Range(0.70, 0.75)
    assert unless_additive_does(one, additive, Range(0.76, 0.8)) == one
    found = unless_additive_does(one, additive, Range(0.74, 0.8))
    assert found.family == ""
    assert found.text.endswith("an additive model does as well")
    assert found.reasons[-1].endswith("70.0% to 75.0% without")
    other = recommend(interactions(LARGE, LARGE, LARGE, SMALL), NAMES)
    assert unless_additive_does(other, additive, additive) == other


def test_other_symbols_can_withdraw():
    one = recommend(interactions(LARGE, LARGE, SMALL, SMALL), NAMES)
    same = unless_contradicted(one, {"4 symbols": one})
    assert same == one
    open_ = recommend(interactions(LARGE, LARGE, OPEN, SMALL), NAMES)
    assert unless_contradicted(one, {"4 symbols": open_}) == one
    other = recommend(interactions(LARGE, LARGE, LARGE, SMALL), NAMES)
    found = unless_contradicted(one, {"4 symbols": other})
    assert found.family == ""
    assert "4 symbols: additive" in found.reasons[-1]


def test_ranking_is_by_certain_then_possible_gain():
    def pair(accuracy):
        return interactions(*[SMALL] * 4, accuracy=accuracy)

    found = rank(
        {"a": pair((0.5, 0.7)), "b": pair((0.7, 0.8)), "c": pair((0.5, 0.9))},
        budget=10_000,
    )
    assert [g.name for g in found] == ["b", "c", "a"]
    assert found[0].certain == pytest.approx(0.1)
    assert found[1].possible == pytest.approx(0.5)
    # Each needs 5,000 labels.
    assert [g.affordable for g in found] == [True, True, False]


def test_extra_modalities_are_ranked_over_what_is_there():
    found = interactions(*[SMALL] * 4, accuracy=(0.7, 0.9))
    found = found._replace(accuracy1=Range(0.3, 0.5), accuracy2=Range(0.6, 0.8))
    over_first = rank({"a": found}, budget=0, over_first=True)[0]
    over_best = rank({"a": found}, budget=0)[0]
    assert over_first.certain == pytest.approx(0.2)
    assert over_best.certain == 0
    assert not over_best.affordable


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="margin must be positive"):
        recommend(interactions(*[SMALL] * 4), NAMES, margin=0.0)
    with pytest.raises(ValueError, match="budget must not be negative"):
        rank({}, budget=-1)
