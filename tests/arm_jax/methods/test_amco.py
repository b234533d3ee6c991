import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.amco import kept, masked_share, shares
from tests.arm_jax import helpers

# The model depends on a.
FEATURES = {
    "a": np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 1.0]]),
    "b": np.array([[0.5, 0.0, -1.0], [-1.0, 0.5, 0.0]]),
}
LABEL = [0, 1]
# The head's own, which is in the logits of each modality alone.
BIAS = np.array([0.3, -0.2, 0.1])


def cross_entropy(z):
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -log_p[np.arange(2), LABEL].mean()


def test_shares_by_hand():
    e = {name: np.exp(x).sum(1) for name, x in FEATURES.items()}
    logits = jnp.stack([jnp.asarray(x) for x in FEATURES.values()])
    expected = np.stack([e["a"], e["b"]]) / (e["a"] + e["b"])
    # The second example has b alone.
    expected[:, 1] = [0, 1]
    found = shares(logits, jnp.array([[1.0, 0.0], [1.0, 1.0]]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_masked_share_by_hand():
    found = [float(masked_share(jnp.array(t), 30)) for t in (0, 10, 30, 99)]
    np.testing.assert_allclose(found, [0, 0.5, 1, 1], atol=1e-6)


def test_kept_by_hand():
    for p, count in ((0.0, 5), (0.5, 3), (0.99, 1), (1.0, 0)):
        stays = jax.vmap(lambda k, p=p: kept(k, 5, jnp.array(p)))(
            jax.random.split(jax.random.key(0), 40)
        )
        np.testing.assert_array_equal(stays.sum(axis=1), count)
        # Each unit at times, and at times not.
        if 0 < count < 5:
            assert stays.any(axis=0).all()
            assert not stays.all(axis=0).any()


@pytest.mark.parametrize("masked", ["features", "logits"])
@pytest.mark.parametrize("step", [0, 10, 30])
def test_loss_by_hand(masked, step):
    method = methods.create(
        "amco", {"ramp": 30, "unimodal": 0.5, "masked": masked}
    )
    forward = helpers.bare_forward(FEATURES)
    forward = forward._replace(
        step=jnp.array(step),
        head=lambda f, mask, head=forward.head: (
            head(f, mask) + jnp.asarray(BIAS, jnp.float32)[None]
        ),
    )
    batch = helpers.bare_batch(LABEL)
    value, metrics = method.loss(forward, batch)
    assert metrics["share_a"] > 0.5 > metrics["share_b"]
    p = np.sin(np.pi / 2 * step / 30)
    key = jax.random.split(forward.key)[0]
    stays = np.asarray(kept(key, 3, jnp.array(p)))
    assert stays.sum() == 3 - np.floor(p * 3 + 1e-6)
    scale = 1 / max(1 - p, 0.1) if masked == "features" else 1
    fused = scale * stays * FEATURES["a"] + FEATURES["b"] + BIAS
    expected = cross_entropy(fused) + 0.5 * sum(
        cross_entropy(x + BIAS) for x in FEATURES.values()
    )
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_below_the_threshold_nothing_is_masked():
    forward = helpers.bare_forward(FEATURES)._replace(step=jnp.array(10**6))
    batch = helpers.bare_batch(LABEL)
    share = methods.create("amco", {}).loss(forward, batch)[1]["share_a"]
    uniform, _ = methods.create("uniform", {}).loss(forward, batch)
    for threshold in (float(share) + 1e-3, 1.0):
        method = methods.create("amco", {"threshold": threshold})
        np.testing.assert_allclose(
            method.loss(forward, batch)[0], uniform, rtol=1e-6
        )


def test_masked_logits_need_a_sum():
    method = methods.create("amco", {"masked": "logits"})
    with pytest.raises(InputError, match="'amco' needs logits that add up"):
        methods.check_head("amco", method, additive=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.1}, r"threshold must be in \[0, 1\], got 1.1"),
        ({"ramp": 0}, "ramp must be at least 1, got 0"),
        ({"unimodal": -1.0}, "unimodal must be at least 0"),
        ({"masked": "inputs"}, "masked must be one of features, logits"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"config method\.options\.{message}"):
        methods.create("amco", options)
