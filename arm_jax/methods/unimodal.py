"""Every modality trained alone: what the others are compared with."""

import jax

from arm_jax.methods import Batch, Forward, Method, Metrics, terms


def method() -> Method:
    """Sum over modalities of the cross-entropy of the modality alone (nats).

    The head has a linear layer per modality and no others, so with
    `model.absent` "zero" no parameter is in two of the terms: this is M
    independent trainings in one program (but for `optimizer.clip_norm`, whose
    norm is over all parameters). The fused prediction, the softmax of the sum
    of logits, is a product of experts that were never trained together.
    """
    return Method(_loss, additive_head=True)


def _loss(forward: Forward, batch: Batch) -> tuple[jax.Array, Metrics]:
    log_probs = forward.log_probs()
    return terms.unimodal_cross_entropies(log_probs, batch).sum(), {}
