"""The decomposition: values, certificate, invariances, batching, errors."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bounds
from bounds import Status

GOLDEN = pathlib.Path(__file__).parents[3] / "shared" / "golden" / "pid.npz"
# The certified gap at which the solver stops, plus the golden set's own.
TOL = 1.1e-9


def parts(out):
    return np.stack([out.redundancy, out.unique1, out.unique2, out.synergy], -1)


def gate(function, n=2, noise=0.0):
    """Joint table of y = function(x1, x2), each label kept w.p. 1 - noise."""
    labels = 1 + max(function(a, b) for a, b in np.ndindex(n, n))
    p = np.full((n, n, labels), noise / labels)
    for a, b in np.ndindex(n, n):
        p[a, b, function(a, b)] += 1 - noise
    return p / p.sum()


def h2(x):
    return 0.0 if x in (0, 1) else -x * np.log2(x) - (1 - x) * np.log2(1 - x)


def redundant(noise):
    """x1 = x2 = a fair bit, y the bit flipped with probability `noise`."""
    p = np.zeros((2, 2, 2))
    for a, y in np.ndindex(2, 2):
        p[a, a, y] = (1 - noise if a == y else noise) / 2
    return p


AND = h2(1 / 4) - 1 / 2  # both unique informations vanish
CLOSED = {
    "xor": (gate(lambda a, b: a ^ b), [0, 0, 0, 1]),
    "noisy xor": (
        gate(lambda a, b: a ^ b, noise=0.2),
        [0, 0, 0, 1 - h2(0.1)],
    ),
    "and": (gate(lambda a, b: a & b), [AND, 0, 0, 0.5]),
    "or": (gate(lambda a, b: a | b), [AND, 0, 0, 0.5]),
    "copy": (gate(lambda a, b: 2 * a + b), [0, 1, 1, 0]),
    "unique": (gate(lambda a, b: a), [0, 1, 0, 0]),
    "noisy unique": (gate(lambda a, b: a, noise=0.2), [0, 1 - h2(0.1), 0, 0]),
    "redundant": (redundant(0), [1, 0, 0, 0]),
    "noisy redundant": (redundant(0.1), [1 - h2(0.1), 0, 0, 0]),
}
SMALL = (3, 3, 2)


@functools.cache
def random_tables(n=16, shape=SMALL, concentration=0.3, seed=0):
    rng = np.random.default_rng(seed)
    flat = rng.dirichlet(np.full(np.prod(shape), concentration), n)
    return flat.reshape(n, *shape)


def check(p, out, gap=2e-9):
    """What holds for every valid table."""
    assert np.isfinite(parts(out)).all()
    assert (out.status == Status.CONVERGED).all()
    assert (out.gap <= gap).all()
    assert (parts(out) >= -out.gap[..., None]).all()
    np.testing.assert_allclose(parts(out).sum(-1), out.total, atol=1e-9)
    joint = p.reshape(*p.shape[:-3], -1, p.shape[-1])
    total = bounds.information.mutual_information(joint)
    np.testing.assert_allclose(out.total, total, atol=1e-12)


def golden():
    if not GOLDEN.exists():
        pytest.skip("golden values (../shared/golden/pid.npz) are not here")
    data = np.load(GOLDEN, allow_pickle=False)
    flat, shapes = data["P_flat"], data["shape"]
    tables = [
        flat[o : o + np.prod(s)].reshape(s)
        for o, s in zip(data["offset"], shapes, strict=True)
    ]
    # Ragged batches: few shapes to compile, and padding tested on the way.
    left = np.ones(len(tables), bool)
    for most in [(3, 3, 3), (5, 5, 3), (10, 10, 5), (25, 25, 3), (8, 8, 16)]:
        which = left & np.all(shapes <= most, axis=1)
        left &= ~which
        index = np.flatnonzero(which)
        yield [tables[i] for i in index], data["ref"][index]
    assert not left.any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_golden(dtype):
    for tables, reference in golden():
        p = bounds.stack_tables(tables)
        out = bounds.pid(p, dtype=dtype)
        error = np.abs(parts(out) - reference).max(-1)
        assert (error <= out.gap + 1e-11).all()
        assert (parts(out) >= -out.gap[:, None]).all()
        if dtype == np.float64:
            assert (error <= TOL).all()
            check(p, out)
        else:
            assert (error <= 1e-4).all()


def test_closed_forms():
    p = bounds.stack_tables([p for p, _ in CLOSED.values()])
    out = bounds.pid(p)
    check(p, out)
    np.testing.assert_allclose(
        parts(out), [v for _, v in CLOSED.values()], atol=TOL
    )
