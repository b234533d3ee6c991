"""Focal loss, fused and of every modality alone: a loss of one's own."""

import jax.numpy as jnp

from arm_jax.methods import terms
from arm_jax.valuation import at_label


def loss(forward, batch, *, focus: float = 2.0, unimodal: float = 0.0):
    """Mean of -(1 - p)^focus log p, with p the probability of the label.

    Examples that a modality already gets right count little for it (Lin et
    al., Focal Loss for Dense Object Detection, ICCV 2017).

    Args:
      forward: features, head and the subsets' log-probabilities.
      batch: `label` `[batch]`, `mask` `[batch, modalities]`.
      focus: 0 is cross-entropy.
      unimodal: weight of the single modalities.
    """
    terms.check_weights("own_loss", focus=focus, unimodal=unimodal)

    def focal(log_probs):
        log_p = at_label(log_probs, batch["label"])
        return -((1 - jnp.exp(log_p)) ** focus * log_p).mean(axis=-1)

    log_probs = forward.log_probs()
    fused, alone = focal(log_probs.full), focal(log_probs.alone)
    return fused + unimodal * alone.sum(), {"focal_fused": fused}
