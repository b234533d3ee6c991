import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from bounds.errors import InputError
from bounds.estimation import discretize


def test_kmeans_finds_separate_groups_and_applies_elsewhere(rng):
    means = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    label = np.repeat(np.arange(3), 30)
    fitted = discretize.fit_kmeans(means[label] + rng.normal(size=(90, 2)), 3)
    symbols = fitted(means)
    assert len(set(symbols.tolist())) == 3
    elsewhere = means[label] + rng.normal(size=(90, 2))
    np.testing.assert_array_equal(fitted(elsewhere), symbols[label])
    np.testing.assert_allclose(fitted.centers[symbols], means, atol=0.8)


def test_quantiles_are_filled_evenly_and_open_ended():
    x = np.arange(100.0)
    fitted = discretize.fit_quantiles(x, 4)
    assert np.bincount(fitted(x)).tolist() == [25, 25, 25, 25]
    assert fitted(np.array([-1e9, 1e9])).tolist() == [0, 3]
    np.testing.assert_allclose(fitted.edges, np.quantile(x, [0.25, 0.5, 0.75]))


def test_edges_belong_to_the_right():
    fitted = discretize.fit_quantiles([0, 1, 2], 2)
    assert fitted.edges.tolist() == [1]
    assert fitted([0.5, 1, 1.5]).tolist() == [0, 1, 1]


def test_posteriors_separate_classes():
    p = np.array([[0.9, 0.1], [0.85, 0.15], [0.1, 0.9], [0.2, 0.8]])
    symbols = discretize.fit_posteriors(p, 2)(p)
    assert symbols[0] == symbols[1] != symbols[2] == symbols[3]


def test_distance_of_posteriors_is_hellingers():
    # Nearer to the first row by probabilities, to the second by their roots.
    fitted = discretize.Posteriors(np.sqrt([[0.0, 1.0], [0.5, 0.5]]))
    assert fitted([[0.2, 0.8]]).tolist() == [1]
    found = discretize.fit_posteriors([[0.0, 1.0], [0.5, 0.5]], 2)
    np.testing.assert_allclose(np.sort(found.centers**2, 0)[:, 0], [0, 0.5])


@pytest.mark.parametrize("start", [0, 1e4, 1e5, -1e5, 16_000_000])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
def test_clusters_far_from_zero(rng, start, dtype):
    group = rng.integers(2, size=500)
    near = 40 * group + 3 * rng.normal(size=500)
    x = (start + near).astype(dtype)[:, None]
    fitted = discretize.fit_kmeans(x, 2)
    symbols = fitted(x)
    nearest = np.abs(x.astype(float) - fitted.centers.T).argmin(1)
    np.testing.assert_array_equal(symbols, nearest)
    np.testing.assert_array_equal(symbols == symbols[0], group == group[0])


def test_nanoseconds_since_1970(rng):
    group = rng.integers(2, size=200)
    x = 1_700_000_000_000_000_000 + 40 * group + rng.integers(5, size=200)
    for fitted in (
        discretize.fit_kmeans(x[:, None], 2),
        discretize.fit_quantiles(x, 2),
    ):
        symbols = fitted(x)
        np.testing.assert_array_equal(symbols == symbols[0], group == group[0])


# Eighths: sums of them with an offset are exact.
@given(
    values=st.lists(
        st.tuples(*[st.integers(-800, 800)] * 2), min_size=4, max_size=40
    ),
    offset=st.integers(-(10**8), 10**8),
    dtype=st.sampled_from(["f8", "i8", "f4"]),
    symbols=st.integers(2, 4),
)
@settings(max_examples=25, deadline=None)
def test_symbols_do_not_depend_on_an_offset(values, offset, dtype, symbols):
    near = np.array(values) / 8 if dtype != "i8" else np.array(values)
    if dtype == "f4":
        offset %= 2**20  # what float32 carries, with eighths
    near, far = near.astype(dtype), (near + offset).astype(dtype)
    np.testing.assert_array_equal(far - np.array(offset, dtype), near)
    one = discretize.fit_kmeans(near, symbols, fewer=True)
    other = discretize.fit_kmeans(far, symbols, fewer=True)
    np.testing.assert_array_equal(one(near), other(far))
    np.testing.assert_array_equal(one.offsets, other.offsets)
    try:
        cut = discretize.fit_quantiles(near[:, 0], symbols)
    except InputError as error:
        with pytest.raises(InputError, match=f"^{error}$"):
            discretize.fit_quantiles(far[:, 0], symbols)
        return
    again = discretize.fit_quantiles(far[:, 0], symbols)
    np.testing.assert_array_equal(cut(near[:, 0]), again(far[:, 0]))


