import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.cggm import coefficients, cosine
from tests.arm_jax import helpers


@pytest.mark.parametrize(
    ("changes", "bound", "expected"),
    [
        ((0.3, 0.1), 0.0, (0.25, 0.75)),
        ((0.2, 0.1, 0.1), 0.0, (0.5, 0.75, 0.75)),
        # One gets worse: the other's factor is above 1, its own negative.
        ((0.3, -0.1), 0.0, (-0.5, 1.5)),
        ((0.3, -0.1), 1.2, (-0.5, 1.2)),
        # No change in all: as if all had changed alike.
        ((0.25, -0.25), 0.0, (0.5, 0.5)),
        ((0.0, 0.0, 0.0), 0.0, (2 / 3, 2 / 3, 2 / 3)),
    ],
)
def test_coefficients_by_hand(changes, bound, expected):
    found = coefficients(jnp.asarray(changes), bound)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_cosine():
    a, b = jnp.array([[3.0, 0.0]]), jnp.array([[4.0, 3.0]])
    np.testing.assert_allclose(cosine(a, b), 0.8, rtol=1e-6)
    assert cosine(a, 0 * b) == 0


# Accuracies in the batch before.
BEFORE = jnp.array([0.25, 0.0])


@pytest.fixture(scope="module")
def computed():
    """Gradients of `cggm` without directions, of `joint`, and the metrics."""
    method = methods.create("cggm", {"direction": 0.0})
    params, of = helpers.loss(method, memory=BEFORE)
    _, plain = helpers.loss(methods.create("joint", {}))
    gradient = jax.grad(of, has_aux=True)
    return (
        *jax.jit(gradient)(params),
        jax.jit(jax.grad(lambda p: plain(p)[0]))(params),
        params,
    )


def test_encoders_have_the_factors_and_classifiers_leave_features_alone(
    computed,
):
    found, metrics, plain, _ = computed
    factors = [metrics[f"coefficient_{name}"] for name in "ab"]
    assert factors[0] != factors[1]
    for m, name in enumerate("ab"):
        jax.tree.map(
            lambda x, y, m=m: np.testing.assert_allclose(
                x, 1.3 * factors[m] * y, rtol=1e-4, atol=1e-6
            ),
            found["encoders"][name],
            plain["encoders"][name],
        )
        assert np.any(found["method"][name]["kernel"])
    jax.tree.map(np.testing.assert_array_equal, found["head"], plain["head"])


def test_direction_is_that_of_gradients(computed):
    _, metrics, plain, params = computed
    method = methods.create("cggm", {"direction": 0.7})
    _, of = helpers.loss(method, memory=BEFORE)
    gradient = jax.jit(jax.grad(of, has_aux=True))
    moved, metrics_of_direction = gradient(params)
    # From gradients with respect to weights, by JAX.
    side = computed[0]["method"]
    apart = 0.0
    for name in "ab":
        u = side[name]["kernel"].ravel()
        g = plain["head"][f"classifiers_{name}"]["kernel"].ravel()
        c = metrics[f"coefficient_{name}"]
        cos = u @ g / np.linalg.norm(u) / np.linalg.norm(g)
        apart += (abs(c) - c * cos) / 2
    np.testing.assert_allclose(metrics_of_direction["apart"], apart, rtol=1e-4)
    # It moves the model, and no classifier.
    for name in "ab":
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, atol=1e-7),
            moved["method"][name],
            side[name],
        )
    change = moved["head"]["classifiers_a"]["kernel"]
    change -= plain["head"]["classifiers_a"]["kernel"]
    assert np.abs(change).max() > 1e-3


def test_memory_is_the_accuracies():
    method = methods.create("cggm", {})
    context = helpers.context()
    memory = method.init(context, None)
    np.testing.assert_array_equal(memory, [0, 0])
    forward = helpers.bare_forward(
        {"a": np.eye(2)[[0, 1, 1, 1]], "b": np.eye(2)[[0, 1, 0, 0]]},
        memory=memory,
    )
    one = {"kernel": jnp.eye(2), "bias": jnp.zeros(2)}
    forward = forward._replace(parameters={"a": one, "b": one})
    batch = helpers.bare_batch([0, 1, 0, 1])
    batch["mask"][3, 1] = 0
    _, metrics, carry = method.loss(forward, batch)
    np.testing.assert_allclose(carry, [3 / 4, 1.0])
    np.testing.assert_allclose(metrics["coefficient_a"], 1 / 1.75, rtol=1e-6)
    step = helpers.step(memory=memory, carry=carry)
    np.testing.assert_array_equal(method.remember(step), carry)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rho": 0.0}, "rho must be above 0, got 0"),
        ({"direction": -1.0}, "direction must be at least 0"),
        ({"bound": -1.0}, "bound must be at least 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"config method\.options\.{message}"):
        methods.create("cggm", options)
