"""OPM: on-the-fly prediction modulation.

Wei, Hu, Du and Wen, On-the-fly Modulation for Balanced Multimodal Learning,
TPAMI 2024, the companion of OGM. With s_m the batch mean of the probability
that modality m alone gives to the true class, and rho_m = s_m / s_n,

    r_m = tanh(max(rho_m - 1, 0))
    q_m = min(drop * (1 + alpha * r_m), 1) where r_m > 0, else 0.

In a share of the batches, each example loses modality m before the fusion
with probability q_m. What is left of all features is divided by 1 - theta, with
theta the mean of the q_m, each counting by the width of its features. Examples
that have nothing left do not count.

Departures: for more than two modalities rho_m is the mean of the ratios to the
others, as in `ogm_ge`; BalanceBenchmark's code divides by their sum. The scores
are those of the same batch before anything is dropped. With its features a
modality loses the bias of its own classifier, and has the stand-in that
`model.absent` names. There is no window of epochs; it is on throughout.
"""

import dataclasses

import jax
import jax.numpy as jnp

from arm_jax.methods import Batch, Forward, Loss, Method, joint, terms
from arm_jax.valuation import at_label

TUNED = {"drop": (0.4, 0.2, 0.6), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class OPM(Method):
    """Joint training that at times does without the stronger modality.

    Attributes:
      drop: Probability of dropping a modality that is barely ahead; 0 is
        `joint`.
      alpha: How much it grows with the lead.
      share: Share of the batches in which anything is dropped.
    """

    drop: float = 0.4
    alpha: float = 0.5
    share: float = 0.7

    def check(self) -> None:
        """Raises InputError for a negative strength or no probability."""
        terms.check_weights("opm", alpha=self.alpha)
        terms.check_probabilities("opm", drop=self.drop, share=self.share)

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Cross-entropy of what is left of the features."""
        if not self.drop or not self.share:
            return joint.loss(forward, batch)
        q = probabilities(terms.scores(forward, batch), self.drop, self.alpha)
        metrics = {
            f"drop_{name}": q[m] for m, name in enumerate(forward.features)
        }
        # Not the key of the examples' draws: a number of the batch.
        draw = jax.random.uniform(jax.random.fold_in(forward.key, 1))
        q = jnp.where(draw < self.share, q, 0)
        kept = forward.uniform(len(q)) >= q[None]
        kept = kept.astype(q.dtype) * batch["mask"]
        scale = 1 / (1 - mean_by_width(q, forward))
        logits = forward.head(
            {name: scale * x for name, x in forward.features.items()}, kept
        )
        each = -at_label(jax.nn.log_softmax(logits), batch["label"])
        counts = kept.max(axis=-1)
        share = jnp.maximum(forward.mean(counts), 1e-12)
        return (each * counts).mean() / share, metrics


def probabilities(scores: jax.Array, drop: float, alpha: float) -> jax.Array:
    """Returns q `[modalities]` of the scores s `[modalities]`."""
    r = jnp.tanh(jnp.maximum(terms.ratios(scores) - 1, 0))
    return jnp.where(r > 0, jnp.minimum(drop * (1 + alpha * r), 1), 0)


def mean_by_width(q: jax.Array, forward: Forward) -> jax.Array:
    """Returns theta; below 1, since the weakest modality is never dropped."""
    widths = [x.shape[-1] for x in forward.features.values()]
    share = jnp.asarray(widths, q.dtype) / sum(widths)
    return (share * q).sum()
