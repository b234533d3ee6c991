import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from arm_jax.gaussian import Gaussian
from arm_jax.valuation import (
    Subsets,
    at_label,
    batch_first,
    conditional_contributions,
    expected_conditional_contributions,
    expected_joint_contribution,
    is_right,
    joint_contribution,
    modalities_first,
)

MEAN = np.array([[0.3, -1.2], [2.0, 0.0], [0.1, 0.4]])
DEVIATION = np.array([[0.5, 1.3], [0.8, 2.0], [1.0, 0.2]])
LABEL = np.array([0.7, -0.4])


def log_densities():
    return stats.norm.logpdf(LABEL, MEAN, DEVIATION)


def subsets(xp):
    """All modalities, and two alone."""
    full, *alone = (
        Gaussian(xp.asarray(m), xp.asarray(np.log(d)))
        for m, d in zip(MEAN, DEVIATION, strict=True)
    )
    both = jax.tree.map(lambda *x: xp.stack(x), *alone)
    return Subsets(full, both, jax.tree.map(lambda x: x[::-1], both))


def divergence(k, other):
    """KL divergence of `full` from another, by quadrature."""
    p = stats.norm(MEAN[0, k], DEVIATION[0, k])
    value, _ = integrate.quad(
        lambda x: p.pdf(x) * (p.logpdf(x) - other.logpdf(x)), -12, 12
    )
    return value


@pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])
def test_contributions_are_differences_of_log_densities(xp):
    found, expected = subsets(xp), log_densities()
    np.testing.assert_allclose(
        at_label(found.alone, LABEL), expected[1:], rtol=1e-5
    )
    np.testing.assert_allclose(
        conditional_contributions(found, LABEL),
        expected[0] - expected[:0:-1],
        rtol=1e-5,
    )
    # The prior is a Gaussian, too.
    prior = np.array([0.2, np.log(1.5)])
    np.testing.assert_allclose(
        joint_contribution(found, prior, LABEL),
        expected[0] - stats.norm.logpdf(LABEL, 0.2, 1.5),
        rtol=1e-5,
    )
    first = batch_first(found)
    assert first.alone.mean.shape == (2, 2)
    np.testing.assert_array_equal(first.alone.mean, found.alone.mean.T)
    np.testing.assert_array_equal(
        modalities_first(first).alone.mean, found.alone.mean
    )


def test_expected_contributions_are_divergences():
    found = subsets(jnp)
    np.testing.assert_allclose(
        expected_conditional_contributions(found),
        [
            [
                divergence(k, stats.norm(MEAN[m, k], DEVIATION[m, k]))
                for k in range(2)
            ]
            for m in (2, 1)
        ],
        rtol=1e-4,
    )
    np.testing.assert_allclose(
        expected_joint_contribution(found, np.zeros(2)),
        [divergence(k, stats.norm()) for k in range(2)],
        rtol=1e-4,
    )


def test_share_of_a_variance_of_1_that_is_explained():
    np.testing.assert_allclose(
        is_right(subsets(jnp).full, jnp.asarray(LABEL)),
        1 - (LABEL - MEAN[0]) ** 2,
        rtol=1e-5,
    )


def test_outputs_without_evidence_are_the_standard_normal():
    prior = Gaussian.of_outputs(jnp.array([[0.0, -50.0], [0.1, -50.0]]))
    np.testing.assert_allclose(prior.mean, [0, 0.1])
    np.testing.assert_allclose(prior.log_deviation, [0, 0], atol=1e-6)


def test_log_density_is_concave_in_the_natural_parameters():
    outputs = jnp.array([0.8, 3.0])
    one = Gaussian.of_outputs(outputs)
    precision = 1 + np.log1p(np.exp(3.0))
    np.testing.assert_allclose(one.mean, 0.8 / precision, rtol=1e-5)
    np.testing.assert_allclose(
        one.log_deviation, -0.5 * np.log(precision), rtol=1e-5
    )

    def of_natural(natural):
        mean = natural[0] / natural[1]
        return Gaussian(mean, -0.5 * jnp.log(natural[1])).log_density(2.0)

    hessian = jax.hessian(of_natural)(jnp.array([0.8, 0.4]))
    assert np.linalg.eigvalsh(hessian).max() < 1e-5
