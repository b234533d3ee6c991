import math

import numpy as np
import pytest

from bounds import samples
from bounds.quantify import (
    Labelled,
    Predictions,
    Unimodal,
    consistent_marginals,
    convergence,
    enough,
    quantify,
)

FEW = {"replicates": 40, "permutations": 40, "interval_replicates": 10}
N = 4000


@pytest.fixture(scope="module")
def xor():
    """Noisy exclusive or: all synergy."""
    rng = np.random.default_rng(0)
    x1, x2 = rng.integers(2, size=(2, N))
    y = x1 ^ x2 ^ (rng.random(N) < 0.1)
    return x1, x2, y


@pytest.fixture(scope="module")
def copies():
    """Two noisy copies of the label."""
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=N)
    x1, x2 = (y ^ (rng.random(N) < e) for e in (0.1, 0.2))
    return x1, x2, y


def h2(p):
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


@pytest.fixture(scope="module")
def of_xor(xor):
    return quantify(Labelled(samples.count(xor, (2, 2, 2))), **FEW)


@pytest.fixture(scope="module")
def of_copies(copies):
    return quantify(Labelled(samples.count(copies, (2, 2, 2))), **FEW)


def test_labelled_pairs_of_xor(of_xor):
    truth = 1 - h2(0.1)
    synergy = of_xor.estimates["synergy"]
    assert synergy.lower < truth < synergy.upper
    assert synergy.upper - synergy.lower < 0.1
    assert synergy.p_value == pytest.approx(1 / 41)
    assert synergy.null < 0.01
    for name in ("redundancy", "unique1", "unique2"):
        assert of_xor.estimates[name].value < 0.003
    for found, best in (
        (of_xor.accuracy, 0.9),
        (of_xor.accuracy1, 0.5),
        (of_xor.accuracy2, 0.5),
    ):
        assert found.lower < best + 1e-9 < found.upper
        assert found.upper - found.lower < 0.06
    # Without labels of pairs it could be anything.
    assert of_xor.accuracy_bounds.lower < 0.55
    assert of_xor.accuracy_bounds.upper > 0.9
    # Without labels of pairs nothing excludes that there is no synergy.
    assert of_xor.synergy_lower.value < 0.01
    assert of_xor.synergy_upper.value > truth - 0.05
    assert of_xor.gap <= 1e-6


def test_labelled_pairs_of_copies(of_copies):
    found = of_copies.estimates
    for name, noise in (("information1", 0.1), ("information2", 0.2)):
        assert found[name].lower < 1 - h2(noise) < found[name].upper
    assert found["unique2"].value < 0.01
    assert found["redundancy"].lower > 0.2
    np.testing.assert_allclose(
        sum(found[k].plug_in for k in ("redundancy", "unique1")),
        found["information1"].plug_in,
    )


def test_unimodal_labels_agree_with_labelled_pairs(copies, of_copies):
    x1, x2, y = copies
    half = N // 2
    found = quantify(
        Unimodal(
            samples.count([x1[:half], y[:half]], (2, 2)),
            samples.count([x2[half:], y[half:]], (2, 2)),
            samples.count([x1, x2], (2, 2)),
        ),
        **FEW,
    )
    assert "synergy" not in found.estimates
    for name in ("redundancy", "unique1", "information2"):
        one, other = found.estimates[name], of_copies.estimates[name]
        assert one.lower < other.upper
        assert other.lower < one.upper
    # As accurate alone as each is a copy, and no less together.
    for alone, best in ((found.accuracy1, 0.9), (found.accuracy2, 0.8)):
        assert alone.lower < best < alone.upper
        assert alone.upper - alone.lower < 0.06
    assert found.accuracy == found.accuracy_bounds
    assert found.accuracy.lower == found.accuracy1.lower
    assert found.accuracy.upper > 0.9
    # The interval of what was not observed holds what was.
    synergy = of_copies.estimates["synergy"]
    assert found.synergy.lower < synergy.upper
    assert found.synergy.upper > synergy.lower
    assert found.synergy == (
        found.synergy_lower.lower,
        found.synergy_upper.upper,
    )


def test_classifier_outputs(copies, of_copies):
    x1, x2, y = copies
    outputs = [
        np.array([[1 - e, e], [e, 1 - e]])[x.astype(int)]
        for x, e in ((x1, 0.1), (x2, 0.2))
    ]
    found = quantify(Predictions(*outputs), **FEW)
    for name in ("information1", "information2", "redundancy"):
        assert found.estimates[name].value == pytest.approx(
            of_copies.estimates[name].value, abs=0.03
        )
    for alone, best in ((found.accuracy1, 0.9), (found.accuracy2, 0.8)):
        assert alone == pytest.approx((best, best))
    synergy = of_copies.estimates["synergy"]
    assert found.synergy.lower < synergy.upper
    assert found.synergy.upper > synergy.lower
    assert found.synergy_lower.value <= of_copies.synergy_lower.upper
    assert math.isnan(found.synergy_lower.p_value)


