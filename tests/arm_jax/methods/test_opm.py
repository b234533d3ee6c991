import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.opm import mean_by_width, probabilities
from tests.arm_jax import helpers


@pytest.mark.parametrize(
    ("scores", "rho"),
    [
        ((0.6, 0.3), (2, 0.5)),
        ((0.6, 0.3, 0.1), ((2 + 6) / 2, (0.5 + 3) / 2, (1 / 6 + 1 / 3) / 2)),
        ((0.4, 0.4), (1, 1)),
        ((0.4,), (0,)),
    ],
)
def test_probabilities_by_hand(scores, rho):
    expected = [0.4 * (1 + 0.5 * np.tanh(r - 1)) if r > 1 else 0.0 for r in rho]
    found = probabilities(jnp.asarray(scores), 0.4, 0.5)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    largest = probabilities(jnp.asarray(scores), 1.0, 9.0)
    np.testing.assert_array_equal(largest, np.greater(rho, 1))


# Two examples lack b, which is never dropped.
LABEL = np.tile([0, 1], 8)
MASK = np.ones((16, 2), np.float32)
MASK[14:, 1] = 0
FEATURES = {
    "a": np.eye(2)[LABEL] * 3 + 0.1,
    "b": np.tile([[0.2, 0.1]], (16, 1)),
}


def test_loss_by_hand():
    # The logits of a are of 4 features, those of b of 2.
    forward = helpers.bare_forward(FEATURES)
    wide = {**forward.features, "a": jnp.tile(forward.features["a"], 2)}
    narrow = forward.head
    head = lambda f, mask: narrow({**f, "a": f["a"][:, :2]}, mask)
    forward = forward._replace(features=wide, head=head)
    batch = {"label": LABEL, "mask": MASK}
    method = methods.create("opm", {"share": 1.0, "alpha": 0.2})
    value, metrics = method.loss(forward, batch)
    alone = [
        np.exp(x)[np.arange(16), LABEL] / np.exp(x).sum(1)
        for x in FEATURES.values()
    ]
    score_a, score_b = alone[0].mean(), alone[1][:14].mean()
    q = 0.4 * (1 + 0.2 * np.tanh(score_a / score_b - 1))
    np.testing.assert_allclose(metrics["drop_a"], q, rtol=1e-5)
    assert metrics["drop_b"] == 0
    theta = 4 / 6 * q
    np.testing.assert_allclose(
        mean_by_width(jnp.array([q, 0.0]), forward), theta, rtol=1e-6
    )
    kept = (np.asarray(forward.uniform(2)) >= [q, 0]) * MASK
    z = sum(
        kept[:, m, None] * x / (1 - theta)
        for m, x in enumerate(FEATURES.values())
    )
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    counts = kept.max(1)
    assert 0 < kept[:, 0].mean() < 1
    expected = -(counts * log_p[np.arange(16), LABEL]).sum() / counts.sum()
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_examples_with_nothing_left_do_not_count():
    forward = helpers.bare_forward(FEATURES)
    only_a = {"label": LABEL, "mask": np.tile([1.0, 0.0], (16, 1))}
    # b has a score of 0, so that a leads by far and goes from all.
    only_a["mask"][0] = [1, 1]
    only_a = jax.tree.map(lambda x: x.astype(np.float32), only_a) | {
        "label": LABEL
    }
    method = methods.create("opm", {"share": 1.0, "drop": 1.0})
    value, _ = method.loss(forward, only_a)
    z = FEATURES["b"][0] / (1 - 0.5)
    np.testing.assert_allclose(
        value, np.log(np.exp(z).sum()) - z[LABEL[0]], rtol=1e-6
    )


def test_share_of_batches():
    method = methods.create("opm", {"share": 0.3, "drop": 1.0})
    forward = helpers.bare_forward(FEATURES)
    batch = {"label": LABEL, "mask": np.ones_like(MASK)}

    @jax.vmap
    def value(seed):
        seen = forward._replace(key=jax.random.key(seed))
        return method.loss(seen, batch)[0]

    values = np.asarray(jax.jit(value)(np.arange(400)))
    joint = float(methods.create("joint", {}).loss(forward, batch)[0])
    changed = np.abs(values - joint) > 1e-5
    assert changed.mean() == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha must be at least 0, got -1"),
        ({"drop": 1.5}, r"drop must be in \[0, 1\], got 1.5"),
        ({"share": -0.1}, r"share must be in \[0, 1\], got -0.1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"config method\.options\.{message}"):
        methods.create("opm", options)
