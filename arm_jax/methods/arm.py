"""ARM: asymmetric reinforcing of the modalities that contribute least.

Gao et al., Asymmetric Reinforcing against Multi-modal Representation Bias,
AAAI 2025. The paper's equations are not available to this project: what
follows is a reconstruction of its description, in which the joint contribution
phi_MI and each modality's conditional contribution phi_CMI (arm_jax.valuation)
drive three parts, each of which can be switched off:

1. dynamic fusion: the modalities' terms in the head are weighted by what they
   contribute;
2. a balanced min-max loss: shrink the differences of phi_CMI, raise phi_MI;
3. dynamic re-sampling: replay the sample with its weakest modality only.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax.errors import InputError, check_choice
from arm_jax.methods import (
    Batch,
    Context,
    Copies,
    Forward,
    Memory,
    Method,
    Metrics,
    Survey,
    terms,
)
from arm_jax.valuation import (
    Head,
    Subsets,
    at_label,
    conditional_contributions,
    expected_conditional_contributions,
    subset_log_probs,
)

FORMS = ("loose", "strict")
FUSIONS = ("none", "running", "sample")
# Decay a step of the running contributions.
_DECAY = 0.99


def method(
    *,
    unimodal: float = 1.0,
    balance: float = 0.5,
    joint: float = 0.0,
    form: str = "loose",
    fusion: str = "sample",
    temperature: float = 3.0,
    replay: float = 0.5,
    warmup: int = 2,
) -> Method:
    """CE(all) + unimodal * sum_m CE(m) + balance * gap - joint * phi_MI (nats).

    The gap is the mean over pairs of modalities of stop_gradient(larger) -
    smaller of their batch-mean phi_CMI: it raises the smaller contribution and
    never pushes the larger one down directly. CE(all) raises phi_MI already;
    `joint` does so once more.

    Args:
      unimodal: weight of the cross-entropies of single modalities.
      balance: weight of the contribution gap.
      joint: weight of the mean joint contribution.
      form: "loose" differentiates phi_CMI as it stands, which also rewards a
        worse prediction from the other modalities; "strict" lets the gap of a
        modality reach that modality's encoder and the head only.
      fusion: weights of the modalities' terms in the head, softmax of
        contribution / temperature over those present, times their number:
        "running" takes the running mean of phi_CMI in training, "sample" each
        sample's expected phi_CMI under the model's own prediction, which needs
        no label; "none" weighs all alike.
      temperature: of the fusion weights, in bits.
      replay: samples replayed an epoch, as a share of the training examples:
        drawn with a probability in proportion to max_m phi_CMI - min_m
        phi_CMI, each with its weakest modality only. 0 for none.
      warmup: epochs before the first re-sampling.

    Raises:
      InputError: a negative weight, an unknown form or fusion.
    """
    terms.check_weights(
        "arm", unimodal=unimodal, balance=balance, joint=joint, replay=replay
    )
    for name, value, known in (
        ("form", form, FORMS),
        ("fusion", fusion, FUSIONS),
    ):
        check_choice(f"method 'arm': {name}", value, known)
    if not temperature > 0:
        raise InputError(
            f"method 'arm': temperature must be above 0, got {temperature}"
        )
    if replay > 1:
        raise InputError(
            f"method 'arm': replay must be at most 1, got {replay}"
        )
    if warmup < 0:
        raise InputError(
            f"method 'arm': warmup must be at least 0, got {warmup}"
        )
    running = fusion == "running"
    fuse = partial(_fuse, fusion=fusion, temperature=temperature)
    return Method(
        loss=partial(
            _loss, unimodal=unimodal, balance=balance, joint=joint, form=form
        ),
        init=_init if running else Method._field_defaults["init"],
        fuse=None if fusion == "none" else fuse,
        update=_update if running else None,
        begin_epoch=partial(_begin_epoch, replay=replay) if replay else None,
        warmup=warmup if replay else 0,
        replay=replay,
    )


def _loss(
    forward: Forward,
    batch: Batch,
    *,
    unimodal: float,
    balance: float,
    joint: float,
    form: str,
) -> tuple[jax.Array, Metrics]:
    label = batch["label"]
    log_probs = forward.log_probs()
    phi = conditional_contributions(log_probs, label)
    if form == "strict":
        phi = _reaching_own_encoder(forward, label) - jax.lax.stop_gradient(
            at_label(log_probs.without, label)
        )
    phi = forward.mean(phi, terms.complete(batch))
    gap = terms.contribution_gap(phi)
    cross_entropy = terms.fused_cross_entropy(log_probs, batch)
    total = (
        # phi_MI is a constant less the cross-entropy.
        (1 + joint) * cross_entropy
        + unimodal * terms.unimodal_cross_entropies(log_probs, batch).sum()
        + balance * gap
    )
    return total, {"contribution_gap": gap, "phi_cmi": phi}


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


def _init(context: Context, key: jax.Array) -> Memory:
    del key
    return jnp.zeros(len(context.modalities))


def _update(
    gradients: Any, metrics: Metrics, memory: Memory, key: jax.Array
) -> tuple[Any, Memory]:
    del key
    bits = metrics["phi_cmi"] / jnp.log(2.0)
    return gradients, _DECAY * memory + (1 - _DECAY) * bits


def fusion_weights(
    contributions: jax.Array, mask: jax.Array, temperature: float
) -> jax.Array:
    """Weights in (0, M), with mean 1 over the M modalities that are present.

    Args:
      contributions: `[..., modalities]` in bits.
      mask: 1 for the modalities present, `[..., modalities]`.
      temperature: in bits; the smaller, the more the largest one counts.
    """
    scores = jnp.where(mask > 0, contributions / temperature, -jnp.inf)
    # A sample without any modality has no weights to speak of.
    scores = jnp.where(mask.sum(-1, keepdims=True) > 0, scores, 0.0)
    return jax.nn.softmax(scores) * mask.sum(-1, keepdims=True)


def _fuse(
    head: Head,
    features: Mapping[str, jax.Array],
    mask: jax.Array,
    memory: Memory,
    *,
    fusion: str,
    temperature: float,
) -> jax.Array:
    mask = jnp.atleast_2d(mask)
    if fusion == "running":
        contributions = memory[None]
    else:
        log_probs = subset_log_probs(head, features)
        contributions = expected_conditional_contributions(log_probs).T
        contributions = contributions / jnp.log(2.0)
        mask = jnp.broadcast_to(mask, contributions.shape)
    # Contributions weigh the prediction; it does not learn to move them.
    contributions = jax.lax.stop_gradient(contributions)
    weights = fusion_weights(contributions, mask, temperature)
    return head(features, weights)


def _begin_epoch(
    survey: Survey, memory: Memory, rng: np.random.Generator, *, replay: float
) -> tuple[Memory, Copies]:
    at = np.arange(len(survey.label)), survey.label
    log_probs: Subsets = survey.log_probs
    without = log_probs.without[at[0], :, at[1]]
    phi = np.asarray(log_probs.full[at][:, None] - without)
    return memory, replay_weakest(phi, round(replay * len(phi)), rng)


def replay_weakest(
    phi: np.ndarray, count: int, rng: np.random.Generator
) -> Copies:
    """Draws samples by how unequal their contributions are.

    Args:
      phi: phi_CMI `[n, modalities]`.
      count: how many samples to draw, without replacement.
      rng: what draws them.

    Returns:
      The samples, each with its weakest modality only; of those whose
      contributions are equal some are drawn only when no others are left.
    """
    gap = phi.max(axis=1) - phi.min(axis=1)
    # Gumbel top-k: successive draws in proportion to the gap.
    with np.errstate(divide="ignore"):
        keys = np.log(gap) + rng.gumbel(size=len(gap))
    row = np.argsort(-keys, kind="stable")[:count]
    return Copies(row, np.eye(phi.shape[1])[phi[row].argmin(axis=1)])
