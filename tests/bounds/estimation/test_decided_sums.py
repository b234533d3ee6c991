"""What one modality adds to the other, from intervals of its parts."""

import pytest

from bounds.estimation.decisions import decide, recommend
from bounds.estimation.interactions import Range
from tests.bounds.estimation.test_decisions import (
    LARGE,
    NAMES,
    SMALL,
    interactions,
    posterior_pid,
)


@pytest.mark.parametrize("make", [interactions, posterior_pid])
@pytest.mark.parametrize("width", [0.0, 0.002])
@pytest.mark.parametrize(
    ("values", "family"),
    [
        ((0.3, 0.2, 0.04, 0.04), "additive"),
        ((0.3, 0.04, 0.04, 0.04), "additive"),
        ((0.01, 0.04, 0.04, 0.04), "additive"),
        ((0.3, 0.02, 0.2, 0.02), "one"),
        ((0.3, 0.02, 0.02, 0.02), "agreement"),
        ((0.01, 0.02, 0.02, 0.02), "none"),
    ],
)
def test_two_small_parts_may_add_up(make, width, values, family):
    names = ("redundancy", "unique1", "unique2", "synergy")
    known = decide(dict(zip(names, values, strict=True)), NAMES)
    advice = recommend(make(*((v - width, v + width) for v in values)), NAMES)
    assert (known.family, advice.family) == (family, family)
    assert known.modality == advice.modality


def test_small_parts_whose_sum_is_open_decide_nothing():
    part = (0.02, 0.04)
    advice = recommend(interactions(LARGE, LARGE, part, part), NAMES)
    assert advice.family == ""
    # 0.06 +- 0.02 is 0.01 from the margin.
    assert advice.measure.startswith("U2 + S, what image adds to sound needs")
    assert "about 4,00" in advice.measure
    assert "between 0.040 and 0.080 bits" in advice.reasons[-1]
    # Nor where posteriors give the sum an interval of its own.
    pid = posterior_pid(LARGE, LARGE, part, part)
    assert recommend(pid, NAMES).family == ""
    pid.interval["conditional2"] = (0.0, 0.049)
    assert recommend(pid, NAMES).family == "one"
    pid.interval["conditional2"] = (0.0, 0.06)
    pid.interval["unique2"] = pid.interval["synergy"] = (0.0, 0.02)
    assert recommend(pid, NAMES).family == "one"


def test_a_bracket_of_the_synergy_asks_for_pairs():
    pid = posterior_pid(LARGE, LARGE, SMALL, SMALL, synergy=None)
    for key in ("synergy", "conditional1", "conditional2"):
        del pid.interval[key]
    for bracket in (Range(0.0, 0.5), Range(0.0, 0.04)):
        measure = recommend(pid, NAMES, synergy=bracket).measure
        assert measure.startswith("label pairs: without them the synergy is")
    found = interactions(LARGE, LARGE, (0.0, 0.04), (0.0, 0.04))
    del found.estimates["synergy"]
    assert "allow a synergy between" in recommend(found, NAMES).measure
