"""Late fusion: modalities that are trained apart, and predictions averaged.

The oldest baseline, which papers against imbalance tend to leave out: no
encoder sees another one, so that none can be neglected. Each modality is an
encoder with a linear head of its own, trained on its own cross-entropy with a
learning rate and a weight decay of its own. The prediction of several of them
is the mean of their probabilities (`average` "probabilities") or the softmax of
the sum of their logits ("logits", a product of experts).

It is M independent trainings in one program, but for `optimizer.clip_norm`,
whose norm is over all parameters. `unimodal` differs from it by the heads,
which there are the model's, by the sum of logits, and by one learning rate for
all. In a comparison that tunes methods, the factor of the learning rate is one
for all modalities, beside those given here.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from arm_jax.methods import (
    Batch,
    Context,
    Forward,
    Loss,
    Memory,
    Method,
    _heads,
    terms,
)
from arm_jax.valuation import Head

TAKES_MISSING = True
TASKS = ("classes", "labels")
TUNED = {
    "average": ("probabilities", "logits"),
    "learning_rate": (1.0, 0.3, 3.0),
}
AVERAGES = ("probabilities", "logits")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LateFusion(Method):
    """Separate trainings.

    Attributes:
      average: "probabilities" or "logits".
      learning_rates: Factors of `optimizer.learning_rate`, one per modality in
        the order of their names; all 1 if there are none.
      weight_decays: Factors of `optimizer.weight_decay` likewise.
    """

    average: str = "probabilities"
    learning_rates: tuple[float, ...] = ()
    weight_decays: tuple[float, ...] = ()

    def check(self) -> None:
        """Raises InputError for a negative factor, or a word not known."""
        terms.check_options(
            "late_fusion", {"average": AVERAGES}, average=self.average
        )
        for option in ("learning_rates", "weight_decays"):
            for m, factor in enumerate(getattr(self, option)):
                terms.check_weights("late_fusion", **{f"{option}[{m}]": factor})

    def scales(
        self, modalities: Sequence[str]
    ) -> Mapping[str, tuple[float, float]]:
        """The factors, if there are any."""
        if not self.learning_rates and not self.weight_decays:
            return {}
        ones = (1.0,) * len(modalities)
        for option in ("learning_rates", "weight_decays"):
            given = getattr(self, option)
            if given and len(given) != len(modalities):
                names = ", ".join(modalities)
                must = f"have a factor each for {names}, or none"
                raise terms.refused("late_fusion", option, must, given)
        rates, decays = self.learning_rates or ones, self.weight_decays or ones
        return dict(
            zip(modalities, zip(rates, decays, strict=True), strict=True)
        )

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns the heads."""
        return _heads.init(context, key)

    def held(self, params: Any, turn: int, phase: Any) -> Any:
        """Leaves the model's head alone, which has no part in this."""
        return {"encoders": False, "head": True, "method": False}

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Sum over modalities of the cross-entropy of the modality (nats)."""
        log_p = _heads.log_probs(forward.parameters, forward.features)
        each = terms.kept_cross_entropy(log_p, batch, batch["mask"].T)
        return each.sum(), {}

    def fuse(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        memory: Memory,
        parameters: Any,
    ) -> jax.Array:
        """The average over the modalities that are kept."""
        if self.average == "logits":
            return _heads.summed(parameters, features, mask)
        log_p = _heads.log_probs(parameters, features)
        return mean_probability(log_p, mask)


def mean_probability(log_p: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the logarithm of the mean probability, `[batch, classes]`.

    Args:
      log_p: `[modalities, batch, classes]`, or of several labels `[modalities,
        batch, labels, 2]`, and so is the result.
      mask: 1 for the modalities that are kept, `[modalities]` or `[batch,
        modalities]`; where none is, all classes are alike.
    """
    weight = jnp.broadcast_to(mask, log_p.shape[1::-1]).T
    weight = weight[(..., *(None,) * (log_p.ndim - 2))]
    scores = jnp.where(weight > 0, log_p, -jnp.inf)
    nobody = (weight > 0).sum(axis=0, keepdims=True) == 0
    scores = jnp.where(nobody, 0.0, scores)
    return jax.nn.log_softmax(jax.nn.logsumexp(scores, axis=0))
