import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bounds
from arm_jax.analysis import batch_estimator
from arm_jax.analysis.batch_estimator import batch_pid
from arm_jax.errors import InputError, TrainingError
from bounds import problems

SMALL = {
    "width": 4, "hidden": (16,), "batch_size": 64, "steps": 60, "sweeps": 5,
    "learning_rate": 0.02, "answers": 4,
}  # fmt: skip


def test_scaling_has_the_marginals():
    rng = np.random.default_rng(0)
    r1, r2 = rng.dirichlet(np.ones(3), (2, 6)).astype(np.float32)
    logits = rng.normal(size=(3, 6, 5)).astype(np.float32)

    @jax.jit
    def scaled(logits, r1, r2):
        p1, p2 = batch_estimator._tables(r1, r2)
        return p1, p2, batch_estimator._scaled(logits, p1, p2, 40)

    p1, p2, q = map(np.asarray, scaled(logits, r1, r2[:5]))
    np.testing.assert_allclose(p1.sum(1), p2.sum(1), rtol=1e-5)
    np.testing.assert_allclose(q.sum(1), p2, atol=1e-6)
    np.testing.assert_allclose(q.sum(2), p1, atol=1e-4)
    # The cross ratios are those of the embeddings.
    ratio = q[:, 0, 0] * q[:, 1, 1] / (q[:, 0, 1] * q[:, 1, 0])
    wanted = logits[:, 0, 0] + logits[:, 1, 1]
    wanted -= logits[:, 0, 1] + logits[:, 1, 0]
    np.testing.assert_allclose(np.log(ratio), wanted, atol=1e-3)


def test_information_of_a_joint_is_that_of_the_solver():
    p = np.random.default_rng(1).dirichlet(np.ones(24)).reshape(2, 3, 4)
    flat = jnp.asarray(p.reshape(6, 4), jnp.float32)
    nats = float(batch_estimator._nats(flat))
    assert nats / np.log(2) == pytest.approx(float(bounds.pid(p).total), 1e-4)


@pytest.fixture(scope="module")
def copies():
    """Both modalities are the label itself, with noise: all is redundant."""
    problem = problems.named("equal4")
    drawn = problem.sample(400)
    # The second modality is the first one.
    same = drawn._replace(x2=drawn.x1, posterior2=drawn.posterior1)
    return same, batch_pid(
        same.x1, same.x2, same.posterior1, same.posterior2,
        r12=same.posterior1, **SMALL,
    )  # fmt: skip


def test_training_lowers_the_information(copies):
    drawn, found = copies
    assert found.losses.shape == (60,)
    assert np.isfinite(found.losses).all()
    # Copies: the least excess is 0, and independent ones begin above it.
    assert found.losses[-10:].mean() < 0.6 * found.losses[:3].mean()
    assert found.losses[-10:].mean() > -0.02
    assert found.violation < 0.02
    total = found.redundancy + found.unique1 + found.unique2 + found.synergy
    assert total == pytest.approx(found.total)
    direct = float(
        np.mean(np.sum(drawn.posterior1 * np.log2(drawn.posterior1 + 1e-30), 1))
    )
    assert found.redundancy + found.unique1 == pytest.approx(
        direct + 2, abs=0.05
    )


def test_the_same_seed_gives_the_same(copies):
    drawn, found = copies
    again = batch_pid(
        drawn.x1, drawn.x2, drawn.posterior1, drawn.posterior2, **SMALL
    )
    assert again.redundancy == pytest.approx(found.redundancy, abs=1e-6)
    assert again.synergy is again.total is None


def test_terms_by_hand(monkeypatch):
    found = {
        "losses": jnp.zeros(3), "excess": jnp.array(0.5),
        "violation": jnp.zeros(()),
    }  # fmt: skip
    monkeypatch.setattr(
        batch_estimator, "_program", lambda *args: lambda key, data: found
    )
    # The first modality knows the label, one bit, the second one nothing. All
    # that has to be known is 0.5 bits more than the mean of the two.
    sure = np.eye(2)[[0, 1, 0, 1]]
    pid = batch_pid(X, X, sure, R, r12=sure)
    assert pid.unique1 == pytest.approx(1)
    for name in ("redundancy", "unique2", "synergy"):
        assert getattr(pid, name) == pytest.approx(0)


def test_a_loss_that_is_not_finite_is_told(monkeypatch):
    losses = jnp.array([0.5, jnp.nan, 0.1])
    zero = jnp.zeros(())
    found = {"losses": losses, "excess": zero, "violation": zero}
    monkeypatch.setattr(
        batch_estimator, "_program", lambda *args: lambda key, data: found
    )
    with pytest.raises(TrainingError, match="loss of batch 1 is not finite"):
        batch_pid(X, X, R, R)


X, R = np.eye(4), np.full((4, 2), 0.5)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((X, X[:3], R, R), {}, "x2 has 3 samples, x1 has 4"),
        ((X, X, R, R[:3]), {}, "r2 has 3 samples"),
        ((X, X, R, np.full((4, 4), 0.25)), {}, "r2 has 4 classes, r1 has 2"),
        ((X, X, R, R), {"r12": R[:2]}, "r12 has 2 samples"),
        ((X, X, 2 * R, R), {}, r"r1\[0\] sums to 2"),
        ((X[0], X, R, R), {}, r"x1 must have rows of features, got shape"),
        ((X, X * np.nan, R, R), {}, r"x2\[0, 0\] is nan"),
        ((X, X, R, R), {"steps": 0}, "steps must be at least 1"),
        ((X, X, R, R), {"learning_rate": 0}, "learning_rate must be positive"),
    ],
)
def test_bad_input_is_named(args, options, message):
    with pytest.raises(InputError, match=message):
        batch_pid(*args, **options)


def test_embeddings_are_standardised_by_label():
    embedding = batch_estimator.label_embedding(3, 2, (5,))
    x = jnp.asarray(np.random.default_rng(2).normal(size=(40, 4)), jnp.float32)

    @jax.jit
    def embedded(key, x):
        return embedding.apply(embedding.init(key, x), x)

    out = np.asarray(embedded(jax.random.key(0), x))
    assert out.shape == (40, 3, 2)
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(0), 1, atol=1e-2)
