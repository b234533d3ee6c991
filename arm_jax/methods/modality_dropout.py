"""Random modality dropout: a baseline that most papers on imbalance leave out.

Each example loses each of its modalities with probability `rate`,
independently, and the loss is the cross-entropy of what is left. As in

Neverova et al., ModDrop: Adaptive Multi-modal Gesture Recognition, TPAMI 2016,

a dropped modality adds nothing to the head, and the others are not scaled up.

Departure: an example that would lose all its modalities keeps one of them,
each equally likely.
"""

import dataclasses

import jax
import jax.numpy as jnp

from arm_jax.methods import Batch, Forward, Loss, Method, joint, terms
from arm_jax.valuation import at_label, normalized

TAKES_MISSING = True
TASKS = ("classes", "labels", "regression")
TUNED = {"rate": (0.3, 0.1, 0.5), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModalityDropout(Method):
    """Mean cross-entropy of the modalities that are not dropped (nats).

    Attributes:
      rate: Probability that an example loses a modality; 0 is `joint`.
    """

    rate: float = 0.3

    def check(self) -> None:
        """Raises InputError for a rate outside [0, 1)."""
        terms.check_fractions("modality_dropout", rate=self.rate)

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Cross-entropy of what is left."""
        if not self.rate:
            return joint.loss(forward, batch)
        draws = forward.uniform(len(forward.features))
        stays = kept(draws, batch["mask"], self.rate)
        logits = forward.head(forward.features, stays)
        log_p = at_label(normalized(logits), batch["label"])
        return -log_p.mean(), {}


def kept(draws: jax.Array, mask: jax.Array, rate: float) -> jax.Array:
    """Returns which modalities stay.

    Args:
      draws: Uniform in [0, 1), `[batch, modalities]`.
      mask: 1 for those that the examples have, likewise.
      rate: Probability of being dropped.

    Returns:
      1 for those whose draw is at least `rate`, and for the largest draw of
      each example; `[batch, modalities]`.
    """
    present = jnp.where(mask > 0, draws, -1)
    stays = (draws >= rate) | (draws == present.max(axis=-1, keepdims=True))
    return stays.astype(draws.dtype) * mask
