"""What every method must hold; a new one is tested by being in the folder."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods, parallel
from arm_jax.errors import InputError
from tests.arm_jax import helpers

MODALITIES = [("a",), ("a", "b"), ("a", "b", "c")]


def allowed(method, modalities):
    counts = method.modality_counts
    return not counts or len(modalities) in counts


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("modalities", MODALITIES, ids=len)
def test_jit_and_finite_gradients(name, modalities):
    method = methods.create(name, {})
    if not allowed(method, modalities):
        pytest.skip(f"{name} is not defined for {len(modalities)} modalities")
    model = helpers.tiny_model(modalities, method.fusion)
    params = model.init(jax.random.key(0))
    batch = helpers.tiny_batch(modalities=modalities)
    memory = method.init(helpers.context(modalities))

    def objective(params):
        forward = helpers.forward(model, params, batch, memory=memory)
        return method.loss(forward, batch)

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
    state, plain, mapped = helpers.steps(methods.create(name, {}))
    over_devices = parallel.update(mapped)
    # One run: the axis of runs has length 1.
    spread = parallel.replicate(jax.tree.map(lambda x: x[None].copy(), state))
    for step in range(20):
        batch = helpers.tiny_batch(seed=step)
        state, expected = plain(state, batch)
        one_run = jax.tree.map(lambda x: x[None], batch)
        spread, found = over_devices(spread, parallel.split(one_run, axis=1))
        jax.block_until_ready(found)
    assert jax.local_device_count() > 1
    for a, b in zip(
        jax.tree.leaves(state.variables),
        jax.tree.leaves(spread.variables),
        strict=True,
    ):
        np.testing.assert_allclose(b[0], a, atol=1e-6)
    for key in expected:
        np.testing.assert_allclose(
            found[key][0], expected[key], atol=1e-5, err_msg=key
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


def test_runs_side_by_side_are_the_single_runs():
    method = methods.create("arm", {})
    states, singles = [], []
    for seed in range(2):
        state, plain, mapped = helpers.steps(method)
        state = state.replace(key=jax.random.key(seed))
        states.append(state)
        batches = [helpers.tiny_batch(seed=10 * seed + k) for k in range(3)]
        for batch in batches:
            state, _ = plain(state, batch)
        singles.append(state)
    both = parallel.replicate(jax.tree.map(lambda *x: jnp.stack(x), *states))
    step = parallel.update(mapped)
    for k in range(3):
        pair = [helpers.tiny_batch(seed=10 * seed + k) for seed in range(2)]
        stacked = jax.tree.map(lambda *x: np.stack(x), *pair)
        both, metrics = step(both, parallel.split(stacked, axis=1))
        jax.block_until_ready(metrics)
    for seed, single in enumerate(singles):
        for a, b in zip(
            jax.tree.leaves(single.variables),
            jax.tree.leaves(both.variables),
            strict=True,
        ):
            np.testing.assert_allclose(b[seed], a, atol=1e-6)


def test_unknown_method():
    with pytest.raises(InputError, match="unknown method 'amr'; known: "):
        methods.create("amr", {})


def test_unknown_option():
    with pytest.raises(InputError, match="no option 'balanced'; did you mean"):
        methods.create("arm", {"balanced": 1.0})


def test_dotted_path_is_a_users_own_loss():
    own = methods.create("tests.arm_jax.methods.own_loss", {"scale": 2.0})
    batch = helpers.tiny_batch()
    model = helpers.tiny_model()
    params = model.init(jax.random.key(0))
    forward = helpers.forward(model, params, batch)
    joint, _ = methods.create("joint", {}).loss(forward, batch)
    np.testing.assert_allclose(
        own.loss(forward, batch)[0], 2 * joint, rtol=1e-6
    )


def test_unknown_module():
    with pytest.raises(InputError, match=r"no module 'my\.loss'"):
        methods.create("my.loss", {})


def test_module_without_a_loss():
    with pytest.raises(InputError, match="has no function `loss`"):
        methods.create("arm_jax.workdir", {})
