"""Cross-entropy on everything: fused, and every modality alone.

A plain multi-task loss, older than the methods against imbalance and a strong
baseline that several of their papers leave out.
"""

import dataclasses

from arm_jax.methods import Batch, Forward, Loss, Method, terms

TAKES_MISSING = True
TASKS = ("classes", "labels", "regression")
TUNED = {"unimodal": (1.0, 0.3, 3.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Uniform(Method):
    """CE(all) + unimodal * sum_m CE(m), in nats.

    Attributes:
      unimodal: Weight of the cross-entropies of single modalities.
    """

    unimodal: float = 1.0

    def check(self) -> None:
        """Raises InputError for a negative weight."""
        terms.check_weights("uniform", unimodal=self.unimodal)

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The loss above."""
        log_probs = forward.log_probs()
        alone = terms.unimodal_cross_entropies(log_probs, batch).sum()
        fused = terms.fused_cross_entropy(log_probs, batch)
        return fused + self.unimodal * alone, {}
