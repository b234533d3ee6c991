"""Joint training: cross-entropy of the fused prediction, nothing else."""

from collections.abc import Mapping
from typing import Any

import jax

from arm_jax.methods import Forward, Metrics
from arm_jax.valuation import at_label


def loss(
    forward: Forward, batch: Mapping[str, Any]
) -> tuple[jax.Array, Metrics]:
    """Mean cross-entropy of all modalities together (nats)."""
    log_probs = forward.log_probs().full
    return -at_label(log_probs, batch["label"]).mean(), {}
