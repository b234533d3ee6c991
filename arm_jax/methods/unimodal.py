"""Every modality trained alone: what the others are compared with."""

import dataclasses
from typing import ClassVar

from arm_jax.methods import Batch, Forward, Loss, Method, terms

TAKES_MISSING = True
TASKS = ("classes", "labels", "regression")
TUNED = {"learning_rate": (1.0, 0.1, 0.3, 3.0, 10.0, 30.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unimodal(Method):
    """Sum over modalities of the cross-entropy of the modality alone (nats).

    The head has a linear layer per modality and no others, so with
    `model.absent` "zero" no parameter is in two of the terms: this is M
    independent trainings in one program (but for `optimizer.clip_norm`, whose
    norm is over all parameters). The fused prediction, the softmax of the sum
    of logits, is a product of experts that were never trained together.
    """

    needs_additive_head: ClassVar[bool] = True

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Sum of the cross-entropies of single modalities."""
        log_probs = forward.log_probs()
        return terms.unimodal_cross_entropies(log_probs, batch).sum(), {}
