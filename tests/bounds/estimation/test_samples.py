import ml_dtypes
import numpy as np
import pytest

from bounds.errors import InputError
from bounds.estimation import samples
from bounds.estimation.evidence import enough
from bounds.estimation.samples import Samples


def symbols(rng, n=400):
    return [rng.integers(k, size=n) for k in (2, 3, 2)]


def test_count_and_marginals(rng):
    x1, x2, y = symbols(rng)
    units = rng.integers(40, size=400)
    table = samples.count([x1, x2, y], (2, 3, 2), units=units)
    assert table.counts[1, 2, 0] == np.sum((x1 == 1) & (x2 == 2) & (y == 0))
    assert (table.size, table.units) == (400, 40)
    pair = samples.marginal(table, (1,))
    direct = samples.count([x1, y], (2, 2), units=units)
    np.testing.assert_array_equal(pair.counts, direct.counts)
    np.testing.assert_array_equal(
        pair.by_unit.toarray(), direct.by_unit.toarray()
    )


def test_bootstrap_has_the_multinomial_moments(rng):
    table = samples.count([np.repeat([0, 1], [30, 70])], (2,))
    drawn = samples.bootstrap(table, 4000, rng)
    assert (drawn.sum(1) == 100).all()
    np.testing.assert_allclose(drawn.mean(0), [30, 70], atol=0.5)
    np.testing.assert_allclose(drawn[:, 0].var(), 100 * 0.3 * 0.7, rtol=0.1)


def test_bootstrap_of_units_keeps_units_whole(rng):
    # Each unit is 10 equal samples, so counts are multiples of 10.
    units = np.repeat(np.arange(20), 10)
    table = samples.count([units % 2], (2,), units=units)
    drawn = samples.bootstrap(table, 3000, rng)
    assert (drawn % 10 == 0).all()
    np.testing.assert_allclose(drawn[:, 0].var(), 100 * 20 * 0.25, rtol=0.1)
    # Each as often as any other.
    table = samples.count([units], (20,), units=units)
    drawn = samples.bootstrap(table, 3000, rng)
    np.testing.assert_allclose(drawn.mean(0), 10, atol=1)
    assert (drawn.sum(1) == 200).all()


def test_design_effect_of_copies_is_their_number(rng):
    alone = rng.integers(3, size=300)
    assert samples.design_effect(samples.count([alone], (3,))) == 1
    units = np.repeat(np.arange(300), 7)
    copied = samples.count([np.repeat(alone, 7)], (3,), units=units)
    np.testing.assert_allclose(samples.design_effect(copied), 7, rtol=0.01)
    assert round(samples.effective_size(copied)) == pytest.approx(300, abs=2)


@pytest.mark.parametrize("grouped", [False, True])
def test_left_out_blocks_are_a_partition(rng, grouped):
    arrays = symbols(rng)
    units = rng.integers(30, size=400) if grouped else None
    table = samples.count(arrays, (2, 3, 2), units=units)
    left = samples.leave_out(table, 7, rng)
    assert len(left.counts) == 7
    out = table.counts - left.counts
    assert (out >= 0).all()
    np.testing.assert_array_equal(out.sum(0), table.counts)
    np.testing.assert_allclose(left.kept, left.counts.sum((1, 2, 3)) / 400)


def test_permutation_keeps_margins_and_nothing_else(rng):
    y = np.repeat([0, 1], 200)
    table = samples.count([y, y], (2, 2))
    drawn = samples.permute_last(table, 200, rng)
    np.testing.assert_array_equal(drawn.sum(1), [[200, 200]] * 200)
    np.testing.assert_array_equal(drawn.sum(2), [[200, 200]] * 200)
    assert abs(drawn[:, 0, 0].mean() - 100) < 3


def test_permutation_moves_labels_of_whole_units(rng):
    units = np.repeat(np.arange(20), 10)
    y = units % 2
    table = samples.count([y, y], (2, 2), units=units)
    drawn = samples.permute_last(table, 50, rng)
    assert (drawn % 10 == 0).all()
    np.testing.assert_array_equal(drawn.sum(2), [[100, 100]] * 50)