@pytest.mark.parametrize("unit", [1e-200, 1e-20, 1e200])
def test_symbols_do_not_depend_on_a_unit(rng, unit):
    x = rng.normal(size=(60, 2))
    one, other = (discretize.fit_kmeans(y, 3) for y in (x, x * unit))
    np.testing.assert_array_equal(one(x), other(x * unit))


def test_an_outlier_does_not_blur_the_rest(rng):
    group = rng.integers(2, size=99)
    x = np.r_[1e8, group + 0.01 * rng.normal(size=99)][:, None]
    symbols = discretize.fit_kmeans(x, 3)(x)
    assert (symbols[1:] != symbols[0]).all()
    np.testing.assert_array_equal(symbols[1:] == symbols[1], group == group[0])


def test_many_rows_are_assigned_in_parts(monkeypatch, rng):
    x = rng.normal(size=(50, 2))
    fitted = discretize.fit_kmeans(x, 4)
    whole = fitted(x)
    monkeypatch.setattr(discretize, "_MOST_ROWS", 7)
    np.testing.assert_array_equal(fitted(x), whole)
    # Fitted on so many only, of another draw for another seed.
    fits = [discretize.fit_kmeans(x, 7, seed=s).centers for s in (0, 0, 1)]
    apart = np.abs(fits[0][:, None] - x).max(-1)
    np.testing.assert_allclose(apart.min(1), 0, atol=1e-12)
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.array_equal(fits[0], fits[2])


def test_the_seed_is_that_of_the_first_centres(rng):
    x = rng.normal(size=(60, 2))
    fits = [discretize.fit_kmeans(x, 7, seed=s).centers for s in (0, 0, 1)]
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.array_equal(fits[0], fits[2])


def test_fewer_clusters_if_they_will_do():
    x = np.array([[3.0], [1.0], [3.0], [1.0], [2.0]])
    fitted = discretize.fit_kmeans(x, 8, fewer=True)
    assert fitted.centers.tolist() == [[1], [2], [3]]
    assert fitted(x).tolist() == [2, 0, 2, 0, 1]
    exact = discretize.fit_kmeans(x, 3, fewer=True)
    assert exact.centers.tolist() == [[1], [2], [3]]
    assert len(discretize.fit_kmeans(x, 2, fewer=True).centers) == 2
    p = [[0.5, 0.5], [0.1, 0.9]]
    assert len(discretize.fit_posteriors(p, 5, fewer=True).centers) == 2
    near = np.array([0.0, 1.0, 1 + 2**-52, 5.0])[:, None]
    assert len(discretize.fit_kmeans(near, 4, fewer=True).centers) == 4
    assert len(discretize.fit_kmeans(np.r_[near, [[9.0]]], 4).centers) == 4
    with pytest.raises(InputError, match="so near to each other that 4 clus"):
        discretize.fit_kmeans(np.r_[near, [[1 + 2**-51]]], 4)
    fitted = discretize.fit_kmeans(np.r_[near, [[1 + 2**-51]]], 4, fewer=True)
    assert len(fitted.centers) == 3


@pytest.mark.parametrize(
    "value",
    [
        [[0], [0], [3], [4]],
        np.array([[0], [0], [3], [4]], ">f4"),
        np.array([[0], [0], [3], [4]], ml_dtypes.bfloat16),
        np.array([0, 0, 3, 4], np.uint8),
        np.array([[[0.0]], [[0]], [[3]], [[4]]]),
        np.array([False, False, True, True]),
    ],
    ids=lambda x: str(getattr(x, "dtype", "list")),
)
def test_input_of_any_type(value):
    for fitted in (
        discretize.fit_kmeans(value, 2),
        discretize.fit_quantiles(value, 2),
    ):
        a, b, c, d = fitted(value).tolist()
        assert a == b != c == d


