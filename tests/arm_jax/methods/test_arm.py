import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.terms import contribution_gap
from arm_jax.valuation import conditional_contributions
from tests.arm_jax import helpers


def test_gap_by_hand():
    # Pairs: |3-1| = 2, |3-0| = 3, |1-0| = 1.
    np.testing.assert_allclose(contribution_gap(jnp.array([3.0, 1, 0])), 2)
    # The gradient is on the smaller of each pair: 1 loses once, 0 twice.
    gradient = jax.grad(contribution_gap)(jnp.array([3.0, 1, 0]))
    np.testing.assert_allclose(gradient, [0, -1 / 3, -2 / 3])


def test_gap_of_one_modality_is_zero():
    assert contribution_gap(jnp.array([2.0])) == 0


def test_gap_is_invariant_under_order(rng):
    phi = rng.normal(size=4).astype(np.float32)
    np.testing.assert_allclose(
        contribution_gap(jnp.asarray(phi)),
        contribution_gap(jnp.asarray(phi[::-1].copy())),
        rtol=1e-6,
    )


def term_gradient(form, modalities):
    """Gradient of the balanced term alone, and the modalities' phi."""
    model = helpers.tiny_model(modalities)
    params = model.init(jax.random.key(1))
    batch = helpers.tiny_batch(size=32, modalities=modalities)

    def value(params, balance):
        method = methods.create(
            "arm", {"form": form, "balance": balance, "unimodal": 0.0}
        )
        forward = helpers.forward(model, params, batch)
        return method.loss(forward, batch)[0]

    term = lambda p: value(p, 1.0) - value(p, 0.0)
    forward = helpers.forward(model, params, batch)
    phi = conditional_contributions(forward.log_probs(), batch["label"])
    return jax.grad(term)(params), np.asarray(phi.mean(-1)), term(params)


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")], ids=len)
def test_strict_form_leaves_the_dominant_encoder_alone(modalities):
    gradient, phi, _ = term_gradient("strict", modalities)
    for m, name in enumerate(modalities):
        size = max(
            float(jnp.abs(g).max())
            for g in jax.tree.leaves(gradient[f"encoders_{name}"])
        )
        if m == phi.argmax():
            assert size == 0.0
        else:
            assert size > 0


def test_loose_form_moves_the_dominant_encoder():
    gradient, phi, _ = term_gradient("loose", ("a", "b"))
    dominant = ("a", "b")[phi.argmax()]
    leaves = jax.tree.leaves(gradient[f"encoders_{dominant}"])
    assert max(float(jnp.abs(g).max()) for g in leaves) > 0


def test_forms_have_the_same_value():
    values = [
        term_gradient(form, ("a", "b"))[2] for form in ("loose", "strict")
    ]
    np.testing.assert_allclose(*values, atol=1e-6)


def test_without_its_terms_it_is_joint():
    model = helpers.tiny_model()
    params = model.init(jax.random.key(0))
    batch = helpers.tiny_batch()
    forward = helpers.forward(model, params, batch)
    plain = methods.create("arm", {"unimodal": 0.0, "balance": 0.0})
    np.testing.assert_allclose(
        plain.loss(forward, batch)[0],
        methods.create("joint", {}).loss(forward, batch)[0],
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"balance": -0.1}, "balance must be at least 0, got -0.1"),
        ({"unimodal": -1.0}, "unimodal must be at least 0"),
        ({"form": "hard"}, "form must be one of .* got 'hard'"),
    ],
)
def test_bad_options(options, message):
    batch = helpers.tiny_batch()
    model = helpers.tiny_model()
    forward = helpers.forward(model, model.init(jax.random.key(0)), batch)
    with pytest.raises(InputError, match=message):
        methods.create("arm", options).loss(forward, batch)
