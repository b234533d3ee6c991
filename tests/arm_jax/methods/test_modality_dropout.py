import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.modality_dropout import kept
from tests.arm_jax import helpers


def test_kept_by_hand():
    draws = jnp.array([[0.5, 0.2], [0.1, 0.2], [0.2, 0.1], [0.4, 0.6]])
    mask = jnp.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    # The largest draw stays, and what is missing stays missing.
    expected = [[1, 0], [0, 1], [1, 0], [1, 0]]
    np.testing.assert_array_equal(kept(draws, mask, 0.3), expected)


def test_each_modality_goes_at_the_rate():
    draws = jax.random.uniform(jax.random.key(0), (20_000, 3))
    stays = np.asarray(kept(draws, jnp.ones((20_000, 3)), 0.4))
    # Of those that lose all, each modality keeps a third.
    np.testing.assert_allclose(stays.mean(0), 1 - 0.4 + 0.4**3 / 3, atol=0.015)
    assert (stays.sum(axis=1) > 0).all()


def test_loss_by_hand():
    method = methods.create("modality_dropout", {"rate": 0.5})
    features = {"a": np.array([[1.0, 0.0]] * 6), "b": np.array([[0, 3.0]] * 6)}
    forward = helpers.bare_forward(features)
    batch = helpers.bare_batch([0, 1, 0, 1, 0, 1])
    stays = np.asarray(kept(forward.uniform(2), batch["mask"], 0.5))
    assert 0 < stays.mean() < 1
    z = stays @ np.array([[1.0, 0.0], [0.0, 3.0]])
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    expected = -log_p[np.arange(6), batch["label"]].mean()
    np.testing.assert_allclose(
        method.loss(forward, batch)[0], expected, rtol=1e-6
    )


@pytest.mark.parametrize("rate", [1.0, -0.1, np.nan])
def test_bad_option(rate):
    # Before anything is trained.
    message = rf"options\.rate must be in \[0, 1\), got {rate}"
    with pytest.raises(InputError, match=message):
        methods.create("modality_dropout", {"rate": rate})
