import math

import numpy as np
import pytest

from bounds.estimation import interactions
from bounds.estimation.estimators import Estimate
from tests.bounds.estimation import quantify_helpers as helpers


def estimate(lower, upper, enough=True):
    nan = math.nan
    middle = (lower + upper) / 2
    return Estimate(middle, lower, upper, middle, 0.1, nan, nan, enough, 10)


@pytest.mark.parametrize("enough", [False, True])
def test_no_information_is_more_than_the_label_has(enough, monkeypatch):
    monkeypatch.setattr(interactions, "accuracy_interval", helpers.accurate)
    estimates = {
        name: estimate(0.8, 1.3, enough)
        for name in ("information1", "information2", "synergy", "total")
    }
    band = dict.fromkeys(interactions.BAND, estimate(0.1, 1.2))
    found = interactions.finish(
        "any", estimates, band, np.array([0.5, 0.5]), 8, 100, 100.0, 0.0
    )
    lower = 0.8 if enough else 0.1
    assert found.information == (lower, 1)
    assert found.synergy == (lower, 1)
