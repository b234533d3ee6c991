import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from arm_jax import methods, optimizers
from arm_jax.config import OptimizerConfig
from arm_jax.errors import InputError
from arm_jax.methods.late_fusion import mean_probability
from tests.arm_jax import helpers

P = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.6, 0.4]]])


def test_average_by_hand():
    log_p = jnp.log(jnp.asarray(P, jnp.float32))
    both = mean_probability(log_p, jnp.ones(2))
    np.testing.assert_allclose(jnp.exp(both), P.mean(0), rtol=1e-5)
    first = mean_probability(log_p, jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(jnp.exp(first), P[0], rtol=1e-5)
    mask = jnp.array([[0.0, 1.0], [0.0, 0.0]])
    by_example = jnp.exp(mean_probability(log_p, mask))
    np.testing.assert_allclose(by_example, [P[1, 0], [0.5, 0.5]], rtol=1e-5)


def test_sum_of_logits():
    method = methods.create("late_fusion", {"average": "logits"})
    heads = {
        name: {"kernel": jnp.eye(2) * scale, "bias": jnp.ones(2)}
        for name, scale in (("a", 1.0), ("b", 3.0))
    }
    x = {"a": jnp.array([[1.0, 0.0]]), "b": jnp.array([[0.0, 1.0]])}
    found = method.fuse(None, x, jnp.ones(2), (), heads)
    np.testing.assert_allclose(found, [[3, 5]])


def test_loss_by_hand():
    heads = {
        name: {"kernel": jnp.eye(2) * scale, "bias": jnp.zeros(2)}
        for name, scale in (("a", 1.0), ("b", 3.0))
    }
    features = {"a": [[1.0, 0.0], [0.0, 2.0]], "b": [[0.0, 1.0], [5.0, 0.0]]}
    seen = helpers.bare_forward(features)._replace(parameters=heads)
    batch = helpers.bare_batch([0, 1])
    batch["mask"][1, 1] = 0
    value, _ = methods.create("late_fusion", {}).loss(seen, batch)
    loss = lambda lead: np.log1p(np.exp(-lead))
    # Each as if alone: a sum over modalities, a mean over examples.
    expected = (loss(1) + loss(2)) / 2 + loss(-3) / 2
    assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_each_modality_has_a_rate_and_a_decay_of_its_own(name):
    method = methods.create(
        "late_fusion",
        {"learning_rates": (0.5, 1.0), "weight_decays": (1.0, 3.0)},
    )
    config = OptimizerConfig(name=name, learning_rate=0.1, weight_decay=0.02)
    params = {
        kind: {m: jnp.arange(1.0, 4) for m in ("a", "b", "c")}
        for kind in ("encoders", "method", "head")
    }
    gradients = jax.tree.map(lambda x: jnp.sin(3 * x), params)
    several = optimizers.create(config, 5, scales=method.scales(("a", "b")))
    found = descended(several, params, gradients)
    for m, rate, decay in (("a", 0.05, 0.02), ("b", 0.1, 0.06)):
        own = OptimizerConfig(name=name, learning_rate=rate, weight_decay=decay)
        alone = optimizers.create(own, 5)
        x = params["encoders"][m]
        expected = descended(alone, x, gradients["encoders"][m])
        for kind in ("encoders", "method"):
            np.testing.assert_allclose(found[kind][m], expected, rtol=1e-6)
    plain = descended(optimizers.create(config, 5), params, gradients)
    # Heads of the model are no modality's, whatever they are called.
    jax.tree.map(np.testing.assert_array_equal, found["head"], plain["head"])
    np.testing.assert_array_equal(found["method"]["c"], plain["method"]["c"])


def test_without_scales_it_is_what_optax_has():
    config = OptimizerConfig(learning_rate=0.1, weight_decay=0.1)
    x = jnp.arange(1.0, 4)
    schedule = optax.warmup_cosine_decay_schedule(0.1, 0.1, 0, 5)
    adamw = optax.adamw(schedule, weight_decay=0.1)
    expected = descended(adamw, x, jnp.sin(x))
    found = descended(optimizers.create(config, 5), x, jnp.sin(x))
    np.testing.assert_array_equal(found, expected)


def descended(optimizer, params, gradients):
    @jax.jit
    def steps(params):
        state = optimizer.init(params)
        for _ in range(3):
            updates, state = optimizer.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
        return params

    with jax.numpy_dtype_promotion("standard"):
        return steps(params)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"average": "votes"}, "average must be one of probabilities, logits"),
        (
            {"learning_rates": (1.0, -1.0)},
            r"learning_rates\[1\] must be at least 0, got -1",
        ),
        (
            {"weight_decays": ("x",)},
            r"weight_decays\[0\] must be of type float, got 'x'",
        ),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"method\.options\.{message}"):
        methods.create("late_fusion", options)


def test_factors_of_another_number_of_modalities():
    method = methods.create("late_fusion", {"weight_decays": (1.0, 2.0)})
    assert method.scales(("a", "b")) == {"a": (1.0, 1.0), "b": (1.0, 2.0)}
    message = (
        r"config method\.options\.weight_decays must have a factor each for "
        r"a, b, c, or none, got \(1\.0, 2\.0\)"
    )
    with pytest.raises(InputError, match=message):
        method.scales(("a", "b", "c"))
    assert methods.create("late_fusion", {}).scales(("a",)) == {}
