import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods import agm
from tests.arm_jax import helpers


def product_head(f, mask):
    """Not additive, and not 0 for nobody."""
    kept = [m * x for m, x in zip(mask, f.values(), strict=True)]
    return 5.0 + sum(kept) + jnp.prod(jnp.stack(kept), axis=0)


def test_split_by_hand():
    a, b = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    forward = helpers.bare_forward({"a": a, "b": b}, head=product_head)
    # (f(a, b) - f(b) + f(a)) / 2 with f(nobody) = 0.
    full, only_a, only_b = 5 + a + b + a * b, 5 + a, 5 + b
    np.testing.assert_allclose(
        agm.split(forward),
        [(full - only_b + only_a) / 2, (full - only_a + only_b) / 2],
        rtol=1e-6,
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_split_sums_to_the_fused_logits(rng, count):
    features = {"abcd"[m]: rng.normal(size=(6, 3)) for m in range(count)}
    forward = helpers.bare_forward(features, head=product_head)
    fused = forward.head(forward.features, jnp.ones(count))
    np.testing.assert_allclose(agm.split(forward).sum(axis=0), fused, atol=1e-5)


def test_split_of_an_additive_head_is_the_modalities_alone(rng):
    features = {name: rng.normal(size=(6, 3)) for name in "abc"}
    parts = agm.split(helpers.bare_forward(features))
    np.testing.assert_allclose(parts, [*features.values()], atol=1e-6)


@pytest.mark.parametrize(
    ("costs", "usual", "exponent"),
    [
        # ratio = (e, 1/e), target = 1.
        ((1, 2), (1, 1), (1 - np.e, 1 - 1 / np.e)),
        # As usual: no modulation.
        ((1, 3), (2, 4), (0, 0)),
        # The mean of the others minus one's own: (1.5, 0, -1.5).
        ((0, 1, 2), (0, 0, 0), (1 - np.exp(1.5), 0, 1 - np.exp(-1.5))),
        # A target out of reach counts as 10.
        ((0, 0), (0, 9), (10, np.exp(-9) - 1)),
        ((2,), (1,), (0,)),
    ],
)
def test_coefficients_by_hand(costs, usual, exponent):
    found = agm.coefficients(
        jnp.asarray(costs, float), jnp.asarray(usual, float), 0.5
    )
    expected = np.exp(0.5 * np.asarray(exponent))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gradient_into_each_part_is_scaled():
    features = {"a": [[1.0, 0.0], [0.0, 2.0]], "b": [[0.0, 0.5], [1.0, 0.0]]}
    batch = helpers.bare_batch([0, 1])
    method = methods.create("agm", {"alpha": 0.7})
    joint = methods.create("joint", {})
    memory = {"costs": jnp.array([0.3, 0.6]), "steps": jnp.ones(())}

    def value(features, method):
        forward = helpers.bare_forward(features, memory=memory)
        value, metrics, *carry = method.loss(forward, batch)
        return value, (metrics, *carry)

    features = jax.tree.map(
        jnp.asarray, helpers.bare_forward(features).features
    )
    grad = jax.grad(value, has_aux=True)
    found, (metrics, costs) = grad(features, method)
    plain, _ = grad(features, joint)
    np.testing.assert_allclose(
        value(features, method)[0], value(features, joint)[0], rtol=1e-6
    )
    z = np.stack(list(map(np.asarray, features.values())))
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    by_hand = -log_p[:, [0, 1], [0, 1]].mean(axis=1)
    np.testing.assert_allclose(costs, by_hand, rtol=1e-6)
    kappa = agm.coefficients(costs, memory["costs"], 0.7)
    for m, name in enumerate("ab"):
        np.testing.assert_allclose(metrics[f"kappa_{name}"], kappa[m])
        np.testing.assert_allclose(
            found[name], kappa[m] * plain[name], rtol=1e-5
        )
    assert abs(kappa[0] - kappa[1]) > 0.1


def test_memory_is_the_mean_over_all_steps():
    method = methods.create("agm", {})
    memory = method.init(helpers.context(), jax.random.key(0))
    for costs in ([2.0, 4.0], [4.0, 0.0], [3.0, 2.0]):
        step = helpers.step(memory=memory, carry=jnp.asarray(costs))
        memory = method.remember(step)
    np.testing.assert_allclose(memory["costs"], [3, 2], rtol=1e-6)


def test_bad_option():
    with pytest.raises(InputError, match="alpha must be at least 0"):
        methods.create("agm", {"alpha": -0.1})