@pytest.mark.parametrize("grouped", [False, True])
def test_subsample_is_a_part(rng, grouped):
    arrays = symbols(rng)
    units = np.arange(400) // 10 if grouped else None
    table = samples.count(arrays, (2, 3, 2), units=units)
    part = samples.subsample(table, 0.5, rng)
    assert part.size == 200
    assert (part.counts <= table.counts).all()


def test_design_effect_of_unequal_units_by_hand():
    # Three units of sizes 2, 1, 1: counts of the two symbols by unit.
    by_unit = np.array([[2, 0], [1, 0], [0, 1]])
    x = np.repeat([0, 0, 1], [2, 1, 1])
    units = np.repeat(["a", "b", "c"], [2, 1, 1])
    n, p, sizes = 4, np.array([0.75, 0.25]), by_unit.sum(1, keepdims=True)
    # Variance of a ratio of sums: residuals' sample variance, times units.
    residual = by_unit - p * sizes
    variance = 3 * residual.var(0, ddof=1) / n**2
    alone = p * (1 - p) / n
    expected = (variance / p).sum() / (alone / p).sum()
    found = samples.design_effect(samples.count([x], (2,), units=units))
    assert found == pytest.approx(expected)
    assert found > 1.1


def test_design_effect_is_the_unbiased_variance_between_units(rng):
    # Units of one size: the proportions are means of those of the units.
    units, each = 5, 30
    x = (rng.random((units, each)) < rng.random((units, 1))).astype(int)
    table = samples.count(
        [x.ravel()], (2,), units=np.repeat(np.arange(units), each)
    )
    between = x.mean(1).var(ddof=1) / units
    p = x.mean()
    alone = p * (1 - p) / (units * each)
    assert samples.design_effect(table) == pytest.approx(between / alone)
    assert samples.effective_size(table) == pytest.approx(
        units * each * alone / between
    )


def test_design_effect_is_at_least_one():
    # Units that are all alike say more than independent samples would.
    x = np.tile([0, 1], 10)
    alike = samples.count([x], (2,), units=np.repeat(np.arange(10), 2))
    assert samples.design_effect(alike) == 1
    constant = samples.count([x * 0], (2,), units=np.repeat(np.arange(10), 2))
    assert samples.design_effect(constant) == 1


def test_a_single_unit_is_one_sample_and_enough_for_nothing():
    x = np.tile([0, 1], 500)
    one = samples.count([x, x], (2, 2), units=x * 0)
    assert samples.effective_size(one) == 1
    assert enough(one) == (False, 5 * 4 * 1000)
    weighted = samples.count([x], (2,), units=x * 0, weights=1 + x)
    assert samples.effective_size(weighted) == pytest.approx(1)


