"""A tiny task and model that the tests of methods and steps share."""

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax import methods, parallel, training
from arm_jax.config import ModelConfig, OptimizerConfig
from arm_jax.models import create_model

CLASSES = 3
SHAPES = {"a": (4,), "b": (3,), "c": (2,)}


def tiny_model(modalities=("a", "b")):
    shapes = {name: SHAPES[name] for name in modalities}
    return create_model(ModelConfig(hidden=(), features=5), shapes, CLASSES)


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
    }


def forward(model, params, batch, axis_name=None):
    """What a loss sees, as `training.make_train_step` builds it."""
    return methods.Forward(
        features=model.encode(params, batch["inputs"], None),
        head=lambda f, mask: model.head(params, f, mask),
        log_prior=jnp.log(jnp.full(CLASSES, 1 / CLASSES)),
        step=jnp.zeros((), jnp.int32),
        axis_name=axis_name,
    )


def steps(loss, modalities=("a", "b"), *, optimizer=None):
    """Returns (state, step under plain jit, step over the devices)."""
    model = tiny_model(modalities)
    optimizer = training.create_optimizer(
        optimizer or OptimizerConfig(learning_rate=1e-2), total_steps=20
    )
    log_prior = np.log(np.full(CLASSES, 1 / CLASSES, np.float32))
    plain, mapped = (
        training.make_train_step(
            model, loss, optimizer, log_prior, axis_name=axis
        )
        for axis in (None, parallel.AXIS)
    )
    state = training.create_state(model, optimizer, seed=0)
    return state, jax.jit(plain), mapped
