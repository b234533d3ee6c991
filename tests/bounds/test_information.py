import math

import jax
import numpy as np
import pytest

from bounds import information


def table(rng, *shape, zeros=0.3):
    p = rng.dirichlet(np.ones(math.prod(shape))).reshape(shape)
    p[rng.random(shape) < zeros] = 0
    return p / p.sum()


def loop_entropy(p):
    return -sum(x * math.log2(x) for x in np.ravel(p) if x > 0)


def test_against_sums_of_entropies(rng):
    p = table(rng, 4, 3, 2)
    h = loop_entropy
    p1, p2, py = p.sum((1, 2)), p.sum((0, 2)), p.sum((0, 1))
    p12, p1y, p2y = p.sum(2), p.sum(1), p.sum(0)
    mutual = h(p1) + h(py) - h(p1y)
    pairs = [
        (information.entropy(p, event_rank=3), h(p)),
        (information.entropy(py), h(py)),
        (information.conditional_entropy(p1y), h(p1y) - h(p1)),
        (information.mutual_information(p1y), mutual),
        (
            information.conditional_mutual_information(p),
            h(p1y) + h(p2y) - h(p) - h(py),
        ),
        (
            information.conditional_mutual_information(p, given=-2),
            h(p12) + h(p2y) - h(p) - h(p2),
        ),
        (
            information.conditional_mutual_information(p, given=-3),
            h(p12) + h(p1y) - h(p) - h(p1),
        ),
        (
            information.co_information(p),
            mutual + h(p2) + h(py) - h(p2y) - (h(p12) + h(py) - h(p)),
        ),
    ]
    for got, want in pairs:
        assert got == pytest.approx(want, abs=1e-12)
        assert got.dtype == np.float64


def test_closed_forms():
    xor = np.zeros((2, 2, 2))
    for a, b in np.ndindex(2, 2):
        xor[a, b, a ^ b] = 1 / 4
    assert information.co_information(xor) == pytest.approx(-1)
    assert information.mutual_information(xor.sum(0)) == pytest.approx(0)
    assert information.entropy(np.full(8, 1 / 8)) == pytest.approx(3)
    assert information.entropy([1.0, 0.0]) == 0


def test_units_and_batch(rng):
    p = np.stack([[table(rng, 3, 2) for _ in range(4)] for _ in range(2)])
    bits = information.mutual_information(p)
    assert bits.shape == (2, 4)
    nats = information.mutual_information(p, base=math.e)
    np.testing.assert_allclose(nats, bits * math.log(2), atol=1e-15)
    assert bits[1, 2] == pytest.approx(
        float(information.mutual_information(p[1, 2])), abs=1e-15
    )


def test_tiny_masses_do_not_underflow():
    p = np.array([[1 - 1e-200, 0], [0, 1e-200]])
    assert 0 <= information.mutual_information(p) < 1e-190
    assert np.isfinite(information.conditional_entropy(p))


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (information.entropy, (6,)),
        (information.conditional_entropy, (3, 2)),
        (information.mutual_information, (3, 2)),
        (information.conditional_mutual_information, (2, 3, 2)),
        (information.co_information, (2, 3, 2)),
    ],
)
def test_gradients_are_finite_at_zeros_and_right_on_the_support(
    rng, function, shape
):
    p = table(rng, *shape)
    direction = np.where(p > 0, rng.normal(size=shape), 0)
    direction -= p * direction.sum()
    with jax.enable_x64(True):
        gradient = np.asarray(jax.grad(function)(p))
        jitted = np.asarray(jax.jit(function)(p))
    assert np.isfinite(gradient).all()
    eps = 1e-6
    difference = function(p + eps * direction) - function(p - eps * direction)
    np.testing.assert_allclose(
        np.sum(gradient * direction), difference / (2 * eps), rtol=1e-6
    )
    np.testing.assert_allclose(jitted, function(p), atol=1e-14)


def test_rounding_below_zero_is_taken_away_but_not_its_derivative():
    value, slope = jax.value_and_grad(information.nonnegative)(-1e-9)
    assert (value, slope) == (0, 1)
    for x in (-1e-9, -0.0, 0.0):
        assert not np.signbit(information.nonnegative(x))
    assert information.nonnegative(1e-9) == np.float32(1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: information.entropy([0.5, 0.6]), r"p sums to 1\.1"),
        (
            lambda: information.mutual_information([[1.5, -0.5]]),
            r"p\[0, 1\] is negative",
        ),
        (lambda: information.entropy([1.0], base=1), "base must be"),
        (
            lambda: information.conditional_mutual_information(
                np.ones((1, 1, 1)), given=0
            ),
            "given must be",
        ),
        (
            lambda: information.co_information(np.ones((1, 1))),
            "at least 3 axes",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
