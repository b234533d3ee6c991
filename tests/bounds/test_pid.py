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
from bounds import Options, Status, _solvers

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
    assert (parts(out) >= 0).all()
    error = np.abs(parts(out).sum(-1) - out.total)
    assert (error <= 2 * out.gap + 1e-14).all()
    joint = p.reshape(*p.shape[:-3], -1, p.shape[-1])
    total = bounds.information.mutual_information(joint)
    np.testing.assert_allclose(out.total, total, atol=1e-12)


def golden(groups):
    if not GOLDEN.exists():
        pytest.skip("golden values (../shared/golden/pid.npz) are not here")
    with np.load(GOLDEN, allow_pickle=False) as file:
        data = dict(file)
    flat, shapes = data["P_flat"], data["shape"]
    tables = [
        flat[o : o + np.prod(s)].reshape(s)
        for o, s in zip(data["offset"], shapes, strict=True)
    ]
    # Ragged batches: few shapes to compile, and padding tested on the way.
    left = np.ones(len(tables), bool)
    for most in groups:
        which = left & np.all(shapes <= most, axis=1)
        left &= ~which
        index = np.flatnonzero(which)
        yield [tables[i] for i in index], data["ref"][index]


def test_the_gap_has_the_dtype_of_the_values(rng):
    # In float32 the difference of two values near 1 would be off by 1e-7.
    tables = rng.dirichlet(np.ones(60), size=20).reshape(20, 5, 4, 3)
    for batch in (tables, tables[:1]):
        minimum = _solvers.minimize(
            batch.sum(2), batch.sum(1), solver="interior", max_steps=200,
            options=Options(),
        )  # fmt: skip
        assert minimum.value.dtype == minimum.gap.dtype == np.float64


@pytest.mark.parametrize(
    ("dtype", "groups"),
    [
        (
            np.float64,
            [(3, 3, 3), (10, 10, 4), (20, 20, 3), (8, 8, 16)],
        ),
        (np.float32, [(3, 3, 3), (5, 5, 3)]),
    ],
)
def test_golden(dtype, groups):
    for tables, reference in golden(groups):
        # Those of many labels take half a minute.
        some = slice(None, None, 3 if tables[0].shape[2] > 4 else 1)
        tables, reference = tables[some], reference[some]
        p = bounds.stack_tables(tables)
        out = bounds.pid(p, dtype=dtype)
        error = np.abs(parts(out) - reference).max(-1)
        assert (error <= out.gap + 1e-11).all()
        assert (parts(out) >= 0).all()
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


def test_what_follows_from_a_decomposition():
    p = np.zeros((2, 2, 2))
    p[0, 0, 0] = p[1, 1, 1] = 0.3
    p[0, 1, 0] = 0.4
    out = bounds.pid(np.stack([p, p]))
    np.testing.assert_allclose(out.t_min + out.synergy, out.total, atol=TOL)
    entropy = lambda *q: -np.sum(np.array(q) * np.log2(q))
    # y is x1; x2 is 1 in 0.7, of which y is in 0.3.
    np.testing.assert_allclose(out.information1, entropy(0.3, 0.7), atol=TOL)
    of_x2 = entropy(0.3, 0.7) - 0.7 * entropy(3 / 7, 4 / 7)
    np.testing.assert_allclose(out.information2, of_x2, atol=TOL)
    assert out.message.startswith("converged")
    late = out._replace(status=np.array([0, 1]))
    assert late.message.startswith("step limit reached")


def test_identities_and_swap():
    p = random_tables()
    out = bounds.pid(p)
    check(p, out)
    swapped = bounds.pid(p.swapaxes(1, 2))
    close = functools.partial(np.testing.assert_allclose, atol=2 * TOL)
    close(swapped.unique1, out.unique2)
    close(swapped.unique2, out.unique1)
    close(swapped.redundancy, out.redundancy)
    close(parts(bounds.pid(p[:, ::-1, [1, 2, 0]][..., ::-1])), parts(out))


