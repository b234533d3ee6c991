import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods import terms
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
    _, metrics, scores = method.loss(forward, helpers.bare_batch([0, 0]))
    np.testing.assert_allclose(scores, [7 / 12, 5 / 12], rtol=1e-6)
    np.testing.assert_allclose(metrics["score_a"], (1 / 2 + 2 / 3) / 2)
    np.testing.assert_allclose(metrics["score_b"], (1 / 3 + 1 / 2) / 2)


def encoder_gradients(noise, seeds, alpha=0.5):
    """Gradients under the method `[seeds, ...]`, and of every example."""
    model, batch = helpers.tiny_model(), helpers.tiny_batch()
    params, _ = model.init(jax.random.key(0))
    method = methods.create("ogm_ge", {"noise": noise, "alpha": alpha})

    def modulated(seed):
        def loss(params):
            forward = helpers.forward(model, params, batch, seed=seed)
            value, metrics, _ = method.loss(forward, batch)
            return value, metrics

        return jax.grad(loss, has_aux=True)(params)

    def example(row):
        one = jax.tree.map(
            lambda x: jax.lax.dynamic_slice_in_dim(jnp.asarray(x), row, 1),
            batch,
        )

        def loss(params):
            seen = helpers.forward(model, params, one)
            return terms.fused_cross_entropy(seen.log_probs(), one)

        return jax.grad(loss)(params)

    found, metrics = jax.jit(jax.vmap(modulated))(np.arange(seeds))
    each = jax.jit(jax.vmap(example))(jnp.arange(len(batch["label"])))
    scores = np.array([metrics["score_a"][0], metrics["score_b"][0]])
    return helpers.blocks(found), helpers.blocks(each), scores


def flat(tree):
    """`[n, entries]` of a pytree of arrays `[n, ...]`."""
    leaves = jax.tree.leaves(tree)
    return np.concatenate([np.reshape(x, (len(x), -1)) for x in leaves], 1)


def test_scales_all_gradients_of_the_stronger_encoder_alone():
    found, each, scores = encoder_gradients("none", seeds=1)
    k = coefficients(jnp.asarray(scores), 0.5)
    assert k.min() < 1
    for block in found:
        scale = {"encoders/a": k[0], "encoders/b": k[1]}.get(block, 1)
        np.testing.assert_allclose(
            flat(found[block])[0],
            scale * flat(each[block]).mean(0),
            rtol=1e-4,
            atol=1e-6,
        )


def test_noise_has_the_covariance_of_a_batch():
    seeds = 20_000
    found, each, scores = encoder_gradients("covariance", seeds)
    k = coefficients(jnp.asarray(scores), 0.5)
    noises = []
    for block, scale in zip(("encoders/a", "encoders/b"), k, strict=True):
        examples = flat(each[block])
        mean = float(scale) * np.asarray(examples.mean(0))
        noises.append(np.asarray(flat(found[block])) - mean)
        expected = np.cov(examples.T, bias=True) / len(examples)
        size = np.sqrt(np.diag(expected).max())
        error = 5 * size / np.sqrt(seeds)
        np.testing.assert_allclose(noises[-1].mean(0), 0, atol=error)
        np.testing.assert_allclose(
            np.cov(noises[-1].T), expected, atol=2 * size * error
        )
    # Normal, also in the tails, and of its own for each encoder.
    one, other = (x[:, x.std(0).argmax()] for x in noises)
    standard = one / one.std()
    np.testing.assert_allclose((standard**4).mean(), 3, atol=0.2)
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(seeds)
    # The head is what it is without.
    plain = flat(each["head/classifiers_a"]).mean(0)
    np.testing.assert_allclose(
        flat(found["head/classifiers_a"]), np.tile(plain, (seeds, 1)), atol=1e-6
    )


def as_released(alpha, seed=0):
    kernel = np.random.default_rng(seed).normal(size=(150, 150))
    block = {"Dense_0": {"kernel": jnp.asarray(kernel), "bias": jnp.ones(3)}}
    gradients = {
        "encoders": {"a": block, "b": block},
        "head": {"classifiers_a": {"kernel": jnp.ones((3, 2))}},
    }
    scores = jnp.array([0.6, 0.3])
    method = methods.create("ogm_ge", {"alpha": alpha, "noise": "entries"})
    found = method.combine(
        helpers.step(loss=gradients, carry=scores, seed=seed)
    )
    return helpers.blocks(gradients), helpers.blocks(found)


def test_released_noise_has_the_deviation_of_the_entries():
    before, after = as_released(alpha=0.5)
    np.testing.assert_array_equal(after["head/classifiers_a"]["kernel"], 1)
    draws = []
    for encoder, k in (("encoders/a", 1 - np.tanh(0.5 * 2)), ("encoders/b", 1)):
        x, y = (g[encoder]["Dense_0"] for g in (before, after))
        np.testing.assert_array_equal(y["bias"], 1)
        kernel = x["kernel"]
        draws.append(np.asarray((y["kernel"] - k * kernel) / kernel.std()))
        np.testing.assert_allclose(draws[-1].std(), 1, atol=0.03)
        np.testing.assert_allclose(draws[-1].mean(), 0, atol=0.03)
    correlation = np.corrcoef(draws[0].ravel(), draws[1].ravel())[0, 1]
    assert abs(correlation) < 0.03


def test_released_noise_leaves_the_loss_alone():
    params, plain = helpers.loss(methods.create("joint", {}))
    _, released = helpers.loss(methods.create("ogm_ge", {"noise": "entries"}))
    gradient, expected = (
        jax.jit(jax.grad(lambda p, of=of: of(p)[0]))(params)
        for of in (released, plain)
    )
    jax.tree.map(np.testing.assert_array_equal, gradient, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha must be at least 0, got -1"),
        ({"noise": "white"}, "noise.*'white'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        methods.create("ogm_ge", options)
