"""Chunks, threads, memory and stragglers, on problems that cost nothing."""

import os
import threading
import time
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bounds import Options, _engine, _maxent, _solvers

X = np.arange(1.0, 91).reshape(30, 3)


def double(x):
    return {"twice": 2 * x, "sum": x.sum()}


def factored(x):
    matrix = jnp.eye(3) + x[:, None] * x[None]
    return jax.lax.fori_loop(
        0, 2, lambda _, m: jax.lax.linalg.cholesky(m + jnp.eye(3)), matrix
    )


def plan(work, arrays, options=None, **given):
    options = options or Options()
    arrays = [np.asarray(a, options.dtype) for a in arrays]
    method = work
    if not isinstance(work, _engine.Method):
        method = _engine._of(work, arrays, given.pop("static", {}))
    devices = _engine.devices_of(options)
    most = given.pop("most", None)
    return _engine._plan(method, arrays, options, devices, most)


def test_programs_with_lapack_calls_run_alone():
    cores = os.cpu_count()
    assert plan(double, [X])[1] == cores
    # The call is inside a loop, inside vmap and jit.
    assert plan(factored, [X])[1] == 1
    static = {"tol": 1e-9, "max_steps": 9}
    for shape, workers in (((2, 2, 2), cores), ((8, 8, 3), 1)):
        n1, n2, ny = shape
        tables = [np.ones((20, *s)) for s in ((n1, n2), (n1, ny), (n2, ny))]
        assert plan(_maxent.core, tables, static=static)[1] == workers


class PlannedError(Exception):
    pass


def planned(shape, monkeypatch, what):
    """What a large decomposition is planned with, instead of solving it."""

    def stop(method, arrays, options, most, _):
        raise PlannedError(what(method, arrays, options, most))

    monkeypatch.setattr(_engine, "_run_in_chunks", stop)
    n1, n2, ny = shape
    with pytest.raises(PlannedError) as caught:
        _solvers.minimize(
            np.ones((40, n1, ny)), np.ones((40, n2, ny)), solver="interior",
            max_steps=None, options=Options(),
        )  # fmt: skip
    return caught.value.args[0]


@pytest.mark.parametrize(
    ("shape", "workers"), [((3, 3, 3), os.cpu_count()), ((9, 9, 3), 1)]
)
def test_of_large_decompositions_one_chunk_runs(shape, workers, monkeypatch):
    def what(method, arrays, options, most):
        return plan(method, arrays, options, most=most)[1]

    assert planned(shape, monkeypatch, what) == workers


@pytest.mark.parametrize(
    ("platform", "cells"), [("cpu", 2**13), ("gpu", 2**20)]
)
def test_chunks_that_no_cache_bounds_are_larger(platform, cells, monkeypatch):
    device = types.SimpleNamespace(platform=platform)
    monkeypatch.setattr(_engine, "devices_of", lambda options: (device,))
    what = lambda *arguments: arguments[-1]
    assert planned((3, 3, 3), monkeypatch, what) == cells // 27


class Watched:
    """A compiled function that notes how many calls of it run at once."""

    def __init__(self, function):
        self._compiled = jax.jit(jax.vmap(function))
        self.trace = self._compiled.trace
        self._lock, self._running, self.calls = threading.Lock(), 0, []

    def __call__(self, x):
        with self._lock:
            self._running += 1
            self.calls.append(self._running)
        time.sleep(0.01)
        out = jax.block_until_ready(self._compiled(x))
        with self._lock:
            self._running -= 1
        return out


@pytest.mark.parametrize("function", [double, factored])
def test_calls_at_once(function, monkeypatch):
    monkeypatch.setattr(_engine.os, "cpu_count", lambda: 3)
    watched = Watched(function)
    method = _engine.Method(run=watched)
    for _ in range(2):
        _engine.run(method, X, options=Options(), most=4)
    first, again = watched.calls[:8], watched.calls[8:]
    # The first of a shape, which compiles, is alone.
    assert first[:2] == [1, 1]
    most = 3 if function is double else 1
    assert max(first) == max(again) == most
    assert len(again) == 8


def test_width_of_chunks():
    assert plan(double, [X])[0] == 64
    assert plan(double, [X], most=20)[0] == 16
    assert plan(double, [X], most=0)[0] == 1
    large = np.ones((30, 300))
    assert plan(double, [large])[0] == 64
    assert plan(double, [large], most=5)[0] == 4
    # 12 arrays of 300 numbers of 8 bytes a problem, for every core.
    one = 12 * 300 * 8
    limit = Options(memory_limit=16 * one * os.cpu_count())
    assert plan(double, [large], limit) == (16, os.cpu_count())
    assert plan(double, [large], Options(memory_limit=one)) == (1, 1)
    limit = Options(memory_limit=16 * one * os.cpu_count(), dtype=np.float32)
    assert plan(double, [large], limit)[0] == 16
    singly = _engine.Method(run=jax.jit(jax.vmap(double)), singly=True)
    assert plan(singly, [large])[0] == 1


@pytest.mark.parametrize(
    "options",
    [{}, {"memory_limit": 1}, {"devices": jax.devices()}, {"progress": True}],
)
def test_chunks_are_put_together(options, capsys):
    out = _engine.run(double, X, options=Options(**options), most=16)
    np.testing.assert_array_equal(out["twice"], 2 * X)
    np.testing.assert_array_equal(out["sum"], X.sum(1))
    assert ("30/30" in capsys.readouterr().err) == ("progress" in options)


def countdown(axis):
    """Counts each problem's number down to 0, by whole chunks; and steps."""

    def start(x, by):
        del by
        return {"left": x, "steps": jnp.zeros(x.shape[axis], x.dtype)}

    def step(x, by, state, enough):
        del x
        return jax.lax.while_loop(
            lambda s: jnp.sum(s["left"] > 0) > enough,
            lambda s: {
                "left": jnp.maximum(s["left"] - by, 0),
                "steps": s["steps"] + (s["left"].reshape(-1) > 0),
            },
            state,
        )

    calls = []
    compiled = jax.jit(step)

    def unfinished(state):
        calls.append(len(state["steps"]))
        return state["left"].reshape(-1) > 0

    method = _engine.Method(
        run=compiled, start=jax.jit(start), numbers=(np.float64(1),),
        unfinished=unfinished, axis=axis, least=16,
    )  # fmt: skip
    return method, calls


@pytest.mark.parametrize("axis", [0, -1])
def test_stragglers_are_gathered(axis):
    method, calls = countdown(axis)
    numbers = np.array([3.0] * 46 + [50, 40, 30, 20])[:, None]
    numbers = np.roll(numbers, 25, 0)
    with jax.numpy_dtype_promotion("standard"):
        out = _engine.run(method, numbers, options=Options(), most=16)
    np.testing.assert_array_equal(out["left"], np.zeros((50, 1)))
    np.testing.assert_array_equal(out["steps"], numbers[:, 0])
    # Four chunks, then one of the at most two that each has left.
    assert calls[:4] == [16, 16, 16, 2]
    assert len(calls) == 5
    assert 0 < calls[4] < 5


def test_nothing_is_run_for_nothing():
    method, calls = countdown(-1)
    out = _engine.run(method, np.zeros((0, 1)), options=Options())
    assert out["left"].shape == (0, 1)
    assert out["steps"].dtype == np.float64
    assert not calls
