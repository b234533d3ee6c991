"""Weighted samples, from counts to the decomposition of posteriors.

The example: x1 and x2 are coins, y a gate of them, and x2 is observed for 83 %
of the samples with x1 = 0 and 17 % of the others, half of them in all. Among
the complete ones x1 is a bent coin, so that x2 alone tells of y = x1 ^ x2.
"""

import math

import numpy as np
import pytest

import bounds
from bounds.errors import InputError
from bounds.estimation import classifiers, samples
from bounds.estimation.evidence import (
    Labelled,
    Predictions,
    Unimodal,
    check_alphabets,
    pairwise_counts,
)
from bounds.estimation.options import StudyOptions
from bounds.estimation.quantify import quantify
from bounds.estimation.rows import divide
from tests.bounds.estimation import quantify_helpers as helpers

OBSERVED = np.array([0.83, 0.17])
GATES = {"xor": np.bitwise_xor, "and": np.bitwise_and}
FEW = {"replicates": 40, "permutations": 30, "interval_replicates": 4}


def complete(gate):
    """The complete ones of 400 samples, as many as expected, with weights."""
    x1 = np.repeat([0, 0, 1, 1], [83, 83, 17, 17])
    x2 = np.repeat([0, 1, 0, 1], [83, 83, 17, 17])
    return x1, x2, GATES[gate](x1, x2), 1 / OBSERVED[x1]


def h2(p):
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


def kish(w):
    return w.sum() ** 2 / (w**2).sum()


@pytest.mark.parametrize("gate", GATES)
def test_weights_undo_what_is_missing_not_at_random(gate):
    x1, x2, y, w = complete(gate)
    naive = samples.count([x1, x2, y], (2, 2, 2))
    mended = samples.count([x1, x2, y], (2, 2, 2), weights=w)
    assert mended.size == naive.size == len(y)
    exact = np.zeros((2, 2, 2))
    for a, b in np.ndindex(2, 2):
        exact[a, b, GATES[gate](a, b)] = len(y) / 4
    np.testing.assert_allclose(mended.counts, exact, rtol=1e-12)
    biased, found, truth = (
        bounds.pid(table, normalize=True)
        for table in (naive.counts, mended.counts, exact)
    )
    for name in ("redundancy", "unique1", "unique2", "synergy"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(truth, name), atol=1e-8
        )
    assert found.unique2 < 1e-8
    if gate == "xor":
        assert biased.unique2 == pytest.approx(1 - h2(0.17), abs=1e-6)
        assert round(float(biased.unique2), 2) == 0.34


def test_error_bars_of_weighted_samples(monkeypatch):
    # XOR has no redundancy, so that this solver's stand-in is exact.
    helpers.without_solvers(monkeypatch)
    rng = np.random.default_rng(0)
    x1, x2 = rng.integers(2, size=(2, 3000))
    seen = rng.random(3000) < OBSERVED[x1]
    x1, x2 = x1[seen], x2[seen]
    y, w = x1 ^ x2, 1 / OBSERVED[x1]
    found, naive = (
        quantify(
            Labelled(samples.count([x1, x2, y], (2, 2, 2), weights=weights)),
            **FEW,
        )
        for weights in (w, None)
    )
    estimate = found.estimates["unique2"]
    assert estimate.lower <= 1e-3
    assert estimate.upper < 0.05
    assert naive.estimates["unique2"].lower > 0.25
    assert found.estimates["synergy"].value == pytest.approx(1, abs=0.01)
    # Fewer samples count, about as many as Kish says.
    assert found.size == len(y)
    assert kish(w) / 2 < found.effective < 1.2 * kish(w)
    assert naive.effective == len(y)
    # The same at the other levels of knowledge.
    table = samples.count([x1, x2, y], (2, 2, 2), weights=w)
    first, second, pairs = pairwise_counts(table)
    apart = quantify(Unimodal(first, second, pairs), **FEW)
    assert apart.estimates["unique2"].upper < 0.05
    posterior = np.stack([OBSERVED[1 - x2], OBSERVED[x2]], 1)
    flat = np.full_like(posterior, 0.5)
    outputs = quantify(Predictions(flat, posterior, 2, weights=w), **FEW)
    kept = np.repeat([True, False], [500, len(w) - 500])
    some = quantify(Predictions(flat, posterior, 2, weights=w * kept), **FEW)
    direct = quantify(
        Predictions(flat[kept], posterior[kept], 2, weights=w[kept]), **FEW
    )
    assert some.estimates == direct.estimates
    np.testing.assert_allclose(outputs.label, [0.5, 0.5], atol=0.03)
    assert outputs.effective == int(kish(w))


