"""What every method must hold; a new one is tested by being in the folder."""

import jax
import numpy as np
import pytest

from arm_jax import methods, parallel
from arm_jax.errors import InputError
from tests.arm_jax import helpers

MODALITIES = [("a",), ("a", "b"), ("a", "b", "c")]


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("modalities", MODALITIES, ids=len)
def test_jit_and_finite_gradients(name, modalities):
    loss = methods.create(name, {})
    model = helpers.tiny_model(modalities)
    params = model.init(jax.random.key(0))
    batch = helpers.tiny_batch(modalities=modalities)

    def objective(params):
        return loss(helpers.forward(model, params, batch), batch)

    value, metrics = objective(params)
    assert np.isfinite(value)
    gradient = jax.grad(lambda p: objective(p)[0])(params)
    for leaf in jax.tree.leaves(gradient):
        assert np.isfinite(leaf).all()
    jitted = jax.jit(objective)(params)
    np.testing.assert_allclose(jitted[0], value, rtol=1e-5)
    assert jitted[1].keys() == metrics.keys()


@pytest.mark.parametrize("name", methods.names())
def test_pmap_is_jit_on_the_whole_batch(name):
    loss = methods.create(name, {})
    state, plain, mapped = helpers.steps(loss)
    over_devices = parallel.update(mapped)
    spread = parallel.replicate(jax.tree.map(lambda x: x.copy(), state))
    for step in range(20):
        batch = helpers.tiny_batch(seed=step)
        state, expected = plain(state, batch)
        spread, found = over_devices(spread, parallel.split(batch))
        jax.block_until_ready(found)
    assert jax.local_device_count() > 1
    for a, b in zip(
        jax.tree.leaves(state.params),
        jax.tree.leaves(spread.params),
        strict=True,
    ):
        np.testing.assert_allclose(b, a, atol=1e-6)
    for key in expected:
        np.testing.assert_allclose(
            found[key], expected[key], atol=1e-5, err_msg=key
        )


@pytest.mark.parametrize("name", methods.names())
def test_learns_the_tiny_task(name):
    state, plain, _ = helpers.steps(methods.create(name, {}))
    batch = helpers.tiny_batch(size=64)
    first = None
    for _ in range(20):
        state, metrics = plain(state, batch)
        first = first or metrics["cross_entropy"]
    assert metrics["cross_entropy"] < 0.9 * first


def test_unknown_method():
    with pytest.raises(InputError, match="unknown method 'amr'; known: "):
        methods.create("amr", {})


def test_unknown_option():
    with pytest.raises(InputError, match="no option 'balanced'; did you mean"):
        methods.create("arm", {"balanced": 1.0})


def test_dotted_path_is_a_users_own_loss():
    loss = methods.create("tests.arm_jax.methods.own_loss", {"scale": 2.0})
    batch = helpers.tiny_batch()
    model = helpers.tiny_model()
    params = model.init(jax.random.key(0))
    forward = helpers.forward(model, params, batch)
    joint, _ = methods.create("joint", {})(forward, batch)
    np.testing.assert_allclose(loss(forward, batch)[0], 2 * joint, rtol=1e-6)


def test_unknown_module():
    with pytest.raises(InputError, match=r"no module 'my\.loss'"):
        methods.create("my.loss", {})