def test_padding_is_invisible():
    p = random_tables()
    padded = bounds.stack_tables([*p[1:], np.ones((4, 4, 3)) / 48])
    np.testing.assert_allclose(
        parts(bounds.pid(padded))[:-1], parts(bounds.pid(p))[1:], atol=2 * TOL
    )


def test_batch_axes_counts_and_single_tables():
    p = random_tables()
    out = bounds.pid(p)
    nested = bounds.pid(p.reshape(4, 4, *SMALL))
    assert nested.gap.shape == (4, 4)
    np.testing.assert_allclose(
        parts(nested).reshape(16, 4), parts(out), atol=2 * TOL
    )
    one = bounds.pid(p[5] * 1000, normalize=True)
    assert one.redundancy.shape == ()
    np.testing.assert_allclose(parts(one), parts(out)[5], atol=2 * TOL)
    assert bounds.pid(p[:0]).gap.shape == (0,)


def test_chunks_stragglers_and_progress(capsys):
    p = random_tables(300, (2, 2, 2))
    out = bounds.pid(p)
    # A limit of a few tables makes many chunks of the same batch.
    chunked = bounds.pid(p, memory_limit=2**16, progress=True)
    assert "300/300" in capsys.readouterr().err
    np.testing.assert_allclose(parts(chunked), parts(out), atol=2 * TOL)
    spread = bounds.pid(p, devices=jax.local_devices(), memory_limit=2**16)
    np.testing.assert_allclose(parts(spread), parts(chunked), atol=2 * TOL)


def test_from_marginals():
    p = random_tables()
    out = bounds.pid(p)
    got = bounds.pid_from_marginals(p.sum(2), p.sum(1))
    assert got.synergy is None
    assert got.total is None
    for name in ("redundancy", "unique1", "unique2"):
        np.testing.assert_allclose(
            getattr(got, name), getattr(out, name), atol=2 * TOL
        )


def test_jit_and_vmap_agree_with_the_entry():
    p = random_tables()
    want = parts(bounds.pid(p))
    jitted = jax.jit(bounds.pid)(jnp.asarray(p, jnp.float32))
    assert jitted.gap.dtype == jnp.float32
    np.testing.assert_allclose(parts(jitted), want, atol=1e-6)
    assert (np.abs(parts(jitted) - want).max(-1) <= jitted.gap + 1e-6).all()
    with jax.enable_x64(True):
        mapped = jax.vmap(bounds.pid)(jnp.asarray(p))
        np.testing.assert_allclose(parts(mapped), want, atol=2 * TOL)


def test_float64_inside_a_float32_trace_that_maps():
    p = np.asarray(random_tables(2, (2, 2, 2)), np.float32)
    mapped = jax.jit(jax.vmap(bounds.pid))(p)
    np.testing.assert_allclose(parts(mapped), parts(bounds.pid(p)), atol=1e-6)


def test_traced_status_carries_bad_input():
    # As many as are compiled above.
    p = np.array(random_tables(), np.float32)
    p[1, 0, 0, 0] = np.nan
    p[2] *= 2
    out = jax.jit(bounds.pid)(p)
    want = np.full(16, Status.CONVERGED)
    want[1:3] = Status.INVALID_INPUT
    assert out.status.tolist() == want.tolist()
    assert np.isfinite(parts(out)).all()


def test_traced_tables_are_rescaled_as_concrete_ones_are():
    p = random_tables(2, (2, 2, 2))
    # Sums that are 1 within the tolerance, and one that no float holds.
    inexact, huge = p * (1 - 9e-7), p / p.max() * 1.7e308
    with jax.enable_x64(True):
        marginals = [jnp.asarray(inexact.sum(a)) for a in (2, 1)]
        for want, got in (
            (bounds.pid(p), jax.jit(bounds.pid)(inexact)),
            (
                bounds.pid(huge, normalize=True),
                jax.jit(functools.partial(bounds.pid, normalize=True))(huge),
            ),
        ):
            np.testing.assert_allclose(parts(got), parts(want), atol=2 * TOL)
        got = jax.jit(bounds.pid_from_marginals)(*marginals)
    np.testing.assert_allclose(got.t_min, bounds.pid(p).t_min, atol=2 * TOL)


