import math

import numpy as np
import pytest

import bounds
from bounds import estimators


def test_plug_in_is_the_information_of_the_frequencies(rng):
    counts = rng.integers(1, 20, (4, 3, 5))
    p = counts / counts.sum((1, 2), keepdims=True)
    np.testing.assert_allclose(
        estimators.plug_in(counts), bounds.information.mutual_information(p)
    )


def test_plug_in_of_a_copy_is_the_entropy():
    np.testing.assert_allclose(estimators.plug_in(np.eye(4) * 3), 2)


def test_miller_madow_subtracts_the_parameters():
    counts = np.array([[10, 0], [5, 5]])
    # 3 cells, 2 rows, 2 columns: no parameter beyond the margins but 0.
    expected = (3 - 2 - 2 + 1) / (2 * 20 * math.log(2))
    assert estimators.miller_madow_bias(counts) == pytest.approx(expected)
    counts = np.full((3, 4), 5)
    assert estimators.miller_madow_bias(counts) == pytest.approx(
        2 * 3 / (2 * 60 * math.log(2))
    )


def test_miller_madow_of_independent_variables_is_unbiased(rng):
    counts = rng.multinomial(300, np.full(12, 1 / 12), 4000).reshape(-1, 3, 4)
    plug_in = estimators.plug_in(counts).mean()
    corrected = estimators.miller_madow(counts).mean()
    assert plug_in > 0.013
    assert abs(corrected) < 0.001


def test_miller_madow_of_a_decomposition_adds_up(rng):
    bias = estimators.miller_madow_pid_bias(rng.integers(0, 9, (5, 3, 4, 2)))
    np.testing.assert_allclose(
        bias["redundancy"] + bias["unique1"], bias["information1"]
    )
    np.testing.assert_allclose(
        sum(bias[k] for k in ("redundancy", "unique1", "unique2", "synergy")),
        bias["total"],
    )


def test_jackknife_removes_a_bias_of_order_one_over_n():
    # statistic = truth + a / n; with blocks of any size it must vanish.
    n, a, truth = 100.0, 3.0, 0.5
    kept = np.array([0.9, 0.8, 0.75, 0.55])
    bias = estimators.jackknife_bias(
        truth + a / n, truth + a / (n * kept), kept
    )
    assert bias == pytest.approx(a / n)


def test_jackknife_of_a_mean_is_zero(rng):
    x = rng.normal(size=60)
    blocks = np.split(x, [10, 25, 40])
    kept = np.array([1 - len(b) / 60 for b in blocks])
    left = [(x.sum() - b.sum()) / (60 - len(b)) for b in blocks]
    assert estimators.jackknife_bias(x.mean(), left, kept) == pytest.approx(
        0, abs=1e-12
    )


def test_interval_far_from_zero_is_about_the_normal_one(rng):
    replicates = 5 + 0.01 * rng.normal(size=5000)
    lower, upper = estimators.interval(5.0, 0.0, replicates)
    np.testing.assert_allclose([lower, upper], [4.9804, 5.0196], atol=1e-3)


@pytest.mark.parametrize("root", [0.0, 0.12])
def test_interval_of_a_squared_normal_covers(rng, root):
    # What a small information looks like.
    scale = 0.03
    inside = []
    for r in root + scale * rng.normal(size=400):
        boot = (r + scale * rng.normal(size=200)) ** 2
        lower, upper = estimators.interval(r**2, scale**2, boot)
        inside.append(lower <= root**2 <= upper)
    assert np.mean(inside) > 0.9


def test_interval_is_never_negative():
    lower, upper = estimators.interval(0.0, 0.1, np.array([0.0, 0.01, 0.02]))
    assert lower == 0
    assert upper >= 0


def test_interval_at_a_kink_covers(rng):
    # max(z, 0) with z at the kink: the bootstrap is inconsistent there.
    inside = []
    for z in rng.normal(size=400):
        boot = np.maximum(z + rng.normal(size=200), 0)
        lower, upper = estimators.interval(max(z, 0), 0.0, boot)
        inside.append(lower <= 1e-9 and upper >= 0)
    assert np.mean(inside) > 0.9


def test_what_is_unseen_widens_the_interval():
    # A table that shows one outcome only has replicates without a spread.
    boot = np.ones(10)
    assert estimators.interval(1.0, 0.0, boot) == (1, 1)
    lower, upper = estimators.interval(1.0, 0.0, boot, unseen=0.2)
    np.testing.assert_allclose([lower, upper], [0.8, 1.2], atol=1e-12)
    # A value of 0 too, where a root has no derivative.
    lower, upper = estimators.interval(0.0, 0.0, 0 * boot, unseen=0.2)
    np.testing.assert_allclose([lower, upper], [0, 0.2], atol=1e-12)


def test_unseen_mass_by_hand():
    counts = np.array([[3, 0], [0, 3]])
    spread, *single = estimators.with_unseen(counts, 6)
    np.testing.assert_allclose(spread, [[0.375, 0.125], [0.125, 0.375]])
    np.testing.assert_allclose(
        single, [[[0.25, 0.5], [0, 0.25]], [[0.25, 0], [0.5, 0.25]]]
    )
    np.testing.assert_allclose(estimators.with_unseen(counts, 1)[0], 0.25)


def test_unseen_mass_goes_where_symbols_occur_and_likely_ones_first():
    counts = np.zeros((40, 40), int)
    counts[0] = 1
    counts[1:39, 0] = 1
    found = estimators.with_unseen(counts, counts.sum())
    assert found.shape == (65, 40, 40)
    np.testing.assert_allclose(found.sum((1, 2)), 1)
    assert not found[:, 39].any()
    # All empty cells are alike but those of the first row and column.
    tried = (found[1:] > 0) & (counts == 0)
    np.testing.assert_array_equal(tried.sum((1, 2)), 1)
    assert tried.any(0).sum() == 64
    full = estimators.with_unseen(np.ones((3, 3), int), 9)
    assert full.shape == (1, 3, 3)
