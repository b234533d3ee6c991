"""Alternating scaling: its certificate, closed forms, invariances, choice."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bounds
from bounds import Status, _certificate, _scaling, _solvers
from bounds.estimation._statistics import entropy

SHAPE = (4, 3, 5)
scaled = functools.partial(bounds.pid, solver="scaling")


def parts(out):
    return np.stack([out.redundancy, out.unique1, out.unique2, out.synergy], -1)


def gate(function, n=2):
    labels = 1 + max(function(a, b) for a, b in np.ndindex(n, n))
    p = np.zeros((n, n, labels))
    for a, b in np.ndindex(n, n):
        p[a, b, function(a, b)] = 1 / n**2
    return p


def redundant():
    p = np.zeros((2, 2, 2))
    p[0, 0, 0] = p[1, 1, 1] = 0.5
    return p


AND = 2 - 0.75 * np.log2(3) - 0.5
CLOSED = {
    "xor": (gate(lambda a, b: a ^ b), [0, 0, 0, 1]),
    "and": (gate(lambda a, b: a & b), [AND, 0, 0, 0.5]),
    "copy": (gate(lambda a, b: 2 * a + b), [0, 1, 1, 0]),
    "unique": (gate(lambda a, b: a), [0, 1, 0, 0]),
    "redundant": (redundant(), [1, 0, 0, 0]),
    "sum of three": (gate(lambda a, b: (a + b) % 3, 3), [0, 0, 0, np.log2(3)]),
}


@functools.cache
def tables():
    """Dense, sparse and deterministic tables, with zero rows, all `SHAPE`."""
    rng = np.random.default_rng(0)
    dense = rng.dirichlet(np.full(np.prod(SHAPE), 0.5), 6)
    counts = rng.multinomial(40, dense[0], 4) / 40
    p = np.concatenate([dense, counts]).reshape(-1, *SHAPE)
    p[1, 2] = 0
    p[2, :, 1] = 0
    p[3, ..., 4] = 0
    label = np.arange(12).reshape(4, 3) % 5
    sure = np.eye(5)[label] * rng.random((4, 3, 1))
    return np.stack([t / t.sum() for t in [*p, sure]])


@functools.cache
def exact():
    return bounds.pid(tables(), solver="interior")


def test_agrees_with_the_interior_point_within_both_certificates():
    out = scaled(tables(), tol=1e-6)
    assert (out.status == Status.CONVERGED).all()
    assert (out.gap <= 1e-6).all()
    assert (parts(out) >= 0).all()
    error = np.abs(parts(out) - parts(exact()))
    assert (error <= (out.gap + exact().gap)[:, None] + 1e-14).all()
    np.testing.assert_allclose(parts(out).sum(-1), out.total, atol=2e-6)


@pytest.mark.parametrize("max_steps", [0, 1, 7, 40])
def test_both_bounds_hold_at_every_step(max_steps):
    p = tables()
    out = scaled(p, tol=1e-9, max_steps=max_steps)
    assert (out.steps <= max_steps).all()
    assert (out.status == Status.STEP_LIMIT).any()
    # The value is at a feasible table, so T_min is too large, by the gap.
    t_min = out.total - out.synergy
    true = exact().total - exact().synergy
    room = exact().gap + 1e-12
    assert (t_min >= true - room - 1e-9).all()
    assert (t_min - out.gap <= true + room).all()


def test_the_bound_from_below_is_feasible_for_the_dual():
    p = tables()[0]
    with jax.enable_x64(True):
        state = jax.device_get(
            jax.jit(_solvers.scale)(p.sum(1)[None], p.sum(0)[None], 1e-7, 50)
        )
    lam, mu = state.lam[0], state.mu[0]  # [y, x1], [y, x2]
    assert np.exp(lam[:, :, None] + mu[:, None]).sum(0).max() <= 1 + 1e-12
    dual = np.sum(lam.T * p.sum(1)) + np.sum(mu.T * p.sum(0))
    assert dual <= state.lower[0] + 1e-12
    assert state.lower[0] <= state.upper[0]


def test_closed_forms():
    p = bounds.stack_tables([p for p, _ in CLOSED.values()])
    out = scaled(p, tol=1e-6)
    error = np.abs(parts(out) - [v for _, v in CLOSED.values()])
    assert (error <= out.gap[:, None] + 1e-12).all()
    assert (out.gap <= 1e-6).all()


def test_padding_batches_and_swaps_change_nothing():
    p = tables()
    out = scaled(p, tol=1e-6)
    padded = np.zeros((len(p), 6, 6, 7))
    padded[:, 1:5, :3, 2:] = p
    wide = scaled(padded, tol=1e-6)
    # Not the same bits: sums have other orders.
    np.testing.assert_allclose(parts(wide), parts(out), atol=2e-6)
    swapped = scaled(padded.swapaxes(1, 2), tol=1e-6)
    np.testing.assert_allclose(swapped.unique1, out.unique2, atol=2e-6)
    alone = [scaled(t, tol=1e-6) for t in p[:2]]
    np.testing.assert_array_equal(parts(out)[:2], [parts(a) for a in alone])
    nested = scaled(p[:4].reshape(2, 2, *SHAPE), tol=1e-6)
    np.testing.assert_array_equal(nested.gap.ravel(), out.gap[:4])
    assert scaled(p[:0]).gap.shape == (0,)


def test_chunks_and_progress(capsys):
    p = tables()
    out = scaled(p, tol=1e-4)
    few = scaled(
        p, tol=1e-4, memory_limit=2**14, progress=True,
        devices=jax.local_devices(),
    )  # fmt: skip
    assert f"{len(p)}/{len(p)}" in capsys.readouterr().err
    np.testing.assert_array_equal(parts(few), parts(out))


def test_traced_as_at_the_entry():
    p = tables()
    want = scaled(p, tol=1e-6)
    traced = functools.partial(scaled, tol=1e-6)
    jitted = jax.jit(traced)(jnp.asarray(p, jnp.float32))
    assert jitted.gap.dtype == jnp.float32
    np.testing.assert_allclose(parts(jitted), parts(want), atol=2e-6)
    with jax.enable_x64(True):
        mapped = jax.vmap(traced)(jnp.asarray(p))
        np.testing.assert_allclose(parts(mapped), parts(want), atol=2e-6)
        bad = p[:2] * np.array([1, 2])[:, None, None, None]
        status = jax.jit(traced)(jnp.asarray(bad)).status
    assert status.tolist() == [Status.CONVERGED, Status.INVALID_INPUT]


def test_gradients_are_those_of_the_interior_point():
    p = np.random.default_rng(3).dirichlet(np.full(60, 5.0)).reshape(SHAPE)

    def jacobian(solver):
        def values(p):
            out = bounds.pid(p, tol=1e-10, solver=solver)
            return jnp.stack([out.redundancy, out.unique1, out.synergy])

        with jax.enable_x64(True):
            out = jax.jit(jax.jacrev(values))(jnp.asarray(p))
            return np.asarray(out)

    got, want = jacobian("scaling"), jacobian("interior")
    # A change of p that keeps its sum; others mean nothing.
    change = np.random.default_rng(4).normal(size=SHAPE) * p
    change -= p * change.sum()
    np.testing.assert_allclose(
        np.sum(got * change, (1, 2, 3)),
        np.sum(want * change, (1, 2, 3)),
        atol=1e-4,
    )


def test_float32_keeps_an_honest_gap():
    out = scaled(tables(), dtype=np.float32)
    assert out.gap.dtype == np.float32
    assert (out.gap <= 1e-2).all()
    error = np.abs(parts(out) - parts(exact())).max(-1)
    assert (error <= out.gap).all()


@pytest.mark.parametrize(("still", "most"), [(0.0, 200), (1e3, 16)])
def test_rough_steps_keep_the_proof(still, most):
    p = tables()
    with jax.enable_x64(True):
        state = jax.jit(
            lambda p1y, p2y: _solvers.scale(p1y, p2y, 1e-5, 200, rough=still)
        )(p.sum(2), p.sum(1))
        state = jax.device_get(state)
        gap = _scaling.gap_nats(state) / np.log(2)
    assert state.upper.dtype == np.float64
    assert (state.steps <= most).all()
    assert (state.steps > 0).any()
    minimum = state.upper / np.log(2) + entropy(p.sum((1, 2)))
    least = exact().total - exact().synergy
    assert (minimum >= least - exact().gap - 1e-14).all()
    assert (minimum - gap <= least + 1e-14).all()


def test_a_solution_starts_a_table_much_alike():
    p = tables()[0]
    other = 0.999 * p + 0.001 * tables()[4]
    with jax.enable_x64(True):
        solve = jax.jit(_solvers.scale)
        first = solve(p.sum(1)[None], p.sum(0)[None], 1e-7, 5000)
        start = _scaling.Start(first.log_m, first.b)
        marginals = other.sum(1)[None], other.sum(0)[None]
        cold = solve(*marginals, 1e-4, 5000)
        warm = solve(*marginals, 1e-4, 5000, start)
        assert warm.status[0] == cold.status[0] == Status.CONVERGED
        assert warm.steps[0] < cold.steps[0]
        np.testing.assert_allclose(warm.upper, cold.upper, atol=2e-4)


def test_what_scaling_leaves_goes_to_the_interior_point(monkeypatch):
    monkeypatch.setitem(_solvers._MAX_STEPS, "scaling", 2)
    p = np.random.default_rng(0).dirichlet(np.ones(4 * 4 * 16))
    p = p.reshape(1, 4, 4, 16)
    out = bounds.pid(p, tol=1e-4)
    assert (out.status == Status.CONVERGED).all()
    assert (out.gap <= 1e-4).all()
    # To the interior point's own tolerance, however large the table.
    monkeypatch.setattr(_solvers, "_FEW_ROWS", 0)
    fine = bounds.pid(np.repeat(p, 9, axis=0))
    assert (fine.status == Status.CONVERGED).all()
    assert (fine.gap <= 1e-9).all()
    named = bounds.pid(p, solver="interior")
    # Programs of other batches round otherwise on some processors.
    np.testing.assert_allclose(
        parts(fine)[:1], parts(named), rtol=0, atol=1e-12
    )
    np.testing.assert_array_equal(fine.steps[:1], named.steps)
    short = bounds.pid(p, tol=1e-4, solver="scaling")
    assert (short.status == Status.STEP_LIMIT).all()
    assert (np.abs(parts(short) - parts(out)).max(-1) <= short.gap + 1e-4).all()


def test_many_labels_are_scaled_to_the_finest_tolerance():
    p = np.random.default_rng(0).dirichlet(np.full(4 * 4 * 16, 0.3), 9)
    p = p.reshape(9, 4, 4, 16)
    out, interior = bounds.pid(p), bounds.pid(p, solver="interior")
    assert (out.steps > 40).all()
    assert (interior.steps < 40).all()
    assert (out.status == Status.CONVERGED).all()
    assert (out.gap <= 1e-9).all()
    apart = np.abs(parts(out) - parts(interior)).max(-1)
    assert (apart <= out.gap + interior.gap).all()
    # In a trace nothing can be tried.
    assert (jax.jit(bounds.pid)(p).steps < 40).all()
    # Nor where the steps are counted, or without a program.
    assert (bounds.pid(p, max_steps=3).steps == 3).all()
    assert (bounds.pid(p[:1]).steps < 40).all()


def test_the_choice():
    small, large = (4, 3), (64, 31)
    choose = _solvers.choose
    assert choose("auto", None, large, large) == "interior"
    assert choose("auto", 1e-7, large, large) == "interior"
    assert choose("auto", 1e-4, small, small) == "interior"
    assert choose("auto", 1e-4, large, large) == "scaling"
    assert choose("auto", 1e-6, large, large) == "scaling"
    # Few labels are the interior point's, unless its matrix would be huge.
    assert choose("auto", 1e-4, (64, 8), (64, 8)) == "scaling"
    assert choose("auto", 1e-6, (64, 8), (64, 8)) == "interior"
    assert choose("auto", 1e-4, (64, 2), (64, 2)) == "interior"
    assert choose("auto", 1e-4, (1024, 2), (1024, 2)) == "scaling"
    assert choose("interior", 1e-4, large, large) == "interior"
    assert choose("scaling", None, small, small) == "scaling"
    # Tried, where the interior point gets what is left.
    tried = functools.partial(choose, "auto", tries=True)
    assert tried(None, large, large) == tried(1e-9, large, large) == "scaling"
    assert tried(1e-10, large, large) == tried(None, small, small) == "interior"
    assert tried(None, (15, 15), (15, 15)) == "interior"  # few labels
    assert tried(None, (20, 16), (65, 16)) == "interior"  # many symbols
    assert tried(None, (64, 16), (65, 16)) == "scaling"  # a huge matrix
    p = np.random.default_rng(0).dirichlet(np.ones(8 * 8 * 31))
    p = p.reshape(8, 8, 31)
    out = bounds.pid_from_marginals(p.sum(1), p.sum(0), tol=1e-3)
    named = scaled(p, tol=1e-3)
    np.testing.assert_allclose(out.unique1, named.unique1, atol=1e-12)
    assert out.steps > 0
    for wrong in ("newton", None, 3):
        with pytest.raises(ValueError, match="solver must be one of auto"):
            bounds.pid(p, solver=wrong)


def test_the_proof_holds_where_scalings_would_leave_the_range_of_floats():
    # Cells over 200 orders of magnitude: labels in blocks that hardly touch.
    rng = np.random.default_rng(11)
    cells = 10.0 ** rng.uniform(-200, 0, (48, 8 * 9 * 16))[31]
    p = (cells / cells.sum()).reshape(8, 9, 16)
    exact = bounds.pid(p, solver="interior", tol=1e-6)
    out = bounds.pid(p, solver="scaling", tol=1e-3, dtype=np.float32)
    assert abs(out.t_min - exact.t_min) <= out.gap + exact.gap


def test_labels_that_lose_a_small_mass_lose_it_on_both_sides():
    p1y = np.array([[0.5, 3e-9], [0.5 - 4e-9, 1e-9]])
    p2y = np.array([[0.5, 2e-9], [0.5 - 4e-9, 2e-9]])
    with jax.enable_x64(True):
        found = _certificate.significant(*map(jnp.asarray, (p1y, p2y)), 1e-5)
    kept1, kept2, dropped = map(np.asarray, found)
    np.testing.assert_allclose(kept1.sum(0), kept2.sum(0), rtol=1e-6)
    assert kept1[1, 1] == 0 < kept1[0, 1]
    assert dropped == pytest.approx(1e-9, rel=0.01)
