import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.ogm_ge import coefficients
from tests.arm_jax import helpers


@pytest.mark.parametrize(
    ("scores", "rho"),
    [
        ((0.6, 0.3), (2, 0.5)),
        ((0.6, 0.3, 0.1), ((2 + 6) / 2, (0.5 + 3) / 2, (1 / 6 + 1 / 3) / 2)),
        ((0.4, 0.4), (1, 1)),
        ((0.4,), (0,)),
    ],
)
def test_coefficients_by_hand(scores, rho):
    alpha = 0.8
    expected = [1 - np.tanh(alpha * r) if r > 1 else 1 for r in rho]
    found = coefficients(jnp.asarray(scores), alpha)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_scores_are_probabilities_of_the_label():
    third = np.log(2.0)
    forward = helpers.bare_forward(
        {"a": [[0.0, 0.0], [third, 0.0]], "b": [[0.0, third], [0.0, 0.0]]}
    )
    method = methods.create("ogm_ge", {})
    _, metrics = method.loss(forward, helpers.bare_batch([0, 0]))
    np.testing.assert_allclose(metrics["score_a"], (1 / 2 + 2 / 3) / 2)
    np.testing.assert_allclose(metrics["score_b"], (1 / 3 + 1 / 2) / 2)


def modulate(ge, seed=0):
    kernel = np.random.default_rng(seed).normal(size=(150, 150))
    block = {"Dense_0": {"kernel": jnp.asarray(kernel), "bias": jnp.ones(3)}}
    gradients = {
        "encoders_a": block,
        "encoders_b": block,
        "classifiers_a": {"kernel": jnp.ones((3, 2))},
    }
    metrics = {"score_a": jnp.asarray(0.6), "score_b": jnp.asarray(0.3)}
    method = methods.create("ogm_ge", {"alpha": 0.5, "ge": ge})
    found, _ = method.update(gradients, metrics, (), jax.random.key(seed))
    return gradients, found


def test_scales_kernels_of_the_stronger_encoder_alone():
    before, after = modulate(ge=False)
    kernel = before["encoders_a"]["Dense_0"]["kernel"]
    np.testing.assert_allclose(
        after["encoders_a"]["Dense_0"]["kernel"],
        (1 - np.tanh(0.5 * 2)) * kernel,
        rtol=1e-5,
    )
    after["encoders_a"]["Dense_0"]["kernel"] = kernel
    jax.tree.map(np.testing.assert_array_equal, after, before)


def test_noise_has_the_deviation_of_the_gradient():
    before, scaled = modulate(ge=False)
    _, noisy = modulate(ge=True)
    draws = []
    for encoder in ("encoders_a", "encoders_b"):
        x, y, z = (
            g[encoder]["Dense_0"]["kernel"] for g in (before, scaled, noisy)
        )
        draws.append(np.asarray((z - y) / x.std()))
        np.testing.assert_allclose(draws[-1].std(), 1, atol=0.03)
        np.testing.assert_allclose(draws[-1].mean(), 0, atol=0.03)
        np.testing.assert_array_equal(
            noisy[encoder]["Dense_0"]["bias"], np.ones(3)
        )
    correlation = np.corrcoef(draws[0].ravel(), draws[1].ravel())[0, 1]
    assert abs(correlation) < 0.03


def test_bad_option():
    with pytest.raises(InputError, match="alpha must be at least 0, got -1"):
        methods.create("ogm_ge", {"alpha": -1.0})
