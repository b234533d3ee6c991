"""JAX's own debugging switches find nothing in results that are right.

Strict promotion of ranks and dtypes is on in all tests here, see conftest.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bounds
from bounds import (
    _branch,
    _broja,
    _interpreter,
    _maxent,
    _slices,
    coupling,
    information,
)
from tests.bounds import synergy_helpers as helpers

SHAPE = (3, 3, 2)


@pytest.fixture(autouse=True)
def _switches():
    with jax.debug_nans(True), jax.debug_infs(True):
        yield


@pytest.fixture(scope="module")
def tables():
    """Enough to be compiled; with zeros, one deterministic, one a point."""
    p = helpers.random_tables(np.random.default_rng(0), SHAPE, 16, 0.3)
    p[0] = 0
    p[0, 0, 0, 0] = 1
    p[1] = 0
    p[1, [0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]] = 0.25
    return p


def first_state(p1y, p2y):
    return _broja.start(_broja.prepare(p1y, p2y, 1e-9))


def all_finite(out):
    return all(np.isfinite(x).all() for x in jax.tree.leaves(out))


def synergy(p):
    return bounds.pid(p).synergy.sum()


def joint(p):
    return information.mutual_information(p.sum(-2)).sum()


@pytest.mark.parametrize(
    "function",
    [
        jax.jit(bounds.pid),
        jax.vmap(bounds.pid),
        jax.grad(synergy),
        jax.grad(joint),
        jax.jit(information.conditional_mutual_information),
    ],
)
def test_transformations(function, tables):
    out = function(jnp.asarray(tables, jnp.float32))
    assert all_finite(out)


def test_decomposition_of_marginals(tables):
    _, p1y, p2y = helpers.marginals(tables)
    out = bounds.pid_from_marginals(p1y, p2y)
    assert np.isfinite(out.gap).all()
    out = bounds.pid(tables, max_steps=0)
    assert np.isfinite(out.gap).all()


def test_programs_give_finite_results(tables):
    """Of what JAX would look at, the results of compiled programs."""
    for table in tables[:3]:
        m = helpers.marginals(table)
        corners = _interpreter.run(_slices.widest, *m)
        target = np.array(0.1)
        for function, arrays, static in (
            (_maxent.core, m, {"tol": 1e-9, "max_steps": 9}),
            (_slices.chord_bound, m, {}),
            (_slices.envelope_bound, m, {}),
            (_slices.descend, (table, *m), {}),
            (_branch._bound_box, (*corners, *m, target), {}),
        ):
            assert all_finite(_interpreter.run(function, *arrays, **static))


def test_programs_that_find_nothing(tables):
    m = helpers.marginals(tables[2])
    entropy = _interpreter.run(_maxent.core, *m, tol=1e-9, max_steps=0).entropy
    assert entropy == pytest.approx(helpers.entropy(m[0][..., None]))
    state = _interpreter.run(
        _broja.minimize, *m[1:], np.array(1e-9), max_steps=0
    )
    assert all_finite(state)
    state = _interpreter.run(first_state, *m[1:])
    assert 0 < _broja.gap_nats(state) <= np.log(2)
    # No joint has these marginals, and no joint is in this box.
    equal, start = np.eye(2) / 2, np.full((2, 2, 2), 1 / 8)
    triple = (equal, equal, equal[::-1])
    value = _interpreter.run(_slices.descend, start, *triple)[1]
    assert value == pytest.approx(np.log(8))
    box = np.ones(SHAPE), np.zeros(SHAPE)
    out = _interpreter.run(_branch._bound_box, *box, *m, np.array(0.1))
    assert all_finite(out)
    assert out[0] == pytest.approx(np.log(18))


def test_couplings_and_accuracy(tables):
    p1, p2, p_y = (tables.sum(axes) for axes in ((2, 3), (1, 3), (1, 2)))
    assert np.isfinite(coupling.greedy(p1, p2).entropy).all()
    assert np.isfinite(coupling.majorization(p1, p2)).all()
    assert np.isfinite(bounds.accuracy_interval(np.zeros(16), p_y).upper).all()