@pytest.mark.parametrize("weights", [None, np.ones(400)])
def test_a_unit_of_most_samples_is_not_many(weights, monkeypatch):
    helpers.without_solvers(monkeypatch)
    p = np.random.default_rng(0).dirichlet([1, 1], 400)
    one = np.r_[np.zeros(300, int), np.arange(1, 101)]
    for units, effective in ((one, 1), (np.arange(400) // 4, 100), (None, 400)):
        found = quantify(Predictions(p, p, 2, units, weights), **FEW)
        assert found.effective == effective
        assert found.estimates["redundancy"].enough == (effective > 1)


def test_integer_weights_are_copies():
    rng = np.random.default_rng(1)
    x, y = rng.integers(3, size=(2, 60))
    many = rng.integers(1, 5, size=60)
    weighted = samples.count([x, y], (3, 3), weights=many)
    unit = np.repeat(np.arange(60), many)
    copied = samples.count([x[unit], y[unit]], (3, 3), units=unit)
    scale = many.mean()
    np.testing.assert_allclose(weighted.counts * scale, copied.counts)
    assert samples.effective_size(weighted) == pytest.approx(
        samples.effective_size(copied)
    )
    for draw in (
        lambda s, rng: samples.bootstrap(s, 5, rng),
        lambda s, rng: samples.leave_out(s, 7, rng).counts,
        lambda s, rng: samples.subsample(s, 0.3, rng).counts,
    ):
        one, two = (
            draw(s, np.random.default_rng(2)) for s in (weighted, copied)
        )
        np.testing.assert_allclose(one * scale, two, atol=1e-9)
        # No crumbs of rounding in empty cells.
        np.testing.assert_array_equal(one > 0, two > 0)


def test_equal_weights_change_nothing_but_the_type():
    rng = np.random.default_rng(3)
    x, y = rng.integers(2, size=(2, 500))
    plain = samples.count([x, y], (2, 2))
    equal = samples.count([x, y], (2, 2), weights=np.full(500, 7.0))
    np.testing.assert_allclose(equal.counts, plain.counts)
    assert equal.weighted
    assert not plain.weighted
    assert samples.effective_size(equal) == pytest.approx(500, rel=0.01)
    # Ratios alone matter, and weights of 0 leave out.
    half = samples.count([x, y], (2, 2), weights=1e-200 * (np.arange(500) < 99))
    first = samples.count([x[:99], y[:99]], (2, 2))
    np.testing.assert_allclose(half.counts, first.counts)
    assert half.units == 99


@pytest.mark.parametrize("grouped", [False, True])
def test_the_null_keeps_the_weighted_label(grouped):
    rng = np.random.default_rng(4)
    y = np.repeat([0, 1], [300, 100])
    x = y ^ (rng.random(400) < 0.1)
    w = np.where(y, 3.0, 1.0)
    units = rng.integers(80, size=400) if grouped else None
    table = samples.count([x, y], (2, 2), weights=w, units=units)
    drawn = samples.permute_last(table, 300, rng)
    np.testing.assert_allclose(drawn.sum(2), [table.counts.sum(1)] * 300)
    label = table.counts.sum(0) / table.mass
    np.testing.assert_allclose(label, [0.5, 0.5])
    mean = drawn.mean(0) / table.mass
    np.testing.assert_allclose(
        mean, np.outer(table.counts.sum(1) / table.mass, label), atol=0.01
    )


def test_a_class_of_one_sample_is_told_by_samples_and_not_by_weight():
    x, y = np.array([0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 2])
    for w, what in (([1, 1, 1, 1, 2], "label 2"), ([1, 1, 2, 2, 0], "label 0")):
        table = samples.count([x, x, y], (2, 2, 3), weights=w)
        tables = pairwise_counts(table)
        if what == "label 0":
            check_alphabets(*tables)
            continue
        with pytest.raises(InputError, match=f"{what} has one sample"):
            check_alphabets(*tables)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -2, 1, 1], r"weights\[1\] is negative: -2"),
        ([1, 1, np.nan, 1], r"weights\[2\] is nan"),
        ([0, 0, 0, 0], "weights are all zero"),
        ([1, 1, 1], r"weights must have shape \(4,\), got \(3,\)"),
        (["a", "b", "c", "d"], "weights must be numbers"),
    ],
    ids=str,
)
def test_bad_weights_are_named(weights, message):
    x = np.array([0, 1, 0, 1])
    with pytest.raises(InputError, match=message):
        samples.count([x, x], (2, 2), weights=weights)
    p = np.full((4, 2), 0.5)
    with pytest.raises(InputError, match=message):
        quantify(Predictions(p, p, 2, weights=weights))
    with pytest.raises(InputError, match=f"the data: {message}"):
        divide({"a": p, "b": p}, x, StudyOptions(folds=2), weights=weights)


