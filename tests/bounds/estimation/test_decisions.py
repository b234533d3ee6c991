import math

import numpy as np
import pytest

from bounds.errors import InputError
from bounds.estimation.decisions import (
    decide,
    recommend,
)
from bounds.estimation.estimators import Estimate
from bounds.estimation.interactions import Interactions, Range
from bounds.estimation.posteriors import PosteriorPID
from bounds.estimation.ranking import rank
from bounds.estimation.withdrawals import (
    unless_additive_does,
    unless_contradicted,
)

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


FOUND = interactions(*[SMALL] * 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: recommend(FOUND, NAMES, margin=0.0),
            "margin must be positive, got 0.0",
        ),
        (
            lambda: recommend(FOUND, NAMES, margin=math.nan),
            "margin must be positive, got nan",
        ),
        (
            lambda: recommend(FOUND, NAMES, margin="0.1"),
            "margin must be a number, got '0.1'",
        ),
        (lambda: recommend(FOUND, ("a",)), "names must be two names, got"),
        (lambda: recommend(FOUND, ("a", 1)), "names must be two names"),
        (lambda: recommend(FOUND, ("a", "a")), "names must differ, got"),
        (lambda: recommend(FOUND, 0), "names must be two names, got 0"),
        (lambda: recommend(FOUND, "ab"), "names must be two names"),
        (
            lambda: recommend(None, NAMES),
            "evidence must be what quantify returns, got NoneType",
        ),
        (lambda: rank({}, budget=-1), "budget must be at least 0, got -1"),
        (lambda: rank([], budget=1), "candidates must map .* got list"),
        (lambda: rank({}, budget=1e3), "budget must be an integer, got 1000.0"),
        (
            lambda: rank({"a": FOUND.estimates}, budget=1),
            r"candidates\['a'\] must be what quantify returns, got dict",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_the_margin_itself_is_open():
    at = (0.05, 0.05)
    assert recommend(interactions(*[at] * 4), NAMES).family == ""
    above = (math.nextafter(0.05, 1), 0.4)
    below, none = (0.0, math.nextafter(0.05, 0)), (0.0, 0.0)
    found = recommend(interactions(above, below, below, none), NAMES)
    assert found.family == "agreement"


def test_reasons_have_no_negative_zero():
    found = recommend(interactions(*[(-0.0, -1e-9)] * 4), NAMES)
    assert "between 0.000 and 0.000 bits" in found.reasons[0]


def test_samples_that_narrow_an_interval_to_the_margin():
    # 0.08 +- 0.06 with 1,000 samples: 0.03 from the margin, a factor of 4.
    found = interactions(LARGE, LARGE, LARGE, (0.02, 0.14))
    assert "synergy S needs about 4,000 samples" in (
        recommend(found, NAMES).measure
    )
    # An uneven one: below the margin it is the upper end that is in the way.
    uneven = found.estimates["synergy"]._replace(
        value=0.03, lower=0.0, upper=0.07
    )
    found = found._replace(
        estimates=found.estimates | {"synergy": uneven},
        synergy=Range(0.0, 0.07),
    )
    assert "about 4,000 samples" in recommend(found, NAMES).measure
    # At the margin no number of samples will do.
    at = uneven._replace(value=0.05001)
    found = found._replace(estimates=found.estimates | {"synergy": at})
    assert "synergy S is at the margin" in recommend(found, NAMES).measure


def test_labels_of_a_pair_without_an_estimate():
    found = interactions(LARGE, LARGE, LARGE, UNKNOWN)
    del found.estimates["synergy"]
    # 5 samples for each of 100 cells, of which half count.
    assert rank({"a": found}, budget=1000)[0].labels == 1000
    assert rank({"a": found}, budget=1000)[0].affordable
    assert not rank({"a": found}, budget=999)[0].affordable
    assert "label about 1,000 pairs" in recommend(found, NAMES).measure


def test_pairs_that_promise_the_same_are_ranked_by_cost():
    cheap, dear = (interactions(*[SMALL] * 4) for _ in range(2))
    synergy = cheap.estimates["synergy"]._replace(needed=10)
    cheap.estimates["synergy"] = synergy
    found = rank({"a": dear, "b": cheap, "0": dear}, budget=5010)
    assert [g.name for g in found] == ["b", "0", "a"]
    assert [g.affordable for g in found] == [True, True, False]


def test_what_is_too_dear_costs_nothing():
    dear = interactions(*[SMALL] * 4, accuracy=(0.7, 0.9))
    cheap = interactions(*[SMALL] * 4)
    few = cheap.estimates["synergy"]._replace(needed=10)
    cheap.estimates["synergy"] = few
    found = rank({"dear": dear, "cheap": cheap}, budget=10)
    assert [(g.name, g.affordable) for g in found] == [
        ("dear", False),
        ("cheap", True),
    ]


def test_a_pair_without_a_gain_is_not_bought():
    found = interactions(*[SMALL] * 4, accuracy=(0.3, 0.4), alone=(0.4, 0.6))
    gain = rank({"a": found}, budget=10**6)[0]
    assert (gain.certain, gain.possible) == (0, 0)
    assert math.copysign(1, gain.certain) == 1
    assert not gain.affordable


def test_interactions_must_beat_the_additive_model():
    found = interactions(LARGE, SMALL, SMALL, LARGE)
    advice = recommend(found, NAMES)
    same = unless_additive_does(advice, Range(0.5, 0.6), Range(0.6, 0.7))
    assert same.family == ""
    better = Range(math.nextafter(0.6, 1), 0.7)
    assert unless_additive_does(advice, Range(0.5, 0.6), better) == advice


def posterior_pid(r, u1, u2, s, **changes):
    """Intervals of posteriors; what one adds to the other in its own."""
    parts = dict(zip(("redundancy", "unique1", "unique2", "synergy"),
                     (r, u1, u2, s), strict=True))  # fmt: skip
    sums = {
        f"conditional{i}": tuple(np.add(parts[f"unique{i}"], s)) for i in (1, 2)
    }
    value = {key: sum(ends) / 2 for key, ends in parts.items()}
    fields = dict.fromkeys(PosteriorPID._fields)
    fields |= value | {"interval": parts | sums, "doubts": ()}
    return PosteriorPID(**(fields | changes))


WORTH, NOT_WORTH, MAY_BE = Range(0.2, 0.4), Range(-0.1, 0.01), Range(0.0, 0.1)


@pytest.mark.parametrize(
    ("sizes", "interaction", "family", "modality"),
    [
        ((LARGE, SMALL, SMALL, LARGE), WORTH, "interaction", ""),
        # Two noisy measurements of one thing.
        ((LARGE, SMALL, SMALL, LARGE), NOT_WORTH, "additive", ""),
        ((LARGE, LARGE, LARGE, OPEN), NOT_WORTH, "additive", ""),
        ((LARGE, LARGE, LARGE, SMALL), None, "additive", ""),
        # Synergy needs no interactions, and none were tried.
        ((LARGE, SMALL, SMALL, LARGE), None, "", ""),
        ((OPEN, LARGE, SMALL, SMALL), WORTH, "one", "sound"),
        ((OPEN, SMALL, LARGE, SMALL), MAY_BE, "one", "image"),
        ((LARGE, SMALL, SMALL, SMALL), MAY_BE, "agreement", ""),
        ((SMALL, SMALL, SMALL, SMALL), MAY_BE, "none", ""),
        ((LARGE, SMALL, SMALL, LARGE), MAY_BE, "", ""),
        ((LARGE, OPEN, SMALL, SMALL), NOT_WORTH, "", ""),
    ],
)
def test_what_each_adds_decides_by_posteriors(
    sizes, interaction, family, modality
):
    advice = recommend(posterior_pid(*sizes), NAMES, interaction=interaction)
    assert (advice.family, advice.modality) == (family, modality)
    assert bool(advice.measure) == (not family)


def test_a_narrow_sum_decides_where_its_parts_are_open():
    """U2 and S may trade places while what the second adds is known."""
    pid = posterior_pid(LARGE, LARGE, OPEN, (-0.2, 0.01))
    pid.interval["conditional2"] = (0.0, 0.01)
    assert recommend(pid, NAMES).text == "one modality alone: sound"
    pid.interval["conditional2"] = (0.0, 0.2)
    advice = recommend(pid, NAMES)
    assert "U2 + S, what image adds to sound needs about" in advice.measure


def test_doubtful_posteriors_decide_nothing():
    pid = posterior_pid(LARGE, SMALL, LARGE, SMALL, doubts=("r1 is unsure",))
    advice = recommend(pid, NAMES)
    assert (advice.family, advice.measure) == ("", "r1 is unsure")


def test_posteriors_without_pairs_need_a_bracket_of_the_synergy():
    pid = posterior_pid(LARGE, LARGE, SMALL, SMALL)
    for key in ("synergy", "conditional1", "conditional2"):
        del pid.interval[key]
    assert "label pairs" in recommend(pid, NAMES).measure
    bracket = Range(*SMALL)
    assert recommend(pid, NAMES, synergy=bracket).family == "one"
    bracket = Range(0.0, 0.5)
    assert recommend(pid, NAMES, synergy=bracket).family == ""


@pytest.mark.parametrize(
    ("values", "family", "distance"),
    [
        ((0.0, 0.0, 0.0, 0.7, 0.7), "interaction", 0.6),
        ((0.7, 0.0, 0.0, 0.3, 0.0), "additive", 0.1),
        ((0.6, 0.8, 0.0, 0.08, 0.0), "one", 0.02),
        ((0.2, 0.0, 0.0, 0.0, 0.0), "agreement", 0.1),
        ((0.03, 0.0, 0.0, 0.0, 0.0), "none", 0.07),
    ],
)
def test_known_values(values, family, distance):
    names = ("redundancy", "unique1", "unique2", "synergy", "interaction")
    values = dict(zip(names, values, strict=True))
    out = decide(values, NAMES, margin=0.1)
    assert out.family == family
    assert out.distance == pytest.approx(distance)


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ((LARGE, LARGE, LARGE, OPEN), "both modalities are needed"),
        ((LARGE, LARGE, OPEN, SMALL), "sound is needed, whether image adds"),
        ((LARGE, OPEN, LARGE, SMALL), "image is needed, whether sound adds"),
        ((LARGE, OPEN, OPEN, SMALL), "the samples do not support a choice"),
    ],
)
def test_what_is_decided_is_said_where_the_family_is_open(sizes, text):
    for evidence in (interactions(*sizes), posterior_pid(*sizes)):
        advice = recommend(evidence, NAMES)
        assert advice.family == ""
        assert advice.text.startswith(f"undecided: {text}")
