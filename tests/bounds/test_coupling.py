import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bounds import coupling
from tests.bounds.synergy_helpers import golden

masses = st.lists(st.floats(0, 1), min_size=5, max_size=5).filter(
    lambda x: sum(x) > 1e-3
)


def test_golden():
    z = golden("coupling.npz")
    greedy = coupling.greedy(z["p"], z["q"])
    meet = coupling.majorization(z["p"], z["q"])
    np.testing.assert_allclose(meet, z["H_meet"], atol=1e-9)
    # Rows of uniform or count marginals have ties that may break otherwise.
    tied = [
        any(len(np.unique(v)) < len(v) for v in (p[:n], q[:m]))
        for p, q, n, m in zip(z["p"], z["q"], z["n_p"], z["n_q"], strict=True)
    ]
    free = ~np.array(tied)
    assert free.sum() > 10
    np.testing.assert_allclose(
        greedy.entropy[free], z["H_greedy"][free], atol=1e-9
    )
    assert (greedy.entropy <= meet + coupling.GREEDY_EXCESS).all()


@settings(max_examples=40, deadline=None)
@given(masses, masses)
def test_greedy_is_a_coupling_within_a_bit_of_the_meet(p, q):
    p, q = (np.array(v) / sum(v) for v in (p, q))
    out = coupling.greedy(p, q)
    np.testing.assert_allclose(out.joint.sum(1), p, atol=1e-15)
    np.testing.assert_allclose(out.joint.sum(0), q, atol=1e-15)
    used = out.joint[out.joint > 0]
    assert out.entropy == pytest.approx(-np.sum(used * np.log2(used)))
    meet = coupling.majorization(p, q)
    assert meet - 1e-9 <= out.entropy <= meet + 1 + 1e-9


def test_two_by_two_is_an_end_of_the_segment(rng):
    p, q = rng.dirichlet((1, 1), 20), rng.dirichlet((1, 1), 20)
    best = np.full(20, np.inf)
    for t in (np.minimum(p[:, 0], q[:, 0]), np.maximum(p[:, 0] - q[:, 1], 0)):
        r = np.stack([t, p[:, 0] - t, q[:, 0] - t, q[:, 1] - p[:, 0] + t], 1)
        r = np.maximum(r, 0)
        best = np.minimum(best, -np.sum(r * np.log2(r + (r == 0)), 1))
    np.testing.assert_allclose(coupling.greedy(p, q).entropy, best, atol=1e-12)


def test_more_than_two_marginals(rng):
    p, q, s = (rng.dirichlet(np.ones(n)) for n in (3, 4, 2))
    joint = coupling.greedy(p, q, s).joint
    np.testing.assert_allclose(joint.sum((1, 2)), p, atol=1e-15)
    np.testing.assert_allclose(joint.sum((0, 2)), q, atol=1e-15)
    np.testing.assert_allclose(joint.sum((0, 1)), s, atol=1e-15)
    same = coupling.greedy(p, p, p)
    np.testing.assert_allclose(np.einsum("iii->i", same.joint), p)


def test_batch_padding_dtype_and_jit(rng):
    p, q = rng.dirichlet(np.ones(3), (2, 1)), rng.dirichlet(np.ones(4), 5)
    batch = coupling.greedy(p, q)
    assert batch.joint.shape == (2, 5, 3, 4)
    one = coupling.greedy(p[1, 0], q[2])
    np.testing.assert_array_equal(batch.joint[1, 2], one.joint)
    padded = coupling.majorization(np.pad(p, ((0, 0), (0, 0), (0, 4))), q)
    np.testing.assert_allclose(padded, coupling.majorization(p, q))
    single = coupling.greedy(p, q, dtype=np.float32)
    assert single.entropy.dtype == np.float32
    np.testing.assert_allclose(single.entropy, batch.entropy, atol=1e-5)
    with jax.disable_jit():
        eager = coupling.greedy(p[1, 0], q[2])
    np.testing.assert_allclose(eager.joint, one.joint, atol=1e-15)


def test_bad_input():
    with pytest.raises(ValueError, match="two marginals, got 1"):
        coupling.greedy([0.5, 0.5])
    with pytest.raises(ValueError, match=r"marginal 1\[1\] is negative"):
        coupling.greedy([0.5, 0.5], [1.5, -0.5])
