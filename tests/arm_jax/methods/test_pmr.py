import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.pmr import prototype_log_probs
from tests.arm_jax import helpers


def survey(features, label):
    return methods.Survey(
        features={k: np.asarray(x, float) for k, x in features.items()},
        log_probs=None,
        label=np.asarray(label),
        log_prior=None,
    )


def after(method, survey, memory):
    epoch = helpers.EpochByHand({"train": survey}, memory=memory)
    assert method.begin_epoch(epoch) is None
    return epoch.variables.memory


def test_prototypes_by_hand():
    method = methods.create("pmr", {"momentum": 0.25})
    memory = {
        "prototypes": np.full((2, 3, 1), 7, np.float32),
        "epochs": np.zeros((), np.int32),
    }
    # Class 0 has the samples 0 and 1, class 1 sample 2, class 2 none.
    first = survey({"a": [[1], [3], [5]], "b": [[0], [2], [9]]}, [0, 0, 1])
    memory = after(method, first, memory)
    np.testing.assert_allclose(
        memory["prototypes"][..., 0], [[2, 5, 7], [1, 9, 7]]
    )
    second = survey({"a": [[6], [6], [1]], "b": [[1], [1], [1]]}, [0, 0, 1])
    memory = after(method, second, memory)
    np.testing.assert_allclose(
        memory["prototypes"][..., 0],
        [
            [0.25 * 2 + 0.75 * 6, 0.25 * 5 + 0.75 * 1, 7],
            [0.25 * 1 + 0.75 * 1, 0.25 * 9 + 0.75 * 1, 7],
        ],
    )
    assert memory["epochs"] == 2
    assert memory["prototypes"].dtype == np.float32


def test_log_probs_by_hand():
    # Distances 5 and 0, to prototypes (3, 4) and (0, 0).
    found = prototype_log_probs(
        jnp.zeros((1, 1, 2)), jnp.array([[[3.0, 4.0], [0.0, 0.0]]])
    )
    expected = -np.log(1 + np.exp([[[5.0, -5.0]]]))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_gradient_on_a_prototype_is_finite():
    value = lambda f: prototype_log_probs(f, jnp.zeros((1, 2, 2))).sum()
    assert np.isfinite(jax.grad(value)(jnp.zeros((1, 1, 2)))).all()


def test_only_the_weakest_modality_has_the_term():
    # Features and logits in one; b is further from its class's prototype.
    features = {"a": [[4.0, 0.0]], "b": [[1.0, 0.0]], "c": [[3.0, 0.0]]}
    prototypes = jnp.asarray([[[4.0, 0], [0, 0]]] * 3)
    memory = {"prototypes": prototypes, "epochs": jnp.ones((), jnp.int32)}
    batch = helpers.bare_batch([0], modalities=3)
    value = {
        alpha: methods.create("pmr", {"alpha": alpha}).loss(
            helpers.bare_forward(features, memory=memory), batch
        )[0]
        for alpha in (0.0, 2.0)
    }
    # Distances of b: 3 to its own class, 1 to the other.
    expected = 2 * np.log(1 + np.exp(3 - 1))
    np.testing.assert_allclose(value[2.0] - value[0.0], expected, rtol=1e-5)


def test_no_term_before_there_are_prototypes():
    method = methods.create("pmr", {})
    params, of = helpers.loss(method)
    _, joint = helpers.loss(methods.create("joint", {}))
    both = jax.jit(lambda p: (of(p)[0], joint(p)[0]))(params)
    np.testing.assert_allclose(*both, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha must be at least 0"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), got 1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        methods.create("pmr", options)