def test_replicates_of_several_calls_are_those_of_one():
    arrays = symbols(np.random.default_rng(0), n=50)
    for units in (None, np.arange(50) % 7):
        table = samples.count(arrays, (2, 3, 2), units=units)
        whole = samples.bootstrap(table, 12, np.random.default_rng(1))
        rng = np.random.default_rng(1)
        parts = [samples.bootstrap(table, k, rng) for k in (5, 0, 7)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_empty_cells_change_no_replicate():
    # As drawn from the whole table, the last cell among it.
    counts = np.array([0, 3, 0, 9, 1, 0, 5, 0])
    drawn = samples.bootstrap(
        Samples(counts, None), 9, np.random.default_rng(2)
    )
    whole = np.random.default_rng(2).multinomial(18, counts / 18, 9)
    np.testing.assert_array_equal(drawn, whole)


def test_subsample_draws_as_many_units_as_it_says(rng):
    units = np.repeat(np.arange(40), 5)
    table = samples.count([units % 2], (2,), units=units)
    for fraction, many in ((0.25, 10), (1.0, 40), (0.001, 2)):
        part = samples.subsample(table, fraction, rng)
        assert (part.units, part.size) == (many, 5 * many)
    alone = samples.count([units % 2], (2,))
    assert samples.subsample(alone, 0.25, rng).size == 50
    whole = samples.subsample(alone, 1.0, rng)
    np.testing.assert_array_equal(whole.counts, alone.counts)


def test_a_block_for_each_unit_if_they_are_few(rng):
    table = samples.count([np.array([0, 0, 1])], (2,))
    left = samples.leave_out(table, 20, rng)
    found = sorted(map(tuple, left.counts.tolist()))
    assert found == [(1, 1), (1, 1), (2, 0)]
    np.testing.assert_allclose(left.kept, 2 / 3)
    one = samples.count([np.array([0, 1])], (2,), units=["a", "a"])
    assert samples.leave_out(one, 20, rng).counts.shape == (0, 2)


def test_permutation_of_samples_whose_units_have_several_labels(rng):
    units = np.repeat(np.arange(20), 10)
    y = np.tile([0, 1], 100)
    table = samples.count([y, y], (2, 2), units=units)
    drawn = samples.permute_last(table, 50, rng)
    np.testing.assert_array_equal(drawn.sum(1), [[100, 100]] * 50)
    assert (drawn % 10 != 0).any()


def test_permutation_of_units_of_different_size(rng):
    # The first variable is the unit's size, the second its label.
    units = np.repeat(np.arange(6), [1, 1, 1, 4, 4, 4])
    x = np.repeat([0, 1], [3, 12])
    table = samples.count([x, units % 2], (2, 2), units=units)
    drawn = samples.permute_last(table, 60, rng)
    np.testing.assert_array_equal(drawn.sum(2), [[3, 12]] * 60)
    assert {tuple(t) for t in drawn.sum(1).tolist()} >= {(3, 12), (9, 6)}


def test_more_units_than_are_kept_apart_are_joined(monkeypatch):
    monkeypatch.setattr(samples, "_MOST_UNITS", 10)
    units = np.repeat(np.arange(25), 2)
    table = samples.count([units % 2], (2,), units=units, seed=1)
    assert (table.units, table.size) == (10, 50)
    # Each batch has whole units.
    assert (table.by_unit.toarray().sum(1) % 2 == 0).all()
    other = samples.count([units % 2], (2,), units=units, seed=2)
    assert (table.by_unit != other.by_unit).nnz
    # So many are none too many: they stay as they are.
    assert samples.batches(np.arange(10), 0).tolist() == list(range(10))


@pytest.mark.parametrize(
    "units",
    [
        ["b", "a", "b", "a"],
        [2.5, 0.5, 2.5, 0.5],
        np.array(["2021", "2020", "2021", "2020"], "M8[Y]"),
        np.array([2**63 + 2, 3, 2**63 + 2, 3], np.uint64),
    ],
    ids=lambda x: str(x)[:12],
)
def test_units_of_any_type(units):
    table = samples.count([[0, 1, 1, 1]], (2,), units=units)
    assert table.by_unit.toarray().tolist() == [[0, 2], [1, 1]]


@pytest.mark.parametrize(
    "x",
    [
        [False, True, True],
        np.array([0, 1, 1], np.uint64),
        np.array([0, 1, 1], ">i2"),
        np.array([0, 1, 1], ml_dtypes.int4),
        np.ma.masked_array([0, 1, 1], [False] * 3),
    ],
    ids=lambda x: str(getattr(x, "dtype", "list")),
)
def test_symbols_of_any_integer_type(x):
    assert samples.count([x], (2,)).counts.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([0.0, 1.0], r"x must be integers, got float64; x.astype\(int\)"),
        ([0.5, 1.0], "x must be integers, got float64 with fractions"),
        (["a", "b"], r"x must be integers, .*np.unique\(x, return_inverse"),
        ([0, None], r"x\[1\] is None"),
        (np.eye(2, dtype=int), r"one-hot rows take x.argmax\(axis=1\)"),
        (np.ma.masked_array([0, 1], [False, True]), r"x\[1\] is masked"),
        (np.array([0, 2**63], np.uint64), r"x\[1\] is 9223372036854775808"),
        (3, r"x must be a vector of integers, got shape \(\)"),
        ([0, 2], r"^x\[1\] is 2, outside 0..1$"),
        ([0, -1], r"^x\[1\] is -1, outside 0..1$"),
        ([0, 1, 1], "paired vectors, got lengths x: 3, y: 2"),
    ],
    ids=lambda x: str(x)[:20],
)
def test_wrong_symbols_are_named(x, message):
    with pytest.raises(InputError, match=message):
        samples.count([x, [0, 1]], (2, 2), names=["x", "y"])


