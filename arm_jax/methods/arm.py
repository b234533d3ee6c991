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

Fusion weights grow with phi_CMI: what a modality adds to a sample, given the
others, says how far its term is to be trusted there, in prediction too. The
rule that the released code is meant to have (`arm_released`) goes the other
way, and raises the modality that contributes least; here the loss and the
replay do that, in training alone.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax.methods import (
    Batch,
    Context,
    Copies,
    Epoch,
    Forward,
    Loss,
    Memory,
    Method,
    Step,
    terms,
)
from arm_jax.valuation import (
    Head,
    Subsets,
    at_label,
    conditional_contributions,
    expected_conditional_contributions,
    masks_for,
    normalized,
)

FORMS = ("loose", "strict")
FUSIONS = ("none", "running", "sample")
TAKES_MISSING = True
TASKS = ("classes", "labels", "regression")
# Decay a step of the running contributions.
_DECAY = 0.99
TUNED = {"unimodal": (1.0, 4.0, 16.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ARM(Method):
    """CE(all) + unimodal * sum_m CE(m) + balance * gap - joint * phi_MI (nats).

    The gap is the mean over pairs of modalities of stop_gradient(larger) -
    smaller of their batch-mean phi_CMI: it raises the smaller contribution and
    never pushes the larger one down directly. The means are over the examples
    that have all modalities; of a batch without any the gap is 0. CE(all)
    raises phi_MI already; `joint` does so once more.

    Attributes:
      unimodal: Weight of the cross-entropies of single modalities.
      balance: Weight of the contribution gap.
      joint: Weight of the mean joint contribution.
      form: "loose" differentiates phi_CMI as it stands, which also rewards a
        worse prediction from the other modalities; "strict" lets the gap of a
        modality reach that modality's encoder and the head only.
      fusion: Weights of the modalities' terms in the head, softmax of
        contribution / temperature over those present, times their number:
        "running" takes the running mean of phi_CMI in training, "sample" each
        sample's expected phi_CMI, given the others that are present, under the
        model's own prediction, which needs no label; "none" weighs all alike.
      temperature: Temperature of the fusion weights, in bits.
      replay: Samples replayed per epoch, as a share of the training examples:
        drawn with a probability in proportion to max_m phi_CMI - min_m
        phi_CMI, each with its weakest modality only. 0 for none.
      warmup: Epochs before the first re-sampling.
    """

    unimodal: float = 1.0
    balance: float = 0.5
    joint: float = 0.0
    form: str = "loose"
    fusion: str = "sample"
    temperature: float = 3.0
    replay: float = 0.5
    warmup: int = 2

    def check(self) -> None:
        """Raises InputError for a negative weight, or a word not known."""
        terms.check_weights(
            "arm",
            unimodal=self.unimodal,
            balance=self.balance,
            joint=self.joint,
            replay=self.replay,
            warmup=self.warmup,
        )
        terms.check_options(
            "arm",
            {"form": FORMS, "fusion": FUSIONS},
            form=self.form,
            fusion=self.fusion,
        )
        terms.check_positive("arm", temperature=self.temperature)
        if self.replay > 1:
            raise terms.refused("arm", "replay", "be at most 1", self.replay)

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns running contributions of 0 bits, where they are needed."""
        if self.fusion != "running":
            return ()
        return jnp.zeros(len(context.modalities))

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The loss above; the batch-mean phi_CMI is carried over."""
        label = batch["label"]
        log_probs = forward.log_probs()
        phi = conditional_contributions(log_probs, label)
        if self.form == "strict":
            phi = _reaching_own_encoder(forward, label) - jax.lax.stop_gradient(
                at_label(log_probs.without, label)
            )
        complete = terms.complete(batch)
        phi = forward.mean(phi, complete)
        gap = self.gap(phi, forward.memory)
        alone = terms.unimodal_cross_entropies(log_probs, batch)
        total = (
            # phi_MI is a constant less the cross-entropy.
            (1 + self.joint) * terms.fused_cross_entropy(log_probs, batch)
            + self.unimodal * alone.sum()
            + self.balance * gap
        )
        if self.fusion == "running":
            # A batch without a complete example says nothing: what was stays.
            was = jnp.log(2.0) * self.running(forward.memory)
            phi = jnp.where(forward.mean(complete) > 0, phi, was)
        return total, {"contribution_gap": gap}, phi

    def gap(self, phi: jax.Array, memory: Memory) -> jax.Array:
        """The contribution gap, of phi_CMI `[modalities]` of the batch."""
        return terms.contribution_gap(phi)

    def remember(self, step: Step) -> Memory:
        """Updates the running contributions."""
        if self.fusion != "running":
            return step.memory
        bits = step.carry / jnp.log(2.0)
        return _DECAY * step.memory + (1 - _DECAY) * bits

    def running(self, memory: Memory) -> Memory:
        """The running contributions, or nothing."""
        return memory

    def fuse(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        memory: Memory,
        parameters: Any,
    ) -> jax.Array:
        """Logits of modalities that are weighted by their contributions."""
        if self.fusion == "none" or len(features) == 1:
            return head(features, mask)
        mask = jnp.atleast_2d(mask)
        if self.fusion == "running":
            contributions = self.running(memory)[None]
        else:
            everything = np.ones((1, len(features)))
            contributions = _among(head, features, everything, mask)[0]
        return head(features, self.weights(contributions, mask))

    def fuse_masks(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        masks: np.ndarray,
        present: jax.Array | None,
        memory: Memory,
        parameters: Any,
    ) -> Any:
        """Logits likewise; subsets that several masks look at, once."""
        if self.fusion != "sample" or masks.sum(1).max() < 2:
            return super().fuse_masks(
                head, features, masks, present, memory, parameters
            )
        contributions = _among(head, features, masks, present)
        mask = masks_for(features, masks)[:, None]
        if present is not None:
            mask = mask * present[None]
        weights = self.weights(contributions, mask)
        return jax.vmap(head, in_axes=(None, 0))(features, weights)

    def weights(self, contributions: jax.Array, mask: jax.Array) -> jax.Array:
        """Fusion weights of contributions in bits; both `[..., modalities]`."""
        mask = jnp.broadcast_to(
            mask, jnp.broadcast_shapes(mask.shape, contributions.shape)
        )
        # Contributions weigh the prediction; it does not learn to move them.
        contributions = jax.lax.stop_gradient(contributions)
        return fusion_weights(contributions, mask, self.temperature)

    def starts(self) -> int:
        """The first epoch with replayed samples."""
        return self.warmup if self.replay else 0

    def copies(self, examples: int) -> int:
        """Number of samples replayed per epoch."""
        return round(self.replay * examples)

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Draws the samples to be replayed."""
        if not self.replay:
            return None
        survey = epoch.survey()
        phi = conditional_contributions(survey.log_probs, survey.label).T
        count = self.copies(len(phi))
        return replay_weakest(phi, count, epoch.rng, survey.present)


def _among(
    head: Head,
    features: Mapping[str, jax.Array],
    masks: np.ndarray,
    present: jax.Array | None,
) -> jax.Array:
    """Expected phi_CMI (bits) of those in each mask, given the others in it.

    What is masked has no say in the weights of the others. Subsets of subsets
    are often the same, and a modality alone is not weighted: with six
    modalities 22 predictions are needed, of 13 times 7.

    Args:
      head: The model's.
      features: Those of each modality.
      masks: `[masks, modalities]`, of 0 and 1; one at least has two.
      present: What the batch has, `[1 or batch, modalities]`; None for all.

    Returns:
      `[masks, batch, modalities]`, 0 for modalities that are alone.
    """
    several = masks * (masks.sum(1, keepdims=True) > 1)
    which, modality = np.nonzero(several)
    less = masks[which]
    less[np.arange(len(less)), modality] = 0
    needed, place = np.unique(
        np.concatenate([masks[which], less]), axis=0, return_inverse=True
    )
    kept = masks_for(features, needed)[:, None]
    if present is not None:
        kept = kept * present[None]
    log_p = normalized(jax.vmap(head, in_axes=(None, 0))(features, kept))
    full, without = (
        jax.tree.map(lambda x, at=at: x[at], log_p)
        for at in np.split(place.ravel(), 2)
    )
    nats = jax.vmap(
        lambda p, q: expected_conditional_contributions(
            Subsets(p, (), jax.tree.map(lambda x: x[None], q))
        )[0]
    )(full, without)
    shape = (*masks.shape, nats.shape[-1])
    bits = jnp.zeros(shape, nats.dtype).at[which, modality].set(nats)
    return bits.swapaxes(1, 2) / jnp.log(2.0)


def _reaching_own_encoder(forward: Forward, label: jax.Array) -> jax.Array:
    """Log p_all at the label, `[modalities, batch]`.

    Row m has the gradient of modality m's features and of the head alone.
    """
    everything = jnp.ones(len(forward.features))
    frozen = jax.lax.stop_gradient(forward.features)
    rows = []
    for name, features in forward.features.items():
        logits = forward.head(frozen | {name: features}, everything)
        rows.append(at_label(normalized(logits), label))
    return jnp.stack(rows)


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
    # Avoid NaN where no modality is present.
    scores = jnp.where(mask.sum(-1, keepdims=True) > 0, scores, 0.0)
    return jax.nn.softmax(scores) * mask.sum(-1, keepdims=True)


def replay_weakest(
    phi: np.ndarray,
    count: int,
    rng: np.random.Generator,
    present: np.ndarray | None = None,
) -> Copies:
    """Draws samples by how unequal their contributions are.

    Args:
      phi: phi_CMI `[n, modalities]`.
      count: Number of samples to draw, without replacement.
      rng: What draws them.
      present: Modalities that samples have, `[n, modalities]`; None for all.

    Returns:
      The samples, each with its weakest modality only; of those whose
      contributions are equal some are drawn only when no others are left.
    """
    if present is not None:
        # What is missing is neither the weakest nor the strongest.
        least = np.where(present > 0, phi, np.inf)
        most = np.where(present > 0, phi, -np.inf)
    else:
        least = most = phi
    gap = most.max(axis=1) - least.min(axis=1)
    # Gumbel top-k: successive draws in proportion to the gap.
    with np.errstate(divide="ignore"):
        keys = np.log(gap) + rng.gumbel(size=len(gap))
    row = np.argsort(-keys, kind="stable")[:count]
    return Copies(row, np.eye(phi.shape[1])[least[row].argmin(axis=1)])
