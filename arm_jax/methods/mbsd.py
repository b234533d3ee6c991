"""MBSD: modalities that teach each other, the more they differ.

A method of WSDM 2023 that this project knows from BalanceBenchmark's code
alone, not from its paper. Beside the cross-entropies of the fused prediction
and of each modality alone, the modality that gives the smaller probability to
the true class, in an example, learns from the other. With p the probabilities
of the stronger, q those of the weaker modality, z_p, z_q their logits, and y
the label,

    w    = p(y) - q(y) if either predicts y, else 0
    loss = CE(all) + unimodal * sum_m CE(m)
         + distillation * mean of w * (KL(p || q) + mean_k (z_pk - z_qk)^2).

Departures: for more than two modalities the last term is the mean over pairs.
KL is that of the distributions, with the stronger as a fixed teacher, and w a
fixed weight. In the released code, `released`, it is q(y) (log q(y) - p(y)): a
divergence called with the two probabilities of the label, one of them where a
logarithm belongs; and gradients pass through w and through the teacher. That
code takes the squared gap of probabilities where there are three modalities.
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp

from arm_jax.methods import Batch, Forward, Loss, Method, terms
from arm_jax.valuation import at_label, is_right

TAKES_MISSING = True
TUNED = {"distillation": (1.0, 0.3, 3.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MBSD(Method):
    """Joint and unimodal training, with distillation between modalities.

    Attributes:
      unimodal: Weight of the cross-entropies of single modalities.
      distillation: Weight of what the weaker modality learns from the
        stronger; 0 is `uniform`.
      released: Take the divergence and the gradients of the released code.
    """

    unimodal: float = 1.0
    distillation: float = 1.0
    released: bool = False

    def check(self) -> None:
        """Raises InputError for a negative weight."""
        terms.check_weights(
            "mbsd", unimodal=self.unimodal, distillation=self.distillation
        )

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The loss above."""
        log_probs = forward.log_probs()
        total = terms.fused_cross_entropy(log_probs, batch)
        if self.unimodal:
            alone = terms.unimodal_cross_entropies(log_probs, batch)
            total += self.unimodal * alone.sum()
        if not self.distillation or len(forward.features) == 1:
            return total, {}
        logits = terms.unimodal_logits(forward)
        each = []
        for m, n in itertools.combinations(range(len(logits)), 2):
            both = batch["mask"][:, m] * batch["mask"][:, n]
            term = distillation(
                logits[m], logits[n], batch["label"], self.released
            )
            each.append((both * term).mean())
        term = jnp.stack(each).mean()
        return total + self.distillation * term, {"distillation": term}


def distillation(
    first: jax.Array, second: jax.Array, label: jax.Array, released: bool
) -> jax.Array:
    """Returns w * (KL + squared gap), `[batch]`, in nats.

    Args:
      first: Logits of a modality, `[batch, classes]`.
      second: Those of another one, likewise.
      label: `[batch]`.
      released: See `MBSD`.
    """
    log_p, log_q = jax.nn.log_softmax(first), jax.nn.log_softmax(second)
    at_p, at_q = at_label(log_p, label), at_label(log_q, label)
    gap = jnp.abs(jnp.exp(at_p) - jnp.exp(at_q))
    either = is_right(log_p, label) | is_right(log_q, label)
    weight = jnp.where(either, gap, 0)
    squares = ((first - second) ** 2).mean(axis=-1)
    if released:
        strong, weak = jnp.maximum(at_p, at_q), jnp.minimum(at_p, at_q)
        return weight * (jnp.exp(weak) * (weak - jnp.exp(strong)) + squares)
    leads = (at_p >= at_q)[:, None]
    teacher = jax.lax.stop_gradient(jnp.where(leads, log_p, log_q))
    pupil = jnp.where(leads, log_q, log_p)
    divergence = (jnp.exp(teacher) * (teacher - pupil)).sum(axis=-1)
    return jax.lax.stop_gradient(weight) * (divergence + squares)