def test_too_few_samples_are_no_number(rng):
    table = samples.count(
        [rng.integers(2, size=20) for _ in range(3)], (2, 2, 2)
    )
    assert enough(table) == (False, 40)
    found = quantify(Labelled(table), **FEW)
    synergy = found.estimates["synergy"]
    assert not synergy.enough
    assert synergy.needed == 40
    assert math.isnan(synergy.value)
    assert math.isnan(synergy.lower)
    # The marginals have four cells each: of them there are enough.
    assert found.estimates["redundancy"].enough
    assert found.synergy.upper == found.synergy_upper.upper


def test_copied_samples_do_not_count_twice(copies):
    x1, x2, y = (x[:500] for x in copies)
    units = np.repeat(np.arange(500), 4)
    once = quantify(Labelled(samples.count([x1, x2, y], (2, 2, 2))), **FEW)
    four = quantify(
        Labelled(
            samples.count(
                [np.repeat(x, 4) for x in (x1, x2, y)], (2, 2, 2), units=units
            )
        ),
        **FEW,
    )
    assert four.effective == pytest.approx(500, rel=0.01)
    for name in ("redundancy", "synergy"):
        a, b = once.estimates[name], four.estimates[name]
        assert b.deviation == pytest.approx(a.deviation, rel=0.4)
        assert b.plug_in == pytest.approx(a.plug_in, abs=1e-6)


def test_same_seed_same_numbers(copies, of_copies):
    again = quantify(Labelled(samples.count(copies, (2, 2, 2))), **FEW)
    assert again.estimates == of_copies.estimates


def test_convergence_ends_at_the_whole(copies, of_copies):
    table = samples.count(copies, (2, 2, 2))
    found = convergence(table, (0.5, 1.0), repeats=2)
    assert found["size"].tolist() == [N / 2, N]
    np.testing.assert_allclose(
        found["plug_in"]["redundancy"][1],
        of_copies.estimates["redundancy"].plug_in,
        atol=1e-5,
    )


def test_consistent_marginals_agree(rng):
    tables = consistent_marginals(
        rng.integers(0, 9, (5, 3, 4)),
        rng.integers(0, 9, (5, 3, 2)),
        rng.integers(0, 9, (5, 4, 2)),
    )
    p12, p1y, p2y = tables
    for p in tables:
        np.testing.assert_allclose(p.sum((1, 2)), 1)
    np.testing.assert_allclose(p12.sum(2), p1y.sum(2), atol=1e-7)
    np.testing.assert_allclose(p12.sum(1), p2y.sum(2), atol=1e-7)
    np.testing.assert_allclose(p1y.sum(1), p2y.sum(1), atol=1e-7)


def table(x, y, shape=(2, 2)):
    return samples.count([np.asarray(x), np.asarray(y)], shape)


GOOD = ([0, 1, 0, 1], [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        (
            lambda: Unimodal(
                table([0, 1, 0], [0, 0, 0]), table(*GOOD), table(*GOOD)
            ),
            "label 1 occurs 2 times in the second labelled set but never",
        ),
        (
            lambda: Unimodal(
                table([0, 1, 0], [0, 0, 1]), table(*GOOD), table(*GOOD)
            ),
            "label 1 has one sample in the first labelled set",
        ),
        (
            lambda: Unimodal(
                table([0, 0, 0, 0], [0, 0, 1, 1]), table(*GOOD), table(*GOOD)
            ),
            "the first modality is constant",
        ),
        (
            lambda: Unimodal(table(*GOOD), table(*GOOD), table(*GOOD, (3, 2))),
            "alphabets differ",
        ),
        (
            lambda: Unimodal(
                table([0, 1], [0, 0]), table([0, 1], [0, 0]), table(*GOOD)
            ),
            "all samples have one label",
        ),
        (
            lambda: Predictions(np.ones((4, 2)) / 2, np.ones((3, 2)) / 2),
            r"shapes \(4, 2\) and \(3, 2\)",
        ),
        (
            lambda: Predictions(
                np.ones((2, 2)) / 2, np.array([[0.5, 0.5], [0.5, 0.9]])
            ),
            r"second\[1\] is no distribution",
        ),
    ],
)
def test_bad_input_is_named(evidence, message):
    with pytest.raises(ValueError, match=message):
        quantify(evidence(), **FEW)
