import math

import numpy as np
import pytest

import bounds
from bounds.errors import InputError
from bounds.estimation import estimators


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


def test_miller_madow_takes_the_effective_size():
    counts = np.full((3, 4), 5)
    assert estimators.miller_madow_bias(counts, size=30) == pytest.approx(
        2 * estimators.miller_madow_bias(counts)
    )
    bias = estimators.miller_madow_pid_bias(np.full((2, 3, 4), 2), size=24)
    assert bias["total"] == pytest.approx(5 * 3 / (2 * 24 * math.log(2)))
    assert bias["information1"] == pytest.approx(3 / (48 * math.log(2)))
    assert bias["information2"] == pytest.approx(6 / (48 * math.log(2)))
    assert bias["unique2"] == pytest.approx(3 / (48 * math.log(2)))
    assert bias["unique1"] == 0


@pytest.mark.parametrize(
    ("plug_in", "bias", "scale", "unseen", "least"),
    [
        (0.5, 0.02, 0.04, 0.01, 0.4),
        # A replicate of 0 has a root far from the others'.
        (0.02, 0.0, 0.0, 0.005, 0.0),
        # The ends are those of the root, without and with what is unseen.
        (0.02, 0.001, 0.004, 0.0, 0.02),
        (0.02, 0.001, 0.004, 0.015, 0.02),
        (0.02, 0.001, 0.0, 0.015, 0.02),
        (0.02, 0.012, 0.012, 0.0, 0.02),
    ],
)
def test_interval_by_its_definition(rng, plug_in, bias, scale, unseen, least):
    level, z = 0.8, 1.2815515655446004
    boot = np.maximum(plug_in + 0.002 + scale * rng.normal(size=6), 0)
    boot[0] = least
    wide = math.hypot(z * boot.std(ddof=1), unseen)
    root = z * np.sqrt(boot).std(ddof=1)
    value = plug_in - bias
    ends = [[value], [value, np.quantile(boot, 0.9)]]
    for centre in (value, value + 2 * (bias - (boot.mean() - plug_in))):
        middle = math.sqrt(max(centre, 0))
        down = middle - math.sqrt(max(middle**2 - unseen, 0))
        up = math.sqrt(middle**2 + unseen) - middle
        below = max(middle - math.hypot(root, down), 0) ** 2
        ends[0] += [centre - wide, below]
        ends[1] += [centre + wide, (middle + math.hypot(root, up)) ** 2]
    found = estimators.interval(plug_in, bias, boot, unseen=unseen, level=level)
    np.testing.assert_allclose(found, [max(min(ends[0]), 0), max(ends[1])])


def test_interval_reaches_the_upper_quantile():
    boot = np.r_[np.zeros(90), np.full(10, 3.0)]
    _, upper = estimators.interval(0.0, 0.3, boot, level=0.9)
    assert upper >= 3


def test_unseen_mass_is_tried_in_the_likeliest_cells(rng):
    counts = np.diag(np.arange(1, 13))
    found = estimators.with_unseen(counts, counts.sum())
    tried = ((found[1:] > 0) & (counts == 0)).any(0)
    product = np.outer(np.arange(1, 13), np.arange(1, 13))
    left_out = (counts == 0) & ~tried
    assert tried.sum() == 64
    assert product[tried].min() >= product[left_out].max()


def test_unseen_mass_is_counted_once_for_a_table_of_any_rank():
    found = estimators.with_unseen([4, 0, 4], 8)
    np.testing.assert_allclose(found, [[0.5, 0, 0.5]])
    cube = np.zeros((2, 2, 2), int)
    cube[0, 0, 0] = cube[1, 1, 1] = 50
    found = estimators.with_unseen(cube, 100)
    assert found.shape == (7, 2, 2, 2)
    np.testing.assert_allclose(found[0, 0, 0, 0], 0.97 / 2 + 0.03 / 8)
    np.testing.assert_allclose(found[1:].max((1, 2, 3)), 0.97 / 2)
    np.testing.assert_allclose(np.sort(found[1:].reshape(6, 8), 1)[:, -3], 0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: estimators.plug_in([1, 2]), r"2 axes or more, got shape \(2,"),
        (lambda: estimators.plug_in([[1, -2]]), r"counts\[0, 1\] is -2, neg"),
        (lambda: estimators.plug_in([[[0]], [[1]]]), r"counts\[0\] has no"),
        (lambda: estimators.plug_in(np.zeros((2, 0))), "counts has no samples"),
        (lambda: estimators.plug_in([["a"]]), "counts must be numbers"),
        (lambda: estimators.plug_in([[math.nan]]), r"counts\[0, 0\] is nan"),
        (
            lambda: estimators.miller_madow(np.eye(2), size=0),
            "size must be positive, got 0",
        ),
        (
            lambda: estimators.miller_madow_pid_bias(np.eye(2)),
            "3 axes or more",
        ),
        (
            lambda: estimators.jackknife_bias(1.0, [1.0, 1.0], [0.5]),
            r"left_out must be \[blocks, ...\], .* \(2,\), \(1,\) and \(\)",
        ),
        (
            lambda: estimators.jackknife_bias(1.0, [1.0], [0.5]),
            "blocks must be at least 2, got 1",
        ),
        (
            lambda: estimators.jackknife_bias(math.nan, [1, 1], [0.5, 0.5]),
            "full is nan",
        ),
        (
            lambda: estimators.interval(1.0, 0.0, [1.0, 2.0], level=95),
            "level must be between 0 and 1, got 95",
        ),
        (
            lambda: estimators.interval(1.0, 0.0, [1.0]),
            "replicates must be at least 2, got 1",
        ),
        (
            lambda: estimators.interval(1.0, 0.0, 1.0),
            r"replicates must be \[replicates, ...\]",
        ),
        (
            lambda: estimators.interval([1.0, 2], 0.0, [[1.0], [2.0]]),
            r"got shapes \(2, 1\) and \(2,\)",
        ),
        (
            lambda: estimators.interval(1.0, 0.0, [1.0, math.nan]),
            r"replicates\[1\] is nan",
        ),
        (
            lambda: estimators.interval(1.0, [0.0, 0.1], [1.0, 2.0]),
            r"bias must be \[...\] .*, got shapes \(2,\) and \(\)",
        ),
        (
            lambda: estimators.interval(
                [1.0, 2], 0.0, np.ones((3, 2)), unseen=[0.0, 0, 0]
            ),
            r"unseen must be \[...\] .*, got shapes \(3,\) and \(2,\)",
        ),
        (
            lambda: estimators.with_unseen([3, 1], 0),
            "size must be positive, got 0",
        ),
        (lambda: estimators.with_unseen([0, 0], 3), "counts has no samples"),
        (
            lambda: estimators.with_unseen(3, 3),
            r"1 axes or more, got shape \(\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
