"""Cross-entropy on everything: fused, and every modality alone.

A plain multi-task loss, older than the methods against imbalance and a strong
baseline that several of their papers leave out.
"""

import jax

from arm_jax.methods import Batch, Forward, Metrics, terms

TAKES_MISSING = True
TASKS = ("classes", "labels", "regression")
TUNED = {"unimodal": (1.0, 0.3, 3.0), "learning_rate": (1.0, 3.0)}


def loss(
    forward: Forward, batch: Batch, *, unimodal: float = 1.0
) -> tuple[jax.Array, Metrics]:
    """CE(all) + unimodal * sum_m CE(m), in nats.

    Args:
      forward: the model's forward pass.
      batch: with `label`, `[batch]`.
      unimodal: weight of the cross-entropies of single modalities.

    Raises:
      InputError: a negative weight.
    """
    terms.check_weights("uniform", unimodal=unimodal)
    log_probs = forward.log_probs()
    alone = terms.unimodal_cross_entropies(log_probs, batch).sum()
    return terms.fused_cross_entropy(log_probs, batch) + unimodal * alone, {}
