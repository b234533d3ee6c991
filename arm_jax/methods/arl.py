"""ARL: modalities are learned in the inverse ratio of their variances.

Wei, Luo and Luo, Improving Multimodal Learning via Imbalanced Learning, ICCV
2025. With o_m the logits of modality m alone, from the head of the model,

    L = CE(all) + gamma * sum_m CE(o_m)      (nats),

and the gradient that reaches encoder m is times 1 + w_m, the head's is not.
Over a batch, with a_m the share of modality m in the mean of |o_m| summed over
classes, H_m the mean entropy of its prediction, and h_m = max(H_m / sum_n H_n,
0.3),

    w = softmax over m of T * (1 - a_m) * (1/h_m) / sum_n (1/h_n):

of two modalities the one that has less say, and is surer, learns faster. Until
`warmup` epochs are over, all w are alike.

Departures: the definition has two modalities, for which 1 - a_m is the share
of the other one; with M, the least h_m is 0.6 / M. gamma is in force from the
first epoch on; in the released code it is 1 in the warm-up, which has six
epochs (those up to number 5, counted from 0) and not five. In a version of
that code the weights are computed and never assigned, so that factors stay
those of the warm-up: `factors` "constant". Gradients are not clipped (to norm
40 there), unless `optimizer.clip_norm` says so.
"""

import dataclasses

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
    terms,
)

TUNED = {"gamma": (3.0, 1.0, 5.0), "learning_rate": (1.0, 3.0)}
FACTORS = ("variance", "constant")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ARL(Method):
    """A loss per modality, and encoders that learn at a rate of their own.

    Attributes:
      gamma: Weight of the cross-entropies of single modalities.
      sharpness: T above.
      warmup: Epochs before the weights follow the variances.
      factors: "variance", or "constant" for equal weights throughout.
    """

    gamma: float = 3.0
    sharpness: float = 4.0
    warmup: int = 5
    factors: str = "variance"

    def check(self) -> None:
        """Raises InputError for a negative option, or a word not known."""
        terms.check_weights(
            "arl",
            gamma=self.gamma,
            sharpness=self.sharpness,
            warmup=self.warmup,
        )
        terms.check_options("arl", {"factors": FACTORS}, factors=self.factors)

    def starts(self) -> int:
        """The epoch from which weights follow the variances."""
        return self.warmup if self.factors == "variance" else 0

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns that it is the warm-up."""
        return {"warm": jnp.zeros(())}

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Ends the warm-up."""
        if epoch.number == self.warmup and self.factors == "variance":
            epoch.replace(memory={"warm": np.ones((), np.float32)})
        return None

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The loss above, of features whose gradients are scaled."""
        count = len(forward.features)
        masks = jnp.eye(count)
        z = jax.vmap(forward.head, in_axes=(None, 0))(
            jax.lax.stop_gradient(forward.features), masks
        )
        log_p = jax.nn.log_softmax(z)
        magnitude = forward.mean(jnp.abs(z).sum(axis=-1))
        entropy = forward.mean(-(jnp.exp(log_p) * log_p).sum(axis=-1))
        weights = jnp.where(
            forward.memory["warm"] > 0,
            weights_of(magnitude, entropy, self.sharpness),
            1 / count,
        )
        weights = jax.lax.stop_gradient(weights)
        scaled = {
            name: terms.scale_gradient(x, 1 + weights[m])
            for m, (name, x) in enumerate(forward.features.items())
        }
        log_probs = forward._replace(features=scaled).log_probs()
        alone = terms.unimodal_cross_entropies(log_probs, batch).sum()
        fused = terms.fused_cross_entropy(log_probs, batch)
        return fused + self.gamma * alone, {
            f"factor_{name}": 1 + weights[m] for m, name in enumerate(scaled)
        }


def weights_of(
    magnitude: jax.Array, entropy: jax.Array, sharpness: float
) -> jax.Array:
    """Returns w.

    Args:
      magnitude: Mean over the batch of |o_m|, summed over classes,
        `[modalities]`.
      entropy: Mean entropy of each modality's prediction, `[modalities]`.
      sharpness: T.
    """
    # Floors keep 0 / 0 away: logits of zeros, predictions without doubt.
    least = jnp.finfo(magnitude.dtype).tiny
    share = magnitude / jnp.maximum(magnitude.sum(), least)
    doubt = entropy / jnp.maximum(entropy.sum(), least)
    sure = 1 / jnp.maximum(doubt, 0.6 / len(doubt))
    return jax.nn.softmax(sharpness * (1 - share) * sure / sure.sum())
