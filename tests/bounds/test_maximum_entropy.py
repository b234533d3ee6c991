import jax.numpy as jnp
import numpy as np
import pytest

import bounds
from bounds import _maxent
from tests.bounds import synergy_helpers as helpers

SHAPE = (5, 5, 3)


@pytest.fixture(scope="module")
def dense():
    p = helpers.random_tables(np.random.default_rng(1), SHAPE, 8)
    return p, bounds.maxent(*helpers.marginals(p))


def test_golden_least_synergy():
    tables, values = helpers.golden_tables(SHAPE)
    p = bounds.stack_tables([*tables, np.ones(SHAPE) / np.prod(SHAPE)])[:-1]
    out = bounds.maxent(*helpers.marginals(p))
    known = helpers.entropy(p.sum(-1)[..., None])
    known += helpers.entropy(p.sum((1, 2))[:, None, None])
    # S = H(X1,X2) + H(Y) - T_min - H(joint), T_min from the golden PID.
    t_min = values["ref"][:, :3].sum(1)
    np.testing.assert_allclose(
        known - out.bound - t_min, values["S_lower_exact"], atol=1e-6
    )
    assert out.gap.max() < 1e-8
    assert (out.status == bounds.Status.CONVERGED).all()


def test_joint_fits_and_proves_the_bound(dense):
    p, out = dense
    for a, b in zip(
        helpers.marginals(out.joint), helpers.marginals(p), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-13)
    np.testing.assert_allclose(helpers.entropy(out.joint), out.entropy)
    assert (out.bound >= helpers.entropy(p)).all()
    assert ((out.gap > 0) & (out.gap < 1e-8)).all()


def test_equals_iterative_proportional_fitting(dense):
    p, out = dense
    r = np.full_like(p, 1 / p[0].size)
    for _ in range(300):
        for axis, target in zip((3, 2, 1), helpers.marginals(p), strict=True):
            factor = target / r.sum(axis)
            r = r * np.expand_dims(factor, axis)
    np.testing.assert_allclose(out.joint, r, atol=1e-6)


@pytest.mark.parametrize("noise", [0.0, 1e-12, 1e-6])
def test_zeros_that_no_marginal_forces(noise):
    # AND: the joint is unique although every marginal is positive somewhere.
    p = np.zeros((2, 2, 2))
    p[[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]] = 0.25
    p = (1 - noise) * p + noise / 8
    out = bounds.maxent(*helpers.marginals(p))
    assert out.status == bounds.Status.CONVERGED
    assert out.gap < 1e-8
    assert out.entropy == pytest.approx(
        helpers.entropy(p), abs=30 * noise + 1e-8
    )


def test_any_dual_point_is_a_certificate(rng):
    for p in helpers.random_tables(rng, (2, 3, 4), 20, 0.3):
        p12, p1y, p2y = helpers.marginals(p)
        b, c = 3 * rng.normal(size=p1y.shape), 3 * rng.normal(size=p2y.shape)
        arrays = (jnp.asarray(x, jnp.float32) for x in (p12, p1y, p2y, b, c))
        bound = float(_maxent.certificate(*arrays)) / np.log(2)
        conditional = helpers.entropy(p) - helpers.entropy(p12[..., None])
        assert bound >= conditional - 1e-5


def test_vmap_is_loop_and_padding_is_free(dense):
    p, out = dense
    for i in (0, 5):
        one = bounds.maxent(*helpers.marginals(p[i]))
        np.testing.assert_allclose(one.joint, out.joint[i], atol=1e-12)
    small = helpers.random_tables(np.random.default_rng(2), (2, 2, 2), 4)
    padded = np.zeros((4, *SHAPE))
    padded[:, :2, :2, :2] = small
    a = bounds.maxent(*helpers.marginals(small))
    b = bounds.maxent(*helpers.marginals(padded))
    np.testing.assert_allclose(a.entropy, b.entropy, atol=1e-8)
