import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.mbsd import distillation
from tests.arm_jax import helpers

# The first example: a is right and leads. The second: neither is right.
A = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 3.0]])
B = np.array([[1.0, 1.5, 0.0], [0.0, 2.0, 1.0]])
LABEL = np.array([0, 0])


def probabilities(x):
    return np.exp(x) / np.exp(x).sum(1, keepdims=True)


def by_hand(released=False):
    p, q = probabilities(A)[0], probabilities(B)[0]
    divergence = (p * np.log(p / q)).sum()
    if released:
        divergence = q[0] * (np.log(q[0]) - p[0])
    squares = ((A[0] - B[0]) ** 2).mean()
    return (p[0] - q[0]) * (divergence + squares)


@pytest.mark.parametrize("released", [False, True])
def test_distillation_by_hand(released):
    expected = [by_hand(released), 0]
    for x, y in ((A, B), (B, A)):
        x, y = jnp.asarray(x), jnp.asarray(y)
        found = distillation(x, y, LABEL, released)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_stronger_is_a_fixed_teacher():
    def value(a, b, released):
        return distillation(a, b, LABEL, released).sum()

    a, b = jnp.asarray(A), jnp.asarray(B)
    p, q = probabilities(A)[0], probabilities(B)[0]
    weight, gap = p[0] - q[0], 2 * (A[0] - B[0]) / 3
    teacher, pupil = jax.grad(value, argnums=(0, 1))(a, b, False)
    np.testing.assert_allclose(teacher[0], weight * gap, atol=1e-6)
    np.testing.assert_allclose(pupil[0], weight * (q - p - gap), atol=1e-6)
    # In the released code it moves, and so does the weight.
    teacher, _ = jax.grad(value, argnums=(0, 1))(a, b, True)
    assert np.abs(teacher[0] - weight * gap).max() > 0.1


def test_loss_is_over_pairs_of_what_is_there():
    features = {"a": A, "b": B, "c": A}
    forward = helpers.bare_forward(features)
    batch = helpers.bare_batch(LABEL, 3)
    batch["mask"][0, 2] = 0
    forward = forward._replace(
        head=lambda f, mask, head=forward.head: head(
            f, jnp.atleast_2d(mask) * batch["mask"]
        )
    )
    value, metrics = methods.create(
        "mbsd", {"unimodal": 0.5, "distillation": 2.0}
    ).loss(forward, batch)
    # Of three pairs the first example has one, and the second counts in none.
    np.testing.assert_allclose(
        metrics["distillation"], by_hand() / 2 / 3, rtol=1e-5
    )
    uniform, _ = methods.create("uniform", {"unimodal": 0.5}).loss(
        forward, batch
    )
    np.testing.assert_allclose(value, uniform + by_hand() / 3, rtol=1e-5)


@pytest.mark.parametrize("name", ["unimodal", "distillation"])
def test_bad_options(name):
    with pytest.raises(InputError, match=rf"method\.options\.{name} must be"):
        methods.create("mbsd", {name: -1.0})