GOOD = Samples(np.array([[3, 1], [2, 4]]), None)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: samples.count([], ()),
            "symbols and shape must have one entry per variable, got 0 and 0",
        ),
        (lambda: samples.count([[]], (2,)), r"symbols\[0\] has no samples"),
        (lambda: samples.count(None, (2,)), "symbols must be a sequence"),
        (lambda: samples.count([[0]], 2), "shape must be a sequence, got 2"),
        (lambda: samples.count([[0], [1]], (2,)), "per variable, got 2 and 1"),
        (lambda: samples.count([[0]], (0,)), r"shape\[0\] must be at least 1"),
        (
            lambda: samples.count([[0]], (2.0,)),
            r"shape\[0\] must be an integer",
        ),
        (
            lambda: samples.count([[0], [1]], (2, 2), names=["x"]),
            "names must have one entry per variable, 2, got 1",
        ),
        (
            lambda: samples.count([[0]] * 3, (2**20,) * 3),
            r"table of shape .* has 1,152,921,504,606,846,976 cells, more than",
        ),
        (
            lambda: samples.count([[0, 1]], (2,), units=["a"]),
            r"units has 1 entries, symbols\[0\] has 2 samples",
        ),
        (
            lambda: samples.count([[0, 1]], (2,), units=["a", None]),
            r"units\[1\] is None: every sample needs a value",
        ),
        (
            lambda: samples.count([[0, 1]], (2,), units=[0, np.nan]),
            r"units\[1\] is nan",
        ),
        (
            lambda: samples.count([[0, 1]], (2,), units=np.eye(2)),
            r"units must be a vector, got shape \(2, 2\)",
        ),
        (
            lambda: samples.count(
                [[0, 1]], (2,), units=np.ma.masked_array([0, 1], [True, False])
            ),
            r"units\[0\] is masked",
        ),
        (
            lambda: samples.count([[0]], (2,), seed="a"),
            "seed must be an integer, got 'a'",
        ),
        (
            lambda: samples.bootstrap(np.ones((2, 2)), 3, RNG),
            "samples must be what samples.count returns, got ndarray",
        ),
        (
            lambda: samples.bootstrap(GOOD, -1, RNG),
            "replicates must be at least 0, got -1",
        ),
        (
            lambda: samples.bootstrap(GOOD, 3.0, RNG),
            "replicates must be an integer, got 3.0",
        ),
        (lambda: samples.bootstrap(GOOD, 3, 0), "rng must be a generator"),
        (
            lambda: samples.permute_last(GOOD, -1, RNG),
            "replicates must be at least 0, got -1",
        ),
        (
            lambda: samples.permute_last(GOOD, 3, None),
            "rng must be a generator",
        ),
        (
            lambda: samples.permute_last(
                Samples(np.ones(2, int), None), 3, RNG
            ),
            r"two variables, got shape \(2,\)",
        ),
        (lambda: samples.leave_out(GOOD, 1, RNG), "blocks must be at least 2"),
        (lambda: samples.leave_out(GOOD, 2, "a"), "rng must be a generator"),
        (
            lambda: samples.subsample(GOOD, 0, RNG),
            "fraction must be positive, got 0",
        ),
        (
            lambda: samples.subsample(GOOD, 95, RNG),
            "fraction must be at most 1, got 95",
        ),
        (
            lambda: samples.marginal(GOOD, (2,)),
            r"axes .* shape \(2, 2\), got 2",
        ),
        (lambda: samples.marginal(GOOD, (0, -2)), "different axes"),
        (lambda: samples.marginal(GOOD, (0, 1)), "axes must leave a variable"),
        (lambda: samples.marginal(GOOD, 0), "axes must be a sequence, got 0"),
        (
            lambda: samples.design_effect(Samples(np.ones((2, 2)), None)),
            "samples.counts must be an array of integers",
        ),
        (
            lambda: samples.design_effect(Samples(np.array([2, -1]), None)),
            r"samples.counts\[1\] is -1",
        ),
        (
            lambda: samples.effective_size(Samples(np.zeros(3, int), None)),
            "samples has no samples",
        ),
        (
            lambda: samples.checked("table", GOOD, 3),
            r"table must count 3 variables, got a table of shape \(2, 2\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert len(str(caught.value)) < 300
