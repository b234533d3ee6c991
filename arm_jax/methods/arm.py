"""ARM: adjust each modality towards a balanced contribution.

Gao et al., Asymmetric Reinforcing against Multi-modal Representation Bias,
AAAI 2025. The paper's equations are not available to this project: this is a
reconstruction of its description (a balanced min-max loss on the modalities'
conditional contributions), not a transcription.
"""

import jax
import jax.numpy as jnp

from arm_jax.errors import InputError
from arm_jax.methods import Batch, Forward, Metrics, terms
from arm_jax.valuation import at_label, conditional_contributions

FORMS = ("loose", "strict")


def loss(
    forward: Forward,
    batch: Batch,
    *,
    unimodal: float = 1.0,
    balance: float = 0.5,
    form: str = "loose",
) -> tuple[jax.Array, Metrics]:
    """CE(all) + unimodal * sum_m CE(m) + balance * contribution gap (nats).

    The contribution gap is the mean over pairs of modalities of
    stop_gradient(larger) - smaller of their batch-mean phi_CMI: it raises the
    smaller contribution and never pushes the larger one down directly.

    Args:
      forward: the model's forward pass.
      batch: with `label`, `[batch]`.
      unimodal: weight of the cross-entropies of single modalities.
      balance: weight of the contribution gap.
      form: "loose" differentiates phi_CMI as it stands, which also rewards a
        worse prediction from the other modalities; "strict" lets the gap of a
        modality reach that modality's encoder and the head only.

    Raises:
      InputError: a negative weight or an unknown form.
    """
    terms.check_weights("arm", unimodal=unimodal, balance=balance)
    if form not in FORMS:
        raise InputError(f"arm: form must be one of {FORMS}, got '{form}'")
    label = batch["label"]
    log_probs = forward.log_probs()
    phi = conditional_contributions(log_probs, label)
    if form == "strict":
        phi = _reaching_own_encoder(forward, label) - jax.lax.stop_gradient(
            at_label(log_probs.without, label)
        )
    gap = terms.contribution_gap(forward.mean(phi, terms.complete(batch)))
    total = (
        terms.fused_cross_entropy(log_probs, batch)
        + unimodal * terms.unimodal_cross_entropies(log_probs, batch).sum()
        + balance * gap
    )
    return total, {"contribution_gap": gap}


def _reaching_own_encoder(forward: Forward, label: jax.Array) -> jax.Array:
    """Log p_all at the label, `[modalities, batch]`.

    Row m has the gradient of modality m's features and of the head alone.
    """
    everything = jnp.ones(len(forward.features))
    frozen = jax.lax.stop_gradient(forward.features)
    rows = []
    for name, features in forward.features.items():
        logits = forward.head(frozen | {name: features}, everything)
        rows.append(at_label(jax.nn.log_softmax(logits), label))
    return jnp.stack(rows)
