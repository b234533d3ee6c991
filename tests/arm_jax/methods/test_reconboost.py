import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError

LOGITS = np.array(
    [[[1.0, 0.0, 2.0]], [[0.5, 1.5, 0.0]], [[0.0, 0.3, 0.1]]], np.float32
)
LABEL = jnp.array([1])


def softmax(z):
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def stage_gradient(member=1, logits=LOGITS, **options):
    method = methods.create("reconboost", options)
    value = lambda z: method.of_stage(z, LABEL, member).sum()
    return jax.value_and_grad(value)(jnp.asarray(logits))


def test_gradient_is_the_residual_of_the_others():
    _, found = stage_gradient(form="divergence", reconcile=1.0, consolidate=0.0)
    rest = softmax(LOGITS[0, 0] + LOGITS[2, 0])
    expected = rest - np.eye(3)[1]
    np.testing.assert_allclose(found[1, 0], expected, atol=1e-6)
    # The others are fixed.
    np.testing.assert_array_equal(found[::2], 0)


def test_without_others_it_is_the_cross_entropy():
    value, found = stage_gradient(reconcile=0.0, consolidate=0.0)
    own = softmax(LOGITS[1, 0])
    assert value == pytest.approx(-np.log(own[1]), rel=1e-6)
    np.testing.assert_allclose(found[1, 0], own - np.eye(3)[1], atol=1e-6)
    for form in ("label", "divergence"):
        alone, _ = stage_gradient(
            0, LOGITS[1:2], form=form, reconcile=1.0, consolidate=9.0
        )
        assert alone == value


def test_consolidation_by_hand():
    plain, _ = stage_gradient(consolidate=0.0)
    value, _ = stage_gradient(consolidate=2.0)
    distance = (softmax(LOGITS[1, 0]) - softmax(LOGITS[0, 0])) ** 2
    assert value - plain == pytest.approx(2 * distance.mean(), rel=1e-5)
    # Before the first member comes the last.
    first = [stage_gradient(0, consolidate=weight)[0] for weight in (0.0, 1.0)]
    distance = (softmax(LOGITS[0, 0]) - softmax(LOGITS[2, 0])) ** 2
    assert first[1] - first[0] == pytest.approx(distance.mean(), rel=1e-5)


def test_released_form_by_hand():
    value, found = stage_gradient(form="label", reconcile=0.2, consolidate=0.0)
    own, rest = softmax(LOGITS[1, 0]), softmax(LOGITS[0, 0] + LOGITS[2, 0])
    # 5 CE and 1 of the rest, by 5.
    expected = -np.log(own[1]) + rest[1] * np.log(own[1]) / 5
    assert value == pytest.approx(expected, rel=1e-6)
    scale = 1 - rest[1] / 5
    np.testing.assert_allclose(
        found[1, 0], scale * (own - np.eye(3)[1]), atol=1e-6
    )


def test_stages():
    method = methods.create("reconboost", {"stage": 2, "rectify": 1})
    phases = [method.phase(epoch, 3) for epoch in range(10)]
    assert phases == [0, 0, None, 1, 1, None, 2, 2, None, 0]
    assert method.least_epochs(3) == 9
    params = {"encoders": {"b": 0, "a": 0}, "head": 0, "method": {}}
    held = method.held(params, 0, 1)
    assert held["encoders"] == held["method"] == {"a": True, "b": False}
    assert method.held(params, 0, None) == {
        "encoders": False, "head": True, "method": False
    }  # fmt: skip
    never = methods.create("reconboost", {"rectify": 0})
    assert [never.phase(epoch, 2) for epoch in range(3)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stage": 0}, "stage must be at least 1, got 0"),
        ({"reconcile": -0.1}, r"reconcile must be at least 0, got -0\.1"),
        ({"form": "paper"}, "form must be one of label, divergence"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"method\.options\.{message}"):
        methods.create("reconboost", options)
