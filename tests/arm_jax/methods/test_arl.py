import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods import arl
from tests.arm_jax import helpers

FEATURES = {"a": [[1.0, 0.0], [0.0, 2.0]], "b": [[0.5, 0.0], [0.5, 0.0]]}


def test_weights_by_hand():
    # Shares of the others 1/4 and 3/4; h = 0.8 and 0.3, floored: 1/h in the
    # proportion of 3 to 8.
    found = weights_of(jnp.array([3.0, 1.0]), jnp.array([1.6, 0.4]), 2.0)
    scores = 2 * np.array([1 / 4 * 3 / 11, 3 / 4 * 8 / 11])
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # Nothing to tell them apart, or nothing at all.
    for same in (jnp.ones(3), jnp.zeros(3)):
        np.testing.assert_allclose(weights_of(same, same, 9.0), 1 / 3)
    np.testing.assert_allclose(weights_of(jnp.ones(1), jnp.ones(1), 9.0), 1)
    # The floor of six: 1/h is 10 for whoever is surer than that.
    doubt = jnp.array([1.0, 0, 0, 0, 0, 0])
    found = weights_of(jnp.ones(6), doubt, 6.0)
    scores = 5 * np.array([1, 10, 10, 10, 10, 10]) / 51
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


weights_of = jax.jit(arl.weights_of)


def gradients(method, warm):
    batch = helpers.bare_batch([0, 1])

    def value(features, slope):
        seen = helpers.bare_forward(
            features,
            head=lambda f, mask: (
                slope * sum(mask[m] * x for m, x in enumerate(f.values()))
            ),
            memory={"warm": jnp.float32(warm)},
        )
        return method.loss(seen, batch)

    found = jax.jit(jax.grad(value, argnums=(0, 1), has_aux=True))
    features = {k: jnp.asarray(x) for k, x in FEATURES.items()}
    (by_features, by_head), metrics = found(features, jnp.float32(1))
    return by_features, by_head, metrics


def test_gradients_of_encoders_are_scaled_and_no_others():
    method = methods.create("arl", {"gamma": 2.0, "sharpness": 5.0})
    plain = methods.create("uniform", {"unimodal": 2.0})
    expected, head, _ = gradients(plain, 1)
    # |o| is 3/2 and 1/2 in the mean.
    z = np.stack(list(map(np.asarray, FEATURES.values())))
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    entropy = -(p * np.log(p)).sum(-1).mean(-1)
    weights = weights_of(jnp.array([1.5, 0.5]), jnp.asarray(entropy), 5.0)
    for warm, w in ((1, weights), (0, [0.5, 0.5])):
        found, of_head, metrics = gradients(method, warm)
        for m, name in enumerate("ab"):
            np.testing.assert_allclose(
                found[name], (1 + w[m]) * expected[name], rtol=1e-5
            )
            assert metrics[f"factor_{name}"] == pytest.approx(1 + w[m])
        np.testing.assert_allclose(of_head, head, rtol=1e-5)


def test_warm_up():
    surveys = {"train": methods.Survey({"a": None}, None, np.zeros(1, int), 0)}
    for factors, number, warm, starts in (
        ("variance", 3, 1.0, 3),
        ("variance", 4, None, 3),
        # No training is too short for a warm-up that nothing follows.
        ("constant", 3, None, 0),
    ):
        method = methods.create("arl", {"warmup": 3, "factors": factors})
        epoch = helpers.EpochByHand(surveys, number=number, memory="old")
        method.begin_epoch(epoch)
        assert method.starts() == starts
        memory = epoch.variables.memory
        assert memory == ("old" if warm is None else {"warm": warm})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": -1.0}, "gamma must be at least 0, got -1"),
        ({"factors": "fixed"}, "factors must be one of variance, constant"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"method\.options\.{message}"):
        methods.create("arl", options)
