"""A loss outside the project, as a user would write it."""

from arm_jax.valuation import at_label


def loss(forward, batch, *, scale: float = 1.0):
    log_probs = forward.log_probs().full
    return -scale * at_label(log_probs, batch["label"]).mean(), {}
