import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.cml import chain
from tests.arm_jax import helpers


def test_chain_by_hand():
    found = chain(jnp.array([2, 0, 1]))
    np.testing.assert_array_equal(found, [[1, 1, 0], [0, 1, 0]])
    assert chain(jnp.array([0])).shape == (0, 1)


# What is left of an example is surer in one, less sure in the other.
FEATURES = {
    "a": np.array([[2.0, 0.0], [2.0, 0.0], [1.0, 0.0]]),
    "b": np.array([[-1.5, 0.0], [1.5, 0.0], [3.0, 0.0]]),
}
LABEL = [0, 1, 0]


def log_p(z):
    return z - np.log(np.exp(z).sum(1, keepdims=True))


@pytest.mark.parametrize("released", [False, True])
def test_loss_by_hand(released):
    forward = helpers.bare_forward(FEATURES)
    first = int(jax.random.permutation(forward.key, 2)[0])
    left = FEATURES["ba"[first]]
    batch = helpers.bare_batch(LABEL)
    # The last example has nothing but what goes.
    batch["mask"][2] = np.eye(2)[first]
    forward = forward._replace(
        head=lambda f, mask, head=forward.head: head(
            f, jnp.atleast_2d(mask) * batch["mask"]
        )
    )
    options = {"calibration": 0.3, "partial": 0.5, "released": released}
    value, metrics = methods.create("cml", options).loss(forward, batch)
    full = FEATURES["a"] + FEATURES["b"]
    full[2] = FEATURES["ab"[first]][2]
    both = log_p(full), log_p(left)
    costs = [-x[np.arange(3), LABEL] for x in both]
    rise = np.exp(both[1].max(1)) - np.exp(both[0].max(1))
    assert rise[0] > 0 > rise[1]
    excess = max(rise[:2].sum(), 0) if released else rise[0] / 3
    np.testing.assert_allclose(metrics["excess"], excess, atol=1e-6)
    fused, partial = costs[0].mean(), costs[1][:2].sum() / 3
    expected = (fused + 0.5 * partial) / 1.5 + 0.3 * excess
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["calibration", "partial"])
def test_bad_options(name):
    with pytest.raises(InputError, match=rf"method\.options\.{name} must be"):
        methods.create("cml", {name: -1.0})
