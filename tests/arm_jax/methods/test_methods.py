"""What every method must hold; a new one is tested by being in the folder."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods, parallel
from arm_jax.errors import InputError
from tests.arm_jax import helpers

# Compiled once for the tests of a method.
steps = functools.cache(lambda name: helpers.steps(methods.create(name, {})))

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
    helpers.check_jit_and_gradients(method, modalities)


@pytest.mark.parametrize("name", methods.names())
def test_pmap_is_jit_on_the_whole_batch(name):
    helpers.check_devices(*steps(name))


@pytest.mark.parametrize("name", methods.names())
def test_learns_the_tiny_task(name):
    state, plain, _ = steps(name)
    batch = helpers.tiny_batch(size=16)
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


ADDITIVE = ("sample_valuation", "unimodal")


@pytest.mark.parametrize("name", methods.names())
def test_methods_that_need_an_additive_head(name):
    method = methods.create(name, {})
    methods.check_head(name, method, additive=True)
    if name in ADDITIVE:
        message = rf"method '{name}' needs logits that add up .*model\.head="
        with pytest.raises(InputError, match=message):
            methods.check_head(name, method, additive=False)
    else:
        methods.check_head(name, method, additive=False)


def test_unknown_method():
    with pytest.raises(InputError, match="unknown method 'amr'; known: "):
        methods.create("amr", {})


def test_unknown_option():
    with pytest.raises(InputError, match="no option 'balanced'; did you mean"):
        methods.create("arm", {"balanced": 1.0})


@pytest.mark.parametrize("name", methods.names())
def test_options_of_another_type(name):
    for key, default in methods.default_options(name).items():
        wrong = 3 if isinstance(default, str) else "big"
        message = rf"^config method\.options\.{key} must be of type"
        with pytest.raises(InputError, match=message):
            methods.create(name, {key: wrong})


def test_dotted_path_is_a_users_own_loss():
    own = methods.create("tests.arm_jax.methods.own_loss", {"focus": 0.0})
    params, of = helpers.loss(own)
    _, joint = helpers.loss(methods.create("joint", {}))
    np.testing.assert_allclose(of(params)[0], joint(params)[0], rtol=1e-6)


def test_unknown_module():
    with pytest.raises(InputError, match=r"no module 'my\.loss'"):
        methods.create("my.loss", {})


def test_module_without_a_loss():
    with pytest.raises(InputError, match="has no function `loss`"):
        methods.create("arm_jax.workdir", {})