def values(p):
    out = bounds.pid(p, tol=1e-12)
    return jnp.stack([out.redundancy, out.unique1, out.unique2, out.synergy])


def test_gradients_against_finite_differences():
    rng = np.random.default_rng(3)
    p = random_tables(1, SMALL, concentration=5.0)[0]
    direction = rng.normal(size=SMALL) * p
    direction -= p * direction.sum()
    eps = 1e-5
    with jax.enable_x64(True):
        jacobian = np.asarray(jax.jacrev(values)(jnp.asarray(p)))
        steps = [values(p + s * eps * direction) for s in (1, -1)]
        difference = np.asarray(steps[0] - steps[1])
    assert np.isfinite(jacobian).all()
    np.testing.assert_allclose(
        np.sum(jacobian * direction, (1, 2, 3)),
        difference / (2 * eps),
        atol=1e-5,
    )


def test_gradients_are_finite_at_zeros():
    # Some forced by marginals, others not; of a shape that is compiled above.
    p = np.pad(gate(lambda a, b: a & b), ((0, 1), (0, 1), (0, 0)))
    with jax.enable_x64(True):
        jacobian = jax.jacrev(values)(jnp.asarray(p))
    assert np.isfinite(jacobian).all()


def test_step_limit_keeps_an_honest_gap():
    p = random_tables()
    exact = bounds.pid(p)
    short = bounds.pid(p, max_steps=2, tol=1e-12)
    assert (short.status == Status.STEP_LIMIT).any()
    assert (short.steps <= 2).all()
    error = np.abs(parts(short) - parts(exact)).max(-1)
    assert (error <= short.gap + exact.gap).all()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*[st.integers(1, 3)] * 3),
    concentration=st.sampled_from([0.05, 0.3, 1.0, 10.0]),
    zeros=st.sampled_from([0.0, 0.5]),
)
def test_any_table(seed, shape, concentration, zeros):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(np.prod(shape), concentration), 4)
    p[:, 1:] *= rng.random(p[:, 1:].shape) >= zeros
    p[:, 0] += 1e-15
    p = (p / p.sum(1, keepdims=True)).reshape(4, *shape)
    # One compiled shape serves all; a table of another shape keeps it full.
    stacked = bounds.stack_tables([*p, np.ones((3, 3, 3)) / 27])
    check(stacked, bounds.pid(stacked))


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (np.ones((2, 2)) / 4, "at least 3 axes"),
        (np.ones((0, 2, 2)), "empty alphabet"),
        (
            np.ones((2, 1, 1, 1)) * [[[[1]]], [[[-1]]]],
            r"p\[1, 0, 0, 0\] is neg",
        ),
        (np.full((1, 1, 1), np.inf), r"p\[0, 0, 0\] is inf"),
        (np.ones((2, 1, 1, 1)) * [[[[1]]], [[[1.1]]]], r"p\[1\] sums to 1\.1"),
    ],
)
def test_bad_tables(p, message):
    with pytest.raises(ValueError, match=message):
        bounds.pid(p)


def test_bad_marginals_and_options():
    half = np.full((2, 2), 1 / 4)
    with pytest.raises(ValueError, match=r"disagree on p\(y=0\).*0\.5"):
        bounds.pid_from_marginals(half, [[1.0, 0.0]])
    with pytest.raises(ValueError, match="label axes"):
        bounds.pid_from_marginals(half, np.full((2, 3), 1 / 6))
    with pytest.raises(ValueError, match="dtype"):
        bounds.pid(np.ones((1, 1, 1)), dtype=np.float16)
    with pytest.raises(ValueError, match="tol"):
        bounds.pid(np.ones((1, 1, 1)), tol=0)
    with pytest.raises(ValueError, match="normalize must be True or False"):
        bounds.pid(np.ones((1, 1, 1)), normalize="no")
    with pytest.raises(ValueError, match=r"tables\[0\] must have 3"):
        bounds.stack_tables([np.ones((1, 1, 1, 1))])
