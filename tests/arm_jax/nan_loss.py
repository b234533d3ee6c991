"""A loss that breaks down at the tenth step."""

import jax.numpy as jnp

from arm_jax.methods import create


def loss(forward, batch):
    value, metrics = create("joint", {}).loss(forward, batch)
    return value * jnp.where(forward.step >= 9, jnp.nan, 1.0), metrics
