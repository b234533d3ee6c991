import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods import mla
from tests.arm_jax import helpers


@pytest.mark.parametrize("turn", [0, 1])
def test_each_turn_trains_one_modality(turn):
    method = methods.create("mla", {})
    assert method.turns(2) == 2
    params, of = helpers.loss(method, turn=turn)
    gradient = helpers.blocks(jax.jit(jax.grad(lambda p: of(p)[0]))(params))
    size = [
        max(jnp.abs(g).max() for g in jax.tree.leaves(gradient[block]))
        for block in ("encoders/a", "encoders/b", "head/classifier")
    ]
    assert size[turn] > 1e-3
    assert size[1 - turn] == 0
    assert size[2] > 1e-3


def test_loss_by_hand():
    features = {"a": [[7.0, 0.0], [0.0, 7.0]], "b": [[1.0, 0.0], [3.0, 0.0]]}
    batch = helpers.bare_batch([0, 1])
    batch["mask"][1, 1] = 0
    forward = helpers.bare_forward(features, turn=1)
    value, _, mean = methods.create("mla", {}).loss(forward, batch)
    np.testing.assert_allclose(value, np.log1p(np.exp(-1)) / 2, rtol=1e-6)
    # What the projection is made of.
    np.testing.assert_allclose(mean, [2, 0])


def test_entropy_weights_by_hand():
    # Entropies 0 and log 3 in the first sample, swapped in the second.
    sure, unsure = np.array([100.0, 0, 0]), np.ones(3)
    features = {
        "a": jnp.asarray([sure, unsure]),
        "b": jnp.asarray([unsure, sure]),
    }
    head = helpers.bare_forward(features).head
    fuse = lambda mask: mla.fuse_by_entropy(head, features, mask)
    expected = 0.75 * sure + 0.25 * unsure
    np.testing.assert_allclose(fuse(jnp.ones(2)), [expected] * 2, rtol=1e-6)
    np.testing.assert_allclose(fuse(jnp.array([1.0, 0])), features["a"])
    by_sample = jnp.array([[1.0, 1], [0, 1]])
    np.testing.assert_allclose(fuse(by_sample), [expected, sure], rtol=1e-6)
    np.testing.assert_allclose(fuse(jnp.zeros(2)), np.zeros((2, 3)))


def step(memory, feature, kernel, damping=0.1):
    layer = {"kernel": jnp.asarray(kernel), "bias": jnp.ones(1)}
    seen = helpers.step(
        loss={"head": {"classifier": layer}},
        memory=memory,
        carry=jnp.asarray(feature),
    )
    method = methods.create("mla", {"damping": damping})
    layer = method.combine(seen)["head"]["classifier"]
    np.testing.assert_array_equal(layer["bias"], [1])
    return layer["kernel"], method.remember(seen)


def test_projection_by_hand():
    memory = {"projection": jnp.eye(2)}
    kernel = np.array([[2.0], [3.0]])
    # Nothing came before the first turn.
    found, memory = step(memory, [1.0, 0.0], kernel)
    np.testing.assert_allclose(found, kernel)
    # P = diag(1 - 1 / 1.1, 1) up to its norm.
    p = np.diag([1 - 1 / 1.1, 1.0])
    p /= np.linalg.norm(p)
    np.testing.assert_allclose(memory["projection"], p, rtol=1e-5)
    found, _ = step(memory, [0.0, 1.0], kernel)
    np.testing.assert_allclose(found, p @ kernel, rtol=1e-5)


def test_projected_gradient_leaves_earlier_features_alone(rng):
    memory = {"projection": jnp.eye(5)}
    seen = rng.normal(size=(2, 5)).astype(np.float32)
    for feature in seen:
        _, memory = step(memory, feature, np.ones((5, 3)), damping=1e-6)
    gradient = rng.normal(size=(5, 3)).astype(np.float32)
    found, _ = step(memory, seen[0], gradient)
    np.testing.assert_allclose(seen @ found, np.zeros((2, 3)), atol=1e-4)
    assert jnp.abs(found).max() > 0.1


def test_projection_is_a_switch():
    options = {"projection": False, "weights": "average"}
    method = methods.create("mla", options)
    assert method.init(helpers.context(), jax.random.key(0)) == ()
    seen = helpers.step(loss={"head": jnp.ones(2)}, carry=jnp.ones(5))
    assert method.combine(seen) is seen.gradients["loss"]
    assert method.remember(seen) == ()
    head = helpers.bare_forward({"a": [[0.0]]}).head
    features = {"a": jnp.ones((1, 1)), "b": jnp.full((1, 1), 2.0)}
    assert method.fuse(head, features, jnp.ones(2), (), ()) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "max"}, "weights must be one of .* got 'max'"),
        ({"damping": 0.0}, "damping must be above 0, got 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        methods.create("mla", options)


def test_features_are_averaged_once_a_step_and_not_once_a_turn():
    method = methods.create("mla", {})
    state, plain, _ = helpers.steps(method, learning_rate=0.0)
    batch = helpers.tiny_batch()
    model = helpers.tiny_model(fusion=method.needs_fusion)
    features = helpers.encode(model, state.variables.params, batch["inputs"])
    state, _ = plain(state, batch)
    for name, feature in features.items():
        np.testing.assert_allclose(
            state.variables.state["means"][name],
            0.01 * feature.mean(axis=0),
            rtol=1e-4,
        )
