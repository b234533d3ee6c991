"""Joint training: cross-entropy of the fused prediction, nothing else."""

import jax

from arm_jax.methods import Batch, Forward, Metrics, terms

TAKES_MISSING = True
TASKS = ("classes", "labels", "regression")
TUNED = {"learning_rate": (1.0, 0.1, 0.3, 3.0, 10.0, 30.0)}


def loss(forward: Forward, batch: Batch) -> tuple[jax.Array, Metrics]:
    """Mean cross-entropy of all modalities together (nats)."""
    return terms.fused_cross_entropy(forward.log_probs(), batch), {}
