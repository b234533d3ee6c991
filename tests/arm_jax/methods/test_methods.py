"""What every method must hold; a new one is tested by being in the folder."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from arm_jax import heads, methods, parallel, shapley, training
from arm_jax.errors import InputError
from tests.arm_jax import helpers

# `image` has an encoder with state.
MODALITIES = ("a", "image")
# Options with which a method does within a few steps all that it does.
SHORT = {
    "amco": {"ramp": 10},
    "greedy": {"warmup": 0, "steps": 2},
}
# Options that leave nothing of a method but `joint`.
JOINT = {
    "amco": {"threshold": 1.0, "unimodal": 0.0},
    "cml": {"calibration": 0.0, "partial": 0.0},
    "greedy": {"gates": False},
    "inforeg": {"beta": 0.0, "unimodal": 0.0},
    "mbsd": {"unimodal": 0.0, "distillation": 0.0},
    "modality_dropout": {"rate": 0.0},
    "opm": {"drop": 0.0},
}

# The scores of one change their signs from batch to batch, so that predictions,
# which are by their running means, are not what is trained; the other matches
# the modalities first.
NOT_LEARNING = {"arm_released", "lfm"}


# Memory behind the warm-up of a method, which does less before.
WARM = {"arl": {"warm": np.ones((), np.float32)}}


def create(name):
    return methods.create(name, SHORT.get(name, {}))


@functools.cache
def steps(name):
    """Compiled once for the tests of a method."""
    state, *both = helpers.steps(create(name), MODALITIES)
    if name in WARM:
        variables = state.variables.replace(memory=WARM[name])
        state = state.replace(variables=variables)
    return state, *both


# First, and less than 25, so that they share what runs eagerly (conftest.py).
@pytest.mark.parametrize("name", methods.names())
def test_jit_and_finite_gradients(name):
    method = methods.create(name, {})
    # Gradients with two are those of the steps below.
    cases = [m for m in (("a", "b", "c"), ("a",)) if method.allows(len(m))]
    helpers.check_jit_and_gradients(method, *(cases or [("a", "b")]))


@pytest.mark.parametrize("name", methods.names())
def test_steps_on_devices_are_those_on_the_whole_batch_and_learn(name):
    # In float64, in which they are compared, Flax's statistics promote.
    with jax.numpy_dtype_promotion("standard"):
        history = helpers.check_devices(*steps(name), MODALITIES)
    first, last = history[0]["cross_entropy"], history[16]["cross_entropy"]
    if name not in NOT_LEARNING:
        assert last < 0.9 * first  # on the same batch
    if name == "arl":
        factors = [history[-1][f"factor_{m}"] for m in MODALITIES]
        assert sum(factors) == pytest.approx(3)
        assert abs(factors[0] - factors[1]) > 1e-3


@pytest.mark.parametrize("name", methods.names())
def test_steps_keep_types_and_shapes(name):
    # In float32, and under strict promotion, without compiling.
    method = methods.create(name, {})
    modalities = tuple("abcdef") if method.allows(6) else ("a", "b")
    old, plain = helpers.abstract_steps(method, modalities)
    batch = helpers.tiny_batch(modalities=modalities)
    new, metrics = jax.eval_shape(plain, old, batch)
    assert jax.tree.structure(new) == jax.tree.structure(old)
    for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(old), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert metrics["loss"].dtype == np.float32


@pytest.mark.parametrize("name", methods.names())
def test_what_is_masked_has_no_say(name):
    """Not even in how the others are weighted; of rows, and of all of them."""
    method = methods.create(name, {})
    modalities = ("a", "b", "c") if method.allows(3) else ("a", "b")
    model = helpers.tiny_model(modalities, method.needs_fusion)
    state = training.create_state(model, method, optax.identity(), seed=0)
    head = jax.jit(
        heads.bind_head(model, method, state.variables),
        compiler_options=helpers.QUICKLY,
    )
    rng = np.random.default_rng(0)
    found, other = (
        {m: rng.normal(size=(4, 5)).astype(np.float32) for m in modalities}
        for _ in range(2)
    )
    of_all = shapley.coalitions(len(modalities))[1:].astype(np.float32)
    for mask in (*of_all, of_all[[0, 1, -1, -2]]):
        changed = {
            m: np.where(np.atleast_2d(mask)[:, k, None] > 0, x, other[m])
            for k, (m, x) in enumerate(found.items())
        }
        np.testing.assert_array_equal(head(found, mask), head(changed, mask))


@pytest.mark.parametrize("name", JOINT)
def test_weights_of_0_are_joint_to_the_last_bit(name):
    results = []
    for method in (methods.create(name, JOINT[name]), create("joint")):
        params, of = helpers.loss(method)
        results.append(jax.value_and_grad(lambda p, of=of: of(p)[0])(params))
    jax.tree.map(np.testing.assert_array_equal, *results)


def test_runs_side_by_side_are_the_single_runs():
    state, plain, mapped = steps("arm")
    states = [state.replace(key=jax.random.key(seed)) for seed in range(2)]
    batches = [
        [
            helpers.tiny_batch(seed=10 * seed + k, modalities=MODALITIES)
            for k in range(3)
        ]
        for seed in range(2)
    ]
    singles = []
    for single, of_run in zip(states, batches, strict=True):
        for batch in of_run:
            single, _ = plain(single, batch)
        singles.append(single)
    both = parallel.replicate(jax.tree.map(lambda *x: jnp.stack(x), *states))
    step = parallel.update(mapped)
    for pair in zip(*batches, strict=True):
        stacked = jax.tree.map(lambda *x: np.stack(x), *pair)
        both, metrics = step((), both, parallel.split(stacked, axis=1))
        jax.block_until_ready(metrics)
    for seed, single in enumerate(singles):
        for a, b in zip(
            jax.tree.leaves(single.variables),
            jax.tree.leaves(both.variables),
            strict=True,
        ):
            np.testing.assert_allclose(b[seed], a, atol=1e-6)


ADDITIVE = (
    "mmcosine", "modality_valuation", "sample_valuation", "tcmax", "unimodal"
)  # fmt: skip


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
        message = rf"^config method\.options\.{key} must be (of type|a tuple)"
        with pytest.raises(InputError, match=message):
            methods.create(name, {key: wrong})


def test_dotted_path_is_a_users_own_loss():
    own = methods.create("tests.arm_jax.methods.own_loss", {"focus": 0.0})
    joint = methods.create("joint", {})
    forward = helpers.bare_forward({"a": [[0.0, 1.0]], "b": [[2.0, 0.5]]})
    batch = helpers.bare_batch([1])
    values = [m.loss(forward, batch)[0] for m in (own, joint)]
    np.testing.assert_allclose(*values, rtol=1e-6)


def test_unknown_module():
    with pytest.raises(InputError, match=r"no module 'my\.loss'"):
        methods.create("my.loss", {})


def test_module_without_a_loss():
    with pytest.raises(InputError, match="has no function `loss`"):
        methods.create("arm_jax.workdir", {})
