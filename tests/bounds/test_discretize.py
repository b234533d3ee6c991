import numpy as np
import pytest

from bounds import discretize


def test_kmeans_finds_separate_groups_and_applies_elsewhere(rng):
    means = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    label = np.repeat(np.arange(3), 30)
    fitted = discretize.fit_kmeans(means[label] + rng.normal(size=(90, 2)), 3)
    symbols = fitted(means)
    assert len(set(symbols.tolist())) == 3
    elsewhere = means[label] + rng.normal(size=(90, 2))
    np.testing.assert_array_equal(fitted(elsewhere), symbols[label])


def test_quantiles_are_filled_evenly_and_open_ended():
    x = np.arange(100.0)
    fitted = discretize.fit_quantiles(x, 4)
    assert np.bincount(fitted(x)).tolist() == [25, 25, 25, 25]
    assert fitted(np.array([-1e9, 1e9])).tolist() == [0, 3]


def test_posteriors_separate_classes():
    p = np.array([[0.9, 0.1], [0.85, 0.15], [0.1, 0.9], [0.2, 0.8]])
    symbols = discretize.fit_posteriors(p, 2)(p)
    assert symbols[0] == symbols[1] != symbols[2] == symbols[3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: discretize.fit_kmeans(np.ones((5, 2)), 2), "x is constant"),
        (
            lambda: discretize.fit_kmeans(np.arange(3.0)[:, None], 4),
            "x has 3 distinct rows, too few for 4 clusters",
        ),
        (
            lambda: discretize.fit_kmeans([[0.0, 1.0], [np.nan, 1.0]], 2),
            r"x\[1, 0\] is nan",
        ),
        (
            lambda: discretize.fit_quantiles(np.zeros((4, 2)), 2),
            "one number a sample, got 2",
        ),
        (
            lambda: discretize.fit_quantiles([0.0, 0.0, 0.0, 1.0], 3),
            "3 quantiles give",
        ),
        (
            lambda: discretize.fit_posteriors([[1.5, -0.5]], 2),
            r"probabilities\[0, 1\] is -0.5",
        ),
        (
            lambda: discretize.fit_kmeans(np.eye(3), 3)(np.eye(2)),
            "x has 2 features, fitted were 3",
        ),
        (lambda: discretize.fit_kmeans(np.eye(3), 0), "at least 1, got 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
