"""Adam, whose counts are those of single arrays of parameters."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from arm_jax import optimizers
from arm_jax.config import OptimizerConfig

RATE, DECAY = 0.01, 0.1
CONFIG = OptimizerConfig(
    name="adamw", learning_rate=RATE, weight_decay=DECAY, schedule="constant"
)
OPTIMIZER = optimizers.create(CONFIG, total_steps=2000)
PARAMS = {"x": jnp.ones(2), "y": {"z": jnp.full(3, 2.0)}}


def gradient(number):
    """Of a step, another one each time; the same before any step."""
    return jax.tree.map(lambda p: jnp.sin(p + number), PARAMS)


@functools.partial(jax.jit, static_argnames=("steps", "optimizer"))
def updates(state, start, steps, optimizer=OPTIMIZER):
    """Updates of some steps, `[steps, ...]`, and the state after them.

    Of the same parameters each time: weights decay by the same amount.
    """

    def step(state, number):
        found, state = optimizer.update(gradient(number), state, PARAMS)
        return state, found

    numbers = jnp.arange(steps, dtype=jnp.float32) + start
    state, found = jax.lax.scan(step, state, numbers)
    return found, state


def close(a, b):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), a, b)


def test_it_is_that_of_optax_to_the_last_bit():
    optimizer = optax.adamw(RATE, weight_decay=DECAY)
    with jax.numpy_dtype_promotion("standard"):
        expected, _ = updates(optimizer.init(PARAMS), 0.0, 50, optimizer)
    found, _ = updates(OPTIMIZER.init(PARAMS), 0.0, 50)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_a_warm_up_leaves_a_step_at_the_whole_rate():
    # 0.99 of 5 steps are, rounded, all of them.
    config = OptimizerConfig(name="sgd", momentum=0.0, warmup=0.99)
    optimizer = optimizers.create(config, total_steps=5)
    state, rates = optimizer.init(PARAMS), []
    for _ in range(5):
        ones = jax.tree.map(jnp.ones_like, PARAMS)
        still = jax.tree.map(jnp.zeros_like, PARAMS)
        found, state = optimizer.update(ones, state, still)
        rates.append(-float(found["x"][0]))
    expected = config.learning_rate * np.arange(5) / 4
    np.testing.assert_allclose(rates, expected, atol=1e-9)


def test_renewed_parameters_go_on_as_with_a_new_optimiser():
    _, old = updates(OPTIMIZER.init(PARAMS), 0.0, 1000)
    renewed = {"x": np.True_, "y": {"z": np.False_}}
    state = optimizers.renewed_moments(OPTIMIZER, old, PARAMS, renewed)
    found, _ = updates(state, 1000.0, 5)
    fresh, _ = updates(OPTIMIZER.init(PARAMS), 1000.0, 5)
    going_on, _ = updates(old, 1000.0, 5)
    close(found["x"], fresh["x"])
    close(found["y"], going_on["y"])
    # The first step of Adam is of the size of the learning rate.
    size = np.abs(found["x"][0] + RATE * DECAY * PARAMS["x"])
    np.testing.assert_allclose(size, RATE, rtol=1e-3)


def test_held_parameters_go_on_as_if_no_step_had_passed():
    _, state = updates(OPTIMIZER.init(PARAMS), 0.0, 3)
    expected, _ = updates(state, 9.0, 5)
    for _ in range(4):
        _, new = updates(state, 7.0, 1)
        both = (PARAMS, state), (PARAMS, new)
        held = {"x": False, "y": True}
        _, state = optimizers.hold(OPTIMIZER, held, *both)
    found, _ = updates(state, 9.0, 5)
    close(found["y"], expected["y"])
    assert np.abs(found["x"] / expected["x"] - 1).max() > 1e-3
