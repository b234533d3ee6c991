import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.inforeg import leads, trace_of, window_is_open
from tests.arm_jax import helpers


def test_leads_by_hand():
    found = leads(jnp.array([0.6, 0.3, 0.1]))
    np.testing.assert_allclose(found, [0.4, -0.05, -0.35], atol=1e-6)
    np.testing.assert_allclose(leads(jnp.array([0.6, 0.2])), [0.4, -0.4])
    assert leads(jnp.array([0.7])) == 0


def test_trace_by_hand():
    gradients = {
        "first": {"kernel": jnp.array([[1.0, 3.0]]), "bias": jnp.ones(2)},
        "second": {"kernel": 2 * jnp.ones((2, 2))},
    }
    assert trace_of(gradients) == 5 + 4
    assert trace_of({}) == 0


def test_window_by_hand():
    # Ever the same: the rise in epoch t is 1 / t of the sum, up to ten.
    for epochs, expected in ((1, True), (5, True), (10, True), (11, False)):
        traces = np.zeros((11, 1))
        traces[-epochs:] = 3.0
        assert window_is_open(traces, 0.05) == expected
    assert window_is_open(traces, 0.0) == [False]
    # A tenth of the last sum, 11, is new.
    traces = np.ones((11, 2))
    traces[-1] = [2.0, 1.5]
    np.testing.assert_array_equal(window_is_open(traces, 0.08), [True, False])
    # No gradients, no window.
    assert not window_is_open(np.zeros((11, 1)), 0.0)


FEATURES = {"a": [[2.0, 0.0], [0.0, 1.0]], "b": [[0.5, 0.0], [0.0, 0.0]]}


def pulls(options, is_open=(1.0, 1.0), features=FEATURES):
    forward = helpers.bare_forward(
        features, memory={"open": jnp.asarray(is_open)}
    )
    method = methods.create("inforeg", options)
    return method.loss(forward, helpers.bare_batch([0, 1]))[2]


def test_pull_by_hand():
    p = lambda x: 1 / (1 + np.exp(-x))
    lead = (p(2) + p(1)) / 2 - (p(0.5) + 0.5) / 2
    pull = 0.8 * np.exp(np.tanh(lead))
    np.testing.assert_allclose(pulls({"beta": 0.8}), [pull, 0], rtol=1e-5)
    np.testing.assert_allclose(pulls({}, (0.0, 1.0)), [0, 0])
    swapped = {"a": FEATURES["b"], "b": FEATURES["a"]}
    found = pulls({"beta": 0.8}, features=swapped)
    np.testing.assert_allclose(found, [0, pull], rtol=1e-5)
    # Released: of a batch of two, and of the first modality alone.
    pull = 0.8 * np.exp(np.tanh(2 * lead))
    options = {"beta": 0.8, "released": True}
    np.testing.assert_allclose(pulls(options), [pull, 0], rtol=1e-5)
    np.testing.assert_allclose(pulls(options, features=swapped), [0, 0])


def test_loss_is_that_of_uniform():
    forward = helpers.bare_forward(FEATURES, memory={"open": jnp.ones(2)})
    batch = helpers.bare_batch([0, 1])
    method, uniform = (
        methods.create(name, {"unimodal": 0.5})
        for name in ("inforeg", "uniform")
    )
    assert method.loss(forward, batch)[0] == uniform.loss(forward, batch)[0]


def tree(a, b):
    return {
        "a": {"kernel": np.full((1, 2), a), "bias": np.full(2, a)},
        "b": {"kernel": np.full((1, 2), b), "bias": np.full(2, b)},
    }


def test_gradients_and_traces_by_hand():
    method = methods.create("inforeg", {})
    step = helpers.step(
        loss={"encoders": tree(1.0, 2.0), "head": 5.0},
        params={"encoders": tree(0.5, 0.25)},
        memory={"start": tree(0.1, 0.3), "trace": jnp.array([1.0, 0.0])},
        carry=jnp.array([2.0, 0.0]),
    )
    found = method.combine(step)
    assert found["head"] == 5
    for name, expected in (("a", 1 + 2 * 0.4), ("b", 2.0)):
        for leaf in found["encoders"][name].values():
            np.testing.assert_allclose(leaf, expected, rtol=1e-6)
    memory = method.remember(step)
    np.testing.assert_allclose(memory["trace"], [2, 4])
    off = methods.create("inforeg", {"beta": 0.0})
    assert off.combine(step) is step.gradients["loss"]


@pytest.mark.parametrize("released", [False, True])
def test_epoch_by_hand(released):
    method = methods.create("inforeg", {"released": released, "window": 0.2})
    traces = np.arange(22, dtype=np.float32).reshape(11, 2)
    memory = {
        "start": tree(0.0, 0.0),
        "trace": np.array([100.0, 1.0], np.float32),
        "traces": traces,
        "open": np.array([0.0, 1.0], np.float32),
    }
    none = methods.Survey({"a": None, "b": None}, None, np.array([1]), None)
    for number in (0, 1):
        epoch = helpers.EpochByHand(
            {"train": none},
            number=number,
            memory=memory,
            params={"encoders": tree(1.0, 2.0)},
        )
        assert method.begin_epoch(epoch) is None
        np.testing.assert_array_equal(
            epoch.variables.memory["start"]["b"]["bias"], 2.0
        )
        if number == 0:
            for name in ("trace", "traces", "open"):
                assert epoch.variables.memory[name] is memory[name]
    new = epoch.variables.memory
    np.testing.assert_array_equal(new["trace"], 0)
    np.testing.assert_array_equal(new["traces"][:-1], traces[1:])
    np.testing.assert_array_equal(new["traces"][-1], [100, 1])
    assert new["open"].dtype == np.float32
    np.testing.assert_array_equal(new["open"], [1, float(released)])


@pytest.mark.parametrize("name", ["beta", "window", "unimodal"])
def test_bad_options(name):
    with pytest.raises(InputError, match=rf"method\.options\.{name} must be"):
        methods.create("inforeg", {name: -1.0})