def test_rows_of_no_weight_are_left_out():
    rng = np.random.default_rng(5)
    inputs = {name: rng.normal(size=(40, 2)) for name in "ab"}
    label = np.arange(40) % 2
    w = np.where(np.arange(40) < 30, 2.0, 0.0)
    rows = divide(
        inputs, label, StudyOptions(folds=3), weights=w, units=np.arange(40)
    )
    assert len(rows.label) == len(rows.counted_weights) == 30
    assert len(rows.inputs["a"]) == len(rows.units) == 30
    np.testing.assert_array_equal(rows.weights, 2)


def test_weighted_classifiers_learn_the_weighted_law():
    x1, x2, y, w = complete("xor")
    rows = x2[:, None].astype(float)

    def of_one(weights, strength, kind="logistic"):
        return classifiers.posteriors(
            rows, y, np.array([[1.0]]), classes=2, strength=strength,
            kind=kind, weights=weights,
        )[0, 1]  # fmt: skip

    assert of_one(w, 100.0) == pytest.approx(0.5, abs=0.01)
    assert of_one(None, 100.0) == pytest.approx(0.83, abs=0.01)
    for kind in ("discriminant", "network"):
        assert of_one(w, 1.0, kind) == pytest.approx(0.5, abs=0.05)
    # The penalty does not depend on the weights' scale.
    plain, scaled = (of_one(k * np.ones(len(y)), 0.01) for k in (1, 1e6))
    assert scaled == pytest.approx(plain, abs=1e-3)
    assert plain == pytest.approx(of_one(None, 0.01), abs=1e-3)
    probabilities = np.stack([x2 == 0, x2 == 1], 1).astype(float)
    scored = classifiers.accuracy(
        probabilities, y, None, replicates=20, weights=w
    )
    assert scored["accuracy"] == pytest.approx(0.5)
    assert scored["lower"] < 0.5 < scored["upper"]


def test_weights_of_posteriors():
    x1, x2, y, w = complete("xor")
    flat = np.full((len(y), 2), 0.5)
    sure = np.eye(2)[y]
    options = {"correct_bias": False, "replicates": 5, "labels": y}
    bent = np.stack([OBSERVED[x2], OBSERVED[1 - x2]], 1)
    naive = bounds.pid_of_posteriors(flat, bent, r12=sure, **options)
    assert naive.unique2 == pytest.approx(1 - h2(0.17), abs=0.02)
    # Classifiers of weighted samples say 1/2, and their weights make it fair.
    mended = bounds.pid_of_posteriors(
        flat, flat, r12=sure, weights1=w, **options
    )
    assert mended.unique2 == pytest.approx(0, abs=1e-3)
    assert mended.synergy == pytest.approx(1, abs=1e-2)
