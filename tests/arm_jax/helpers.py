"""A tiny task and model that the tests of methods and steps share."""

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax import methods, parallel, training
from arm_jax.config import ModelConfig, OptimizerConfig
from arm_jax.models import create_model

CLASSES = 3
SHAPES = {"a": (4,), "b": (3,), "c": (2,)}


def tiny_model(modalities=("a", "b"), fusion="concat"):
    shapes = {name: SHAPES[name] for name in modalities}
    config = ModelConfig(hidden=(), features=5)
    return create_model(config, shapes, CLASSES, fusion)


def tiny_batch(seed=0, size=8, modalities=("a", "b")):
    rng = np.random.default_rng(seed)
    label = rng.integers(CLASSES, size=size)
    return {
        "inputs": {
            name: (
                np.eye(CLASSES)[label]
                @ rng.normal(size=(CLASSES, *SHAPES[name]))
                + rng.normal(size=(size, *SHAPES[name]))
            ).astype(np.float32)
            for name in modalities
        },
        "label": label.astype(np.int32),
        "id": np.arange(size, dtype=np.int32),
        "mask": np.ones((size, len(modalities)), np.float32),
    }


def context(modalities=("a", "b")):
    return methods.Context(tuple(modalities), CLASSES, 5)


def forward(model, params, batch, *, memory=(), turn=0):
    """What a loss sees, as `training.make_train_step` builds it."""
    return methods.Forward(
        features=model.encode(params, batch["inputs"], None),
        head=lambda f, mask: model.head(params, f, mask * batch["mask"], {}),
        log_prior=jnp.log(jnp.full(CLASSES, 1 / CLASSES)),
        step=jnp.zeros((), jnp.int32),
        memory=memory,
        turn=turn,
    )


def steps(method, modalities=("a", "b"), *, learning_rate=1e-2):
    """Returns (state, step under plain jit, step over the devices)."""
    model = tiny_model(modalities, method.fusion)
    optimizer = training.create_optimizer(
        OptimizerConfig(learning_rate=learning_rate), total_steps=20
    )
    log_prior = np.log(np.full(CLASSES, 1 / CLASSES, np.float32))
    plain, mapped = (
        training.make_train_step(
            model, method, optimizer, log_prior, axis_name=axis
        )
        for axis in (None, parallel.AXIS)
    )
    state = training.create_state(model, method, optimizer, seed=0)
    return state, jax.jit(plain), mapped
