import numpy as np
import pytest
import scipy.optimize

import bounds
from bounds import synergy_upper
from tests.bounds import synergy_helpers as helpers

SHAPE = (3, 3, 2)


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(4)
    return np.concatenate(
        [helpers.random_tables(rng, SHAPE, 4, a) for a in (1, 0.3)]
    )


@pytest.fixture(scope="module")
def largest(tables):
    """The largest synergy, by going through all vertices."""
    p12, p1y, p2y = helpers.marginals(tables)
    pid = bounds.pid_from_marginals(p1y, p2y)
    t_min = pid.redundancy + pid.unique1 + pid.unique2
    known = helpers.entropy(p12[..., None])
    known += helpers.entropy(p1y.sum(1)[:, None, None])
    least = np.array([helpers.least_entropy(p) for p in tables])
    return known - t_min - least


def test_branch_and_bound_equals_all_vertices(tables, largest):
    out = synergy_upper.exact(*helpers.marginals(tables), seconds=60, tol=1e-6)
    assert (out.upper >= largest - 1e-9).all()
    np.testing.assert_allclose(out.upper, largest, atol=2e-6)
    np.testing.assert_allclose(out.achieved, largest, atol=2e-6)
    for a, b in zip(
        helpers.marginals(out.joint), helpers.marginals(tables), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_every_bound_is_above_the_largest(tables, largest):
    m = helpers.marginals(tables)
    names = ("majorization", "released", "conditional", "chord", "envelope")
    values = {n: getattr(synergy_upper, n)(*m) for n in names}
    for value in values.values():
        assert (value >= largest - 1e-9).all()
    assert (values["released"] <= values["majorization"] + 1e-9).all()
    assert (values["envelope"] <= values["chord"] + 1e-7).all()


def test_a_spent_budget_leaves_a_valid_bound(tables, largest):
    m = helpers.marginals(tables)
    few = synergy_upper.exact(*m, max_nodes=3, seconds=60)
    assert (few.upper >= largest - 1e-9).all()
    assert (few.upper <= synergy_upper.envelope(*m) + 1e-6).all()
    assert (few.achieved <= largest + 1e-9).all()


def test_chord_equals_another_solver(tables):
    m = helpers.marginals(tables)
    matrix = helpers.sums(SHAPE)
    pid = bounds.pid_from_marginals(*m[1:])
    t_min = pid.redundancy + pid.unique1 + pid.unique2
    values = synergy_upper.chord(*m)
    for p, value, t in zip(tables, values, t_min, strict=True):
        upper = np.minimum(p.sum(2)[..., None], p.sum(1)[:, None])
        upper = np.minimum(upper, p.sum(0)[None])
        least = scipy.optimize.linprog(
            -np.log2(upper.ravel()), A_eq=matrix, b_eq=matrix @ p.ravel()
        ).fun
        known = helpers.entropy(p.sum(2)[..., None])
        known += helpers.entropy(p.sum((0, 1))[None, None])
        assert value == pytest.approx(known - t - least, abs=1e-7)


def test_golden_two_by_two_by_two():
    p, values = helpers.golden_tables((2, 2, 2))
    full = (values["shape"] == 2).all(1)
    p = np.stack([t for t, ok in zip(p, full, strict=True) if ok])
    out = synergy_upper.exact(*helpers.marginals(p))
    wanted = values["S_upper_exact_222"][full]
    np.testing.assert_allclose(out.upper, wanted, atol=1e-9)
    assert (out.upper >= wanted - 1e-12).all()


def test_golden_released_upper():
    rows = helpers.golden("released_bounds.json")
    rows = [r for r in rows if r["shape"] == [2, 2, 2] and r["bounds"]["upper"]]
    p = np.array([r["P"] for r in rows])
    wanted = [r["bounds"]["upper"] for r in rows]
    np.testing.assert_allclose(
        synergy_upper.released(*helpers.marginals(p)), wanted, atol=1e-6
    )
