import numpy as np
import pytest

import bounds


@pytest.fixture(scope="module")
def joint():
    rng = np.random.default_rng(5)
    p = np.concatenate(
        [rng.dirichlet(np.full(24, a), 2000) for a in (1, 0.3, 0.05)]
    ).reshape(-1, 6, 4)
    p *= rng.dirichlet(np.full(4, 0.5), len(p))[:, None]
    return p / p.sum((1, 2), keepdims=True)


def test_contains_the_accuracy_whatever_the_label(joint):
    information = bounds.information.mutual_information(joint)
    out = bounds.accuracy_interval(information, joint.sum(1))
    accuracy = joint.max(2).sum(1)
    assert (out.lower <= accuracy).all()
    assert (out.upper >= accuracy).all()
    assert (out.paper_lower <= out.lower + 1e-8).all()
    wrong = accuracy > out.paper_upper + 1e-9
    assert wrong.any()
    assert not (wrong & out.paper_upper_holds).any()


def test_uniform_labels_are_as_sharp_as_the_paper(joint):
    p = joint / joint.sum(1, keepdims=True) / 4
    out = bounds.accuracy_interval(
        bounds.information.mutual_information(p), p.sum(1)
    )
    assert out.paper_upper_holds.all()
    assert (out.upper <= out.paper_upper + 1e-8).all()
    assert (out.paper_upper >= p.max(2).sum(1)).all()


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_attained_where_k_labels_are_equally_likely(k):
    # Four labels in groups of k: the entropy left is log2 k.
    h = np.log2(k)
    out = bounds.accuracy_interval(2 - h, np.full(4, 0.25))
    assert out.lower == pytest.approx(1 / k, abs=1e-8)
    if k in (1, 4):
        assert out.upper == pytest.approx(1 / k, abs=1e-6)


def test_the_likeliest_label_is_always_there_to_predict():
    out = bounds.accuracy_interval(0.0, [0.7, 0.3])
    assert out.lower == pytest.approx(0.7, abs=1e-8)
    assert out.paper_lower < 0.6


def test_interval_of_information_and_padding():
    p_y = np.array([0.5, 0.3, 0.2])
    out = bounds.accuracy_interval(0.2, p_y, most_information=0.6)
    low, high = (bounds.accuracy_interval(x, p_y) for x in (0.2, 0.6))
    assert (out.lower, out.upper) == (low.lower, high.upper)
    padded = bounds.accuracy_interval(0.2, np.pad(p_y, (0, 3)))
    assert padded.upper == pytest.approx(low.upper, abs=1e-12)


def test_bad_input():
    with pytest.raises(ValueError, match=r"in \[0, H\(Y\)\] = \[0, 1\]"):
        bounds.accuracy_interval(1.5, [0.5, 0.5])
    with pytest.raises(ValueError, match=r"^information\[1, 0\] must"):
        bounds.accuracy_interval([[0.1], [1.5]], [0.5, 0.5])
    with pytest.raises(ValueError, match="above most_information"):
        bounds.accuracy_interval(0.5, [0.5, 0.5], most_information=0.2)
