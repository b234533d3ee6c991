"""Problems with known answers: their posteriors and their answers."""

import numpy as np
import pytest

from bounds import problems


def soft(r, prior):
    """Mean of KL(r || prior) in bits, and its standard error."""
    terms = np.sum(r * np.log2(np.where(r > 0, r, 1) / prior), 1)
    return terms.mean(), terms.std() / np.sqrt(len(terms))


@pytest.mark.parametrize("name", ["and", "copy4", "correlated4", "mixed16"])
def test_posteriors_are_exact(name):
    problem = problems.named(name)
    s = problem.sample(4000, 5)
    assert len(s.x1) == len(s.x2) == len(s.labels) == 4000
    for r in (s.posterior1, s.posterior2, s.posterior12):
        assert r.shape == (4000, len(problem.prior))
        np.testing.assert_allclose(r.sum(1), 1, atol=1e-12)
        # E r = p(y), and whatever is claimed comes true: scores of the labels
        # have the mean that the posteriors give them.
        error = np.sqrt(r.var(0) / 4000)
        assert (np.abs(r.mean(0) - problem.prior) <= 4.5 * error + 1e-9).all()
        hit = np.eye(r.shape[1])[s.labels] - r
        score = np.sum(hit * np.log(np.maximum(r, 1e-300)), 1)
        assert abs(score.mean()) <= 4.5 * score.std() / np.sqrt(4000) + 1e-9


@pytest.mark.parametrize("name", ["copy4", "mixed16", "halves16"])
def test_the_truth_agrees_with_the_posteriors(name):
    problem = problems.named(name)
    truth, s = problem.truth, problem.sample(20_000, 7)
    for r, parts in (
        (s.posterior1, ("redundancy", "unique1")),
        (s.posterior2, ("redundancy", "unique2")),
        (s.posterior12, ("redundancy", "unique1", "unique2", "synergy")),
    ):
        mean, error = soft(r, problem.prior)
        want = sum(getattr(truth, part) for part in parts)
        assert abs(mean - want) <= 4.5 * (error + truth.error)
    # The last of them is the total, a sum of informations of several parts.
    of_total = error * np.sqrt(len(s.labels) / problems._DRAWS)
    assert 0.9 * of_total < truth.error < 0.01
    assert truth.reason


def test_what_the_kinds_of_problems_are_made_for():
    copy = problems.named("copy4").truth
    assert copy.unique2 == 0 < copy.unique1
    halves = problems.named("halves16").truth
    assert halves.redundancy == 0
    assert abs(halves.synergy) <= 1e-12
    equal = problems.named("equal4").truth
    assert equal.unique1 == equal.unique2 == 0 < equal.synergy
    assert problems.named("correlated4").truth.synergy > 0.3
    gate = problems.named("xor").truth
    np.testing.assert_allclose(gate[:3], 0, atol=1e-9)


def test_a_noisier_copy_by_itself_has_no_synergy():
    problem = problems.gaussian(shared=3, noise=(1, 2), correlation=0.5)
    s = problem.sample(100, 0)
    np.testing.assert_allclose(s.posterior12, s.posterior1, atol=1e-9)
    assert abs(problem.truth.synergy) <= 1e-9


def test_priors_and_closed_forms():
    problem = problems.gaussian(
        shared=2, features=1, noise=(1, 3), shared_prior=[0.2, 0.8]
    )
    s = problem.sample(5000, 1)
    np.testing.assert_allclose(problem.prior, [0.2, 0.8])
    rounded = problems.gaussian(shared=3, shared_prior=[0.33333] * 3)
    np.testing.assert_allclose(rounded.prior, 1 / 3, rtol=1e-12)
    assert len(rounded.sample(5).labels) == 5
    assert abs(s.labels.mean() - 0.8) < 0.03
    # Bayes' rule by hand, of two normal densities.
    means = [s.x1[s.labels == y].mean() for y in (0, 1)]
    odds = np.exp(
        -((s.x1[:, 0] - means[1]) ** 2 - (s.x1[:, 0] - means[0]) ** 2) / 2
    )
    want = 0.8 * odds / (0.2 + 0.8 * odds)
    np.testing.assert_allclose(s.posterior1[:, 1], want, atol=0.08)
    # A table is its own answer: 1 bit that only the first modality has.
    p = np.zeros((2, 3, 2))
    p[0, :, 0] = p[1, :, 1] = 1 / 6
    truth = problems.discrete(p).truth
    np.testing.assert_allclose(truth[:5], [0, 1, 0, 0, 1], atol=1e-9)


def test_draws_come_from_the_seed():
    problem = problems.named("mixed16")
    first, again, other = (problem.sample(20, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.x1, again.x1)
    assert not np.array_equal(first.x1, other.x1)
    assert first.x1.shape == (20, 6)  # a shared part and an own one


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: problems.named("nothing"), "must be one of and"),
        (lambda: problems.gaussian(shared=0), "shared"),
        (lambda: problems.gaussian(noise=(1,)), "two numbers"),
        (lambda: problems.gaussian(noise=(1, 0)), r"noise\[1\]"),
        (lambda: problems.gaussian(noise=1.0), "a sequence, got 1.0"),
        (lambda: problems.gaussian(correlation=1.0), "correlation"),
        (
            lambda: problems.gaussian(shared=2, shared_prior=[1.0]),
            "1 classes, shared is 2",
        ),
        (
            lambda: problems.gaussian(shared=2, shared_prior=[1.5, -0.5]),
            r"shared_prior\[1\] is -0.5",
        ),
        (lambda: problems.discrete(np.ones((2, 2)) / 4), "3 axes"),
        (lambda: problems.named("and").sample(0), "n must be"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_no_additive_model_has():
    """All of XOR, nothing of normal laws of one covariance."""
    xor = problems.named("xor").truth
    assert xor.interaction == pytest.approx(xor.total, abs=1e-6)
    one = np.array([[0.8, 0.2], [0.3, 0.7]])  # p(x1|y), p(x2|y)
    independent = np.einsum("ya,yb->aby", one, one) / 2
    truth = problems.discrete(independent).truth
    assert truth.interaction == pytest.approx(0, abs=1e-6)
    assert truth.synergy > 0.01
    # Log-odds of the joint posterior are linear in the features.
    problem = problems.named("correlated4")
    samples = problem.sample(200, 0)
    z = np.log(samples.posterior12)
    z = z[:, 1:] - z[:, :1]
    x = np.concatenate([samples.x1, samples.x2, np.ones((200, 1))], axis=1)
    residual = z - x @ np.linalg.lstsq(x, z, rcond=None)[0]
    assert np.abs(residual).max() < 1e-8
    assert problem.truth.interaction == 0
