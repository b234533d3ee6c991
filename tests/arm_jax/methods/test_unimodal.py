import jax
import jax.numpy as jnp
import numpy as np

from arm_jax import methods
from tests.arm_jax import helpers


def gradient(modalities, other=0.0):
    """Of the loss, with `other` added to the input of modality b."""
    model = helpers.tiny_model(("a", "b"))
    params, _ = model.init(jax.random.key(0))
    batch = helpers.tiny_batch()
    batch["inputs"]["b"] += other
    if modalities == ("a",):
        model = helpers.tiny_model(modalities)
        batch["mask"] = batch["mask"][:, :1]

    def value(params):
        forward = helpers.forward(model, params, batch)
        return methods.create("unimodal", {}).loss(forward, batch)[0]

    return jax.jit(jax.grad(value))(params)


def test_a_modality_is_trained_as_if_alone():
    together, alone = gradient(("a", "b")), gradient(("a",))
    moved = gradient(("a", "b"), other=1.0)
    gradients = [helpers.blocks(g) for g in (together, alone, moved)]
    for block in ("encoders/a", "head/classifiers_a"):
        for x, y, z in zip(
            *(jax.tree.leaves(g[block]) for g in gradients), strict=True
        ):
            np.testing.assert_allclose(x, y, atol=1e-7)
            np.testing.assert_array_equal(x, z)
            assert jnp.abs(x).max() > 0


def test_by_hand():
    # p(label) is 1/2 for a and 1/4 for b.
    forward = helpers.bare_forward(
        {"a": [[0.0, 0.0]], "b": [[np.log(3.0), 0.0]]}
    )
    method = methods.create("unimodal", {})
    value, _ = method.loss(forward, helpers.bare_batch([1]))
    np.testing.assert_allclose(value, np.log(2) + np.log(4), rtol=1e-6)
