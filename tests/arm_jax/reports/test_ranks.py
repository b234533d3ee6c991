import numpy as np
import pytest
from scipy import stats

from arm_jax.errors import InputError
from arm_jax.reports import ranks


def summary(accuracies, variants=None):
    runs = len(next(iter(accuracies.values())))
    return {
        "groups": [("Methods", list(accuracies)), ("Other", ["x"])],
        "accuracies": {k: {"accuracy": x} for k, x in accuracies.items()},
        "variants": variants or ["all"] * runs,
    }


def test_ranks_by_hand():
    found = ranks.of_summaries(
        {
            "one": summary({"a": [3.0, 5], "b": [2.0, 2], "c": [4.0, 4]}),
            # Without c on top, and with a method that the other lacks.
            "two": summary({"a": [9.0], "b": [5.0], "c": [7.0], "d": [10.0]}),
        }
    )
    assert found.methods == ["a", "b", "c"]
    np.testing.assert_array_equal(found.ranks, [[1.5, 3, 1.5], [1, 3, 2]])
    # b is last whatever is drawn; of a and c it depends on the first set:
    # a's mean is 3, 4 or 5, with probabilities 1/4, 1/2 and 1/4.
    np.testing.assert_allclose(found.interval[:, 1], 3)
    np.testing.assert_allclose(found.interval[:, 0], [1, 1.5])
    # In the mean over both sets: a is first, or level with c a quarter of the
    # times.
    np.testing.assert_allclose(found.first, [7 / 8, 0, 1 / 8], atol=0.02)
    text = ranks.markdown(found)
    assert text.splitlines()[2].startswith("| a ")
    assert "Over 2 data sets" in text


def test_friedman_and_nemenyi(rng):
    x = rng.normal(size=(6, 4))
    sets = {
        str(k): summary({m: [v] for m, v in zip("abcd", row, strict=True)})
        for k, row in enumerate(x)
    }
    found = ranks.of_summaries(sets)
    expected = stats.friedmanchisquare(*x.T).pvalue
    assert found.p == pytest.approx(expected)
    # Demsar's table: q = 2.569 for four classifiers.
    difference = 2.569 * np.sqrt(4 * 5 / (6 * 6))
    assert found.difference == pytest.approx(difference, abs=1e-3)
    one = ranks.of_summaries({"one": sets["0"]})
    assert np.isnan(one.p)
    assert "Friedman" not in ranks.markdown(one)
    # One run drawn anew is the same one.
    assert np.isnan(one.interval).all()
    assert np.isnan(one.first).all()
    assert "bootstrap" not in ranks.markdown(one)
    assert "nan" not in ranks.markdown(one)
    level = summary({m: [1.0] for m in "abc"})
    assert ranks.of_summaries({"x": level, "y": level}).p == 1


def test_variants_are_drawn_before_their_runs():
    # Two folds whose runs are alike: only the folds make a difference.
    a, b = [1.0, 1, 0, 0], [0.0, 0, 1, 1]
    variants = ["f", "f", "g", "g"]
    counts = ranks._redrawn(
        np.array([a, b]), variants, np.random.default_rng(0)
    )
    # Means of a over two folds: 0, 1/2 and 1.
    values, often = np.unique(counts[:, 0], return_counts=True)
    np.testing.assert_allclose(values, [0, 0.5, 1])
    np.testing.assert_allclose(
        often / often.sum(), [0.25, 0.5, 0.25], atol=0.02
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no comparison to rank"),
        (
            {
                "x": summary({"a": [1.0], "b": [1.0]}),
                "y": summary({"a": [1.0]}),
            },
            "x, y have fewer than two methods in common",
        ),
        (
            {"x": summary({"a": [1.0, 2.0], "b": [1.0]})},
            "x: 'b' has 1 runs, not 2: they are not paired",
        ),
        (
            {
                "x": summary({"a": [1.0], "b": [1.0]}),
                "y": summary({"a": [1.0], "b": [1.0]})
                | {"split": "validation"},
            },
            r"on different splits: x \(test\), y \(validation\)",
        ),
        (
            {"x": summary({"a": [1.0], "b": [None]})},
            "x: an accuracy of 'b' is not finite",
        ),
    ],
)
def test_what_cannot_be_ranked(given, message):
    with pytest.raises(InputError, match=message):
        ranks.of_summaries(given)
