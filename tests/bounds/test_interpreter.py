"""The interpreter in NumPy against the compiler, primitive by primitive."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bounds import (
    Options,
    _broja,
    _engine,
    _interpreter,
    _maxent,
    _slices,
    accuracy,
    coupling,
    decomposition,
    information,
    synergy_lower,
    synergy_upper,
)

X = np.array([[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]])


def arithmetic(x):
    y = jnp.exp(x) * jnp.log1p(x**2) - jnp.sqrt(abs(x)) / (1 + jnp.exp2(x))
    y = jnp.clip(y + jax.lax.rsqrt(abs(x)), -1, 3) ** 3
    return jnp.where(x > 0, y, -x), jnp.sign(x), jnp.maximum(x, 0.2)


def reductions(x):
    return (
        x.sum(0), x.max(1), x.min(), (x > 0).any(1), (x > -9).all(),
        x.argmax(1), x.argmin(0), (x > 0).sum(), jnp.cumsum(x, 1),
        jax.lax.cumsum(x, 0, reverse=True),
    )  # fmt: skip


def shapes(x):
    padded = jnp.pad(x, ((1, 0), (2, 1)), constant_values=7)
    both = jnp.concatenate([x.T, jnp.flip(x.T, 0)])
    return (
        padded, both[1::2], x[:, None].squeeze(1), jnp.stack([x, x], 1),
        jnp.broadcast_to(x[0], (4, 3)), x.reshape(3, 2),
        jnp.arange(3, dtype=x.dtype)[None] + x,
        jax.lax.dynamic_update_slice(x, jnp.ones((1, 2)), (5, 1)),
        jnp.diff(x, prepend=0),
        jnp.zeros((2, 2)).at[[0, 1], [1, 0]].add(x[0, :2]),
        jax.lax.div(jnp.arange(-3, 3), 2), jax.lax.rem(jnp.arange(-3, 3), 2),
    )  # fmt: skip


def sorting(x):
    return jnp.sort(x, 0), jax.lax.sort((x[0], x[1]), num_keys=1)


def loops(x):
    def body(carry, row):
        return carry + row, carry * row

    def halve(state):
        count, y = state
        y = jax.lax.cond(count % 2 == 0, lambda y: y / 2, lambda y: y / 3, y)
        return count + 1, y

    return (
        jax.lax.scan(body, x[0], x),
        jax.lax.scan(body, x[0], x, reverse=True),
        jax.lax.while_loop(lambda s: jnp.abs(s[1]).max() > 0.1, halve, (0, x)),
        jax.lax.fori_loop(0, 3, lambda i, y: y + y[i % 2][None], x),
    )


def algebra(x):
    a = x @ x.T + jnp.eye(2)
    low = jax.lax.linalg.cholesky(a)
    blocks = jnp.stack([low, 2 * low])
    solve = jax.lax.linalg.triangular_solve
    left = {"left_side": True, "lower": True}
    return (
        low,
        jnp.einsum("ab,cb->ac", x, x),
        jnp.einsum("kab,kbc->kac", blocks, blocks),
        jax.scipy.linalg.cho_solve((low, True), x[:, 0]),
        solve(low, x, **left),
        solve(low, x, **left, transpose_a=True),
        solve(blocks, jnp.stack([x, x]), **left),
        solve(blocks, jnp.stack([x, x]), **left, transpose_a=True),
    )


def without_a_value(x):
    low = jax.lax.linalg.cholesky(x[:, :2] - 9 * jnp.eye(2))
    solved = jax.lax.linalg.triangular_solve(
        jnp.zeros((2, 2)), x, left_side=True, lower=True
    )
    return low[1, 1], jnp.isfinite(solved), jnp.max(x[:, :0], initial=-jnp.inf)


@pytest.mark.parametrize(
    "function",
    [arithmetic, reductions, shapes, sorting, loops, algebra, without_a_value],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equals_the_compiler(function, dtype):
    x = X.astype(dtype)
    with jax.enable_x64(dtype == np.float64):
        wanted = jax.device_get(jax.jit(function)(x))
    got = _interpreter.run(function, x)
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=20 * np.finfo(dtype).eps)


P = np.random.default_rng(0).dirichlet(np.ones(24)).reshape(4, 3, 2)
TABLE = (P.sum(2), P.sum(1), P.sum(0))
SOLVERS = {
    "pid": (_broja.minimize, (*TABLE[1:], np.array(1e-9)), {"max_steps": 9}),
    "combine": (decomposition._combine, (*TABLE[1:], *np.ones(2), P), {}),
    "maxent": (_maxent.core, TABLE, {"tol": 1e-9, "max_steps": 9}),
    "chord": (_slices.chord_bound, TABLE, {}),
    "envelope": (_slices.envelope_bound, TABLE, {}),
    "descend": (_slices.descend, (P, *TABLE), {}),
    "conditional": (synergy_upper._conditional_floor, TABLE, {}),
    "released": (synergy_upper._released_floor, TABLE, {}),
    "family": (synergy_lower._of_table, (*TABLE, *np.ones(2)), {}),
    "greedy": (coupling._greedy_core, (P[0, 0], P[1, 0]), {}),
    "accuracy": (accuracy._interval, (P.sum((0, 1)), *np.ones(2)), {}),
    "entropy": (information.entropy_nats, (P,), {"event_rank": 3}),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_no_solver_needs_the_compiler(name):
    """A primitive that is not written down costs seconds, not correctness."""
    function, arrays, static = SOLVERS[name]
    arrays = [np.asarray(a, np.float64) for a in arrays]
    out = _interpreter.run(function, *arrays, **static)
    assert all(isinstance(x, np.ndarray) for x in jax.tree.leaves(out))


run = functools.partial(_engine.run, options=Options())


def unknown(x):
    return jax.scipy.special.gammaln(x)


def test_the_compiler_does_what_is_not_known():
    x = np.array([2.0, 3.0, 4.0])
    with pytest.raises(_interpreter.UnsupportedError):
        _interpreter.run(unknown, x)
    np.testing.assert_allclose(np.exp(run(unknown, x)), [1, 2, 6])


def test_few_and_many_problems_agree():
    x = np.linspace(1, 2, 3 * _engine.FEW_PROBLEMS).reshape(-1, 3)
    many = run(information.entropy_nats, x)
    few = run(information.entropy_nats, x[:2])
    np.testing.assert_allclose(few, many[:2], rtol=1e-14)
    none = run(information.entropy_nats, x[:0])
    assert (none.shape, none.dtype) == ((0,), np.float64)