MASKED = np.ma.masked_array([[1.0], [2.0]], [[False], [True]])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (MASKED, r"x\[1, 0\] is masked"),
        ([[0.0], [np.nan]], r"x\[1, 0\] is nan"),
        ([[0.0], [-np.inf]], r"x\[1, 0\] is -inf"),
        (np.array([[1], ["a"]], object), r"x\[1, 0\] is 'a'"),
        ([["a"], ["b"]], "x must be numbers, got strings"),
        (scipy.sparse.eye(3), r"x.toarray\(\)"),
        (np.zeros((0, 2)), r"x has no rows: shape \(0, 2\)"),
        (np.zeros((2, 0)), r"x has no features: shape \(2, 0\)"),
        (3.0, r"x has no rows: shape \(\)"),
        (None, "x must be numbers, got NoneType"),
    ],
    ids=lambda x: str(x)[:20],
)
def test_wrong_samples_are_named(value, message):
    for call in (
        lambda x: discretize.fit_kmeans(x, 2),
        lambda x: discretize.fit_quantiles(x, 2),
        discretize.fit_kmeans([[0.0], [1.0]], 2),
        discretize.fit_quantiles([0.0, 1.0], 2),
    ):
        with pytest.raises(InputError, match=message):
            call(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[0.5, 0.4]], r"probabilities\[0\] sums to 0.9, no distribution"),
        ([[1.5, -0.5]], r"probabilities\[0, 1\] is -0.5"),
        ([0.5, 0.5], "one row of probabilities per sample"),
        (np.ma.masked_array([[0.5, 0.5]], True), r"\[0, 0\] is masked"),
        ([[np.nan, 1.0]], r"probabilities\[0, 0\] is nan"),
    ],
    ids=lambda x: str(x)[:20],
)
def test_wrong_probabilities_are_named(value, message):
    fitted = discretize.fit_posteriors([[0.5, 0.5], [0.9, 0.1]], 2)
    for call in (lambda p: discretize.fit_posteriors(p, 2), fitted):
        with pytest.raises(InputError, match=message):
            call(value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: discretize.fit_kmeans(np.ones((5, 2)), 2),
            "x is constant, too few for 2 clusters",
        ),
        (
            lambda: discretize.fit_kmeans(np.arange(3.0)[:, None], 4),
            "x has 3 distinct rows, too few for 4 clusters",
        ),
        (
            lambda: discretize.fit_kmeans([[-1.7e308], [1.7e308]], 2),
            "x spans more than float64 holds",
        ),
        (
            lambda: discretize.fit_quantiles(np.zeros((4, 2)), 2),
            "one number per sample for quantiles, got 2",
        ),
        (
            lambda: discretize.fit_quantiles([0.0, 0.0, 0.0, 1.0], 3),
            "x has 2 distinct values, .* 3 quantiles give 1 interval",
        ),
        (
            lambda: discretize.fit_quantiles([1.0, 1.0], 2),
            "x has 1 distinct value, .* 2 quantiles give 1 interval$",
        ),
        (
            lambda: discretize.fit_posteriors([[0.5, 0.5]], 2),
            "probabilities is constant, too few for 2 clusters",
        ),
        (
            lambda: discretize.fit_kmeans(np.eye(3), 3)(np.eye(2)),
            "x has 2 features, fitted were 3",
        ),
        (
            lambda: discretize.fit_posteriors(np.eye(2), 2)(np.eye(3)),
            "probabilities has 3 features, fitted were 2",
        ),
        (
            lambda: discretize.fit_quantiles([0, 1], 2)(np.eye(2)),
            "one number per sample for quantiles, got 2",
        ),
        (
            lambda: discretize.fit_kmeans(np.eye(3), 0),
            "symbols must be at least 1, got 0",
        ),
        (
            lambda: discretize.fit_quantiles(np.arange(4), 2.0),
            "symbols must be an integer, got 2.0",
        ),
        (
            lambda: discretize.fit_kmeans(np.eye(3), 2, seed=-1),
            "seed must be at least 0, got -1",
        ),
        (
            lambda: discretize.fit_posteriors(np.eye(3), 2, seed=None),
            "seed must be an integer, got None",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
