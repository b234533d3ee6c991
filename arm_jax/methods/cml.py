"""CML: confidence must not grow when a modality is taken away.

Ma et al., Calibrating Multimodal Learning, ICML 2023. The modalities are taken
away one after the other, in a random order, until one is left. With S_0 all of
them, S_1, .., S_{M-1} what is left, and c(S) the largest probability of the
prediction from S,

    loss = mean over j of CE(S_j)
         + calibration * sum over j > 0 of mean of max(0, c(S_j) - c(S_{j-1})).

Departures: each batch has an order of its own, the same for its examples. The
weight of CE(S_j), j > 0, is an option. The excess is averaged over examples; in
BalanceBenchmark's code, `released`, it is max(0, sum over the batch of c(S_j) -
c(S_{j-1})), in which examples make up for each other and which grows with the
batch.
"""

import dataclasses

import jax
import jax.numpy as jnp

from arm_jax.methods import Batch, Forward, Loss, Method, joint, terms

TAKES_MISSING = True
TUNED = {"calibration": (0.1, 0.01, 1.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class CML(Method):
    """Training on a chain of subsets, with calibrated confidences.

    Attributes:
      calibration: Weight of the excess of confidence.
      partial: Weight of each subset's cross-entropy beside that of all
        modalities; if both weights are 0 this is `joint`.
      released: Take the excess as the released code does.
    """

    calibration: float = 0.1
    partial: float = 1.0
    released: bool = False

    def check(self) -> None:
        """Raises InputError for a negative weight."""
        terms.check_weights(
            "cml", calibration=self.calibration, partial=self.partial
        )

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The loss above, in nats."""
        count = len(forward.features)
        if count == 1 or not (self.calibration or self.partial):
            return joint.loss(forward, batch)
        log_probs = forward.log_probs()
        order = jax.random.permutation(forward.key, count)
        masks = chain(order).astype(log_probs.full.dtype)
        logits = jax.vmap(forward.head, in_axes=(None, 0))(
            forward.features, masks
        )
        partial = jax.nn.log_softmax(logits)
        # Examples that have none of what is left do not count.
        kept = jnp.minimum(batch["mask"] @ masks.T, 1).T
        costs = terms.kept_cross_entropy(partial, batch, kept)
        fused = terms.fused_cross_entropy(log_probs, batch)
        total = (fused + self.partial * costs.sum()) / (
            1 + self.partial * (count - 1)
        )
        both = jnp.concatenate([log_probs.full[None], partial])
        rise = kept * jnp.diff(jnp.exp(both.max(axis=-1)), axis=0)
        if self.released:
            size = forward.gather(batch["label"]).size
            excess = jnp.maximum(size * forward.mean(rise), 0).sum()
        else:
            excess = jnp.maximum(rise, 0).mean(axis=-1).sum()
        return total + self.calibration * excess, {"excess": excess}


def chain(order: jax.Array) -> jax.Array:
    """Returns what is left as modalities are taken away.

    Args:
      order: Modalities by when they go, `[modalities]`; the last one stays.

    Returns:
      bool `[modalities - 1, modalities]`.
    """
    goes = jnp.argsort(order)
    return goes[None] >= jnp.arange(1, len(order))[:, None]
