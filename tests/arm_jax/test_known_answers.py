"""Valuation of models that were trained on problems with known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from arm_jax import heads, methods, training
from arm_jax.config import ModelConfig
from arm_jax.models import create_model
from arm_jax.valuation import (
    conditional_contributions,
    joint_contribution,
    subset_log_probs,
)

STEPS = 400
LOG_PRIOR = np.log(np.full(2, 0.5, np.float32))
# Of the bit that the label copies, how often it is flipped.
NOISE = 0.1
CAPACITY = 1 + NOISE * np.log2(NOISE) + (1 - NOISE) * np.log2(1 - NOISE)
RULES = {
    "xor": lambda a, b: a ^ b,
    "copy": lambda a, _: a,
    "unq": lambda a, _: a,
}
# I(X1,X2;Y), I(X1;Y|X2), I(X2;Y|X1), I(X1;Y), I(X2;Y), as shares of what the
# noise leaves of a bit.
ANSWERS = {
    "xor": (1, 1, 1, 0, 0),
    "copy": (1, 0, 0, 1, 1),
    "unq": (1, 1, 0, 1, 0),
}
PROBLEMS = [(name, noise) for name in RULES for noise in (0.0, NOISE)]


def rows(name, noise):
    """Forty rows whose frequencies are the probabilities of the problem."""
    a, b = np.tile(np.indices((2, 2)).reshape(2, 4), 10)
    if name == "copy":
        b = a
    flipped = np.repeat(np.arange(10), 4) < 10 * noise
    label = RULES[name](a, b) ^ flipped
    return {
        "inputs": {
            "a": np.eye(2, dtype=np.float32)[a],
            "b": np.eye(2, dtype=np.float32)[b],
        },
        "label": label.astype(np.int32),
        "mask": np.ones((40, 2), np.float32),
    }


@pytest.fixture(scope="module")
def found():
    """The five means of each problem, in bits: all trained in one program."""
    config = ModelConfig(hidden=(), features=8, head=(16,))
    model = create_model(config, {"a": (2,), "b": (2,)}, 2)
    method = methods.create("uniform", {})
    optimizer = optax.adam(optax.cosine_decay_schedule(0.03, STEPS))
    step = training.make_train_step(model, method, optimizer, LOG_PRIOR)
    batches = [rows(*problem) for problem in PROBLEMS]

    def means(seed, batch):
        state = training.create_state(model, method, optimizer, seed)
        state, _ = jax.lax.scan(
            lambda state, _: (step(state, batch)[0], None), state, None, STEPS
        )
        head = heads.bind_head(model, method, state.variables)
        variables = state.variables
        features, _ = model.encode(
            variables.params, variables.state, batch["inputs"]
        )
        log_probs = subset_log_probs(head, features)
        label = batch["label"]
        alone = log_probs._replace(full=log_probs.alone)
        return jnp.concatenate(
            [
                joint_contribution(log_probs, LOG_PRIOR, label)[None],
                conditional_contributions(log_probs, label),
                joint_contribution(alone, LOG_PRIOR, label),
            ]
        ).mean(-1) / np.log(2)

    stacked = jax.tree.map(lambda *x: np.stack(x), *batches)
    seeds = jnp.zeros(len(PROBLEMS), jnp.int32)
    # Optax's Adam promotes types, and here modalities are before the batch.
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        return np.asarray(jax.jit(jax.vmap(means))(seeds, stacked))


@pytest.mark.parametrize("number", range(len(PROBLEMS)), ids=str)
def test_trained_to_the_known_answer(found, number):
    name, noise = PROBLEMS[number]
    answer = np.array(ANSWERS[name]) * (CAPACITY if noise else 1)
    np.testing.assert_allclose(found[number], answer, atol=0.02)
