import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.mmcosine import cosines
from tests.arm_jax import helpers


def test_logits_by_hand():
    method = methods.create("mmcosine", {"scale": 10.0})
    features = {"a": jnp.array([[3.0, 4.0]]), "b": jnp.array([[0.0, 0.5]])}
    weights = {
        "a": jnp.array([[2.0, 0.0], [0.0, 7.0]]),
        "b": jnp.array([[1.0, -1.0], [1.0, 0.0]]),
    }
    root = np.sqrt(0.5)
    a, b = np.array([0.6, 0.8]), np.array([root, 0.0])
    for mask, expected in (
        ([1.0, 1.0], a + b),
        ([1.0, 0.0], a),
        ([[0.0, 1.0]], b),
        ([0.0, 0.0], 0 * a),
    ):
        found = method.fuse(None, features, jnp.array(mask), (), weights)
        np.testing.assert_allclose(found, [10 * expected], atol=1e-5)
    # Lengths do not count.
    longer = jax.tree.map(lambda x: 100 * x, (features, weights))
    found = method.fuse(None, longer[0], jnp.ones(2), (), longer[1])
    np.testing.assert_allclose(found, [10 * (a + b)], rtol=1e-5)


def test_features_without_a_length():
    value, gradient = jax.value_and_grad(
        lambda x: cosines(x, jnp.ones((2, 3))).sum()
    )(jnp.zeros((1, 2)))
    assert value == 0
    assert np.isfinite(gradient).all()


def test_loss_is_that_of_the_cosines():
    method = methods.create("mmcosine", {})
    params, of = helpers.loss(method)
    assert jax.tree.map(jnp.shape, params["method"]) == {
        "a": (5, 3),
        "b": (5, 3),
    }
    gradient = jax.jit(jax.grad(lambda p: of(p)[0]))(params)
    # The head has no part in it.
    assert not any(np.any(x) for x in jax.tree.leaves(gradient["head"]))


@pytest.mark.parametrize("scale", [0.0, float("inf")])
def test_bad_option(scale):
    with pytest.raises(InputError, match=r"config method\.options\.scale must"):
        methods.create("mmcosine", {"scale": scale})
