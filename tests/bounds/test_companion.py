import math

import numpy as np
import pytest
from scipy.special import ndtr

from bounds import companion
from bounds.errors import InputError

EXACT = tuple(name for name in companion.NAMES if name != "mix2")


@pytest.fixture(autouse=True, scope="module")
def _few_draws():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(companion, "_DRAWS", 2**10)
        yield


@pytest.mark.parametrize("name", companion.NAMES)
def test_posteriors_are_calibrated(name):
    s = companion.companion(name).sample(1500, seed=1)
    assert s.x1.shape == s.x2.shape == (1500, 64)
    assert s.labels.mean() == pytest.approx(0.5, abs=0.06)
    for r in (s.posterior1, s.posterior2, s.posterior12):
        np.testing.assert_allclose(r.sum(1), 1)
        residual = s.labels - r[:, 1]
        for weight in (np.ones(1500), r[:, 1], (r[:, 1] > 0.7)):
            error = (weight * residual).mean()
            noise = np.sqrt((weight**2 * r[:, 0] * r[:, 1]).mean() / 1500)
            assert abs(error) <= 4 * noise + 1e-9


@pytest.mark.parametrize("name", EXACT)
def test_truth_by_construction(name):
    truth = companion.companion(name).truth
    assert sum(truth[:4]) == pytest.approx(truth.total)
    assert min(truth[:4]) > -1e-9
    first, second, shared = companion.RATIOS[name]
    if first == second:
        assert truth.unique1 == truth.unique2 == 0
    if not shared and not (first and second):
        assert truth.redundancy == pytest.approx(0, abs=1e-12)
    if not (first and second):
        assert truth.synergy == pytest.approx(0, abs=1e-12)


def test_one_number_in_closed_form():
    # Without what is dropped, a latent of one number tells its sign: one bit.
    part = companion._Part(1.0)
    assert part.odds.sum() == pytest.approx(1)
    np.testing.assert_allclose(
        part.number,
        [math.comb(5, k) * 0.8**k * 0.2 ** (5 - k) for k in range(6)],
    )
    half = companion._Part(0.5)
    np.testing.assert_allclose(half.number[:3], [0.04, 0.32, 0.64])
    assert half.number[3:].sum() == 0
    assert len(half.odds) == 16
    z = np.array([[3.0, 0, 0, 0, 0]])
    right = companion._posteriors([z, None, z * 0], [
        half, companion._Part(0.0), companion._Part(0.0)
    ])[0, 1]  # fmt: skip
    # It is in with 2/5 times 0.8, and else a coin is thrown.
    assert right == pytest.approx(0.5 + 0.5 * 0.4 * 0.8)
    # What is not seen adds normal noise of variance 1.5 for each that is in.
    right = companion._posteriors([z, None, z * 0], [
        part, half, companion._Part(0.0)
    ])[0, 1]  # fmt: skip
    tails = [1.0, ndtr(3 / math.sqrt(1.5)), ndtr(3 / math.sqrt(3))]
    expected = 0.8 * np.dot([0.04, 0.32, 0.64], tails) + 0.2 * 0.5
    assert right == pytest.approx(expected)


def test_unknown_and_published():
    truth = companion.companion("mix2").truth
    assert math.isnan(truth.redundancy)
    assert 0 < truth.total < 1
    assert len(companion.PUBLISHED) == 15
    assert set(companion.NAMES) < set(companion.PUBLISHED)
    with pytest.raises(InputError, match="name must be one of"):
        companion.companion("synthetic1")
    with pytest.raises(InputError, match="features must be at least 5"):
        companion.companion("mix1", features=4)
