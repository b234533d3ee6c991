"""ReconBoost: modalities take turns, each correcting what the others miss.

Hua et al., ReconBoost: Boosting Can Achieve Modality Reconcilement, ICML 2024.
The prediction is the softmax of the sum of the members' logits; a member is an
encoder with a linear head. Modalities take turns by stage. In the `stage`
epochs of modality m it alone is trained, on

    L_m = CE(p_m) + reconcile * mean of p_rest(y) log p_m(y)
                  + consolidate * MSE(p_m, p_-)      (nats),

with y the label, p_rest the softmax of the sum of the others' logits and p_-
the member of the stage before, both fixed: samples that the others have right
count less, by reconcile * p_rest(y), and m corrects what they miss. Then all
members are trained for `rectify` epochs on the cross-entropy of their sum.

The first two terms are those of the released code (`form` "label"), whose
weights are 5 and 1: 0.2 as a share of the first. The paper's equations were not
at hand. Its abstract has a Kullback-Leibler divergence over all classes,

    L_m = CE(p_m) - reconcile * KL(p_rest | p_m) + ...,

`form` "divergence": with `reconcile` 1 its gradient in the logits of m is
p_rest less the label, so that m is fitted to the residual of the others, which
is gradient boosting. It is not the default because nothing bounds it: as long
as the others are in doubt it drives logits apart, for samples that are right,
too. On avdigits' unheard speaker it has 67 %, the other form 94 %.

Departures: in the released code the agreement that `consolidate` weighs is
computed without gradients, so that 0 is what it does; here it has them. There
the first stage is without it, and its weight is 0.5 beside terms that are means
over the K classes: K / 10 in the L_m above, whose 0.5 is the same for any K.
Members have heads of their own, while there they can share one; one optimiser,
whose moments of those at rest stay, stands for a new one in each phase; its
weights are pretrained, ours are not, and the first stage knows the untrained
others. It has 4 epochs in each phase and some hundred stages: the defaults are
for trainings that are shorter. Who is not trained runs as in a prediction:
without dropout, by statistics that stay what they are.
"""

import dataclasses
from collections.abc import Mapping
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
from arm_jax.valuation import Head, at_label

TUNED = {"reconcile": (0.2, 0.0, 0.8), "learning_rate": (1.0, 3.0)}
FORMS = ("label", "divergence")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReconBoost(Method):
    """Boosting over modalities, and training of the whole in between.

    Attributes:
      reconcile: Weight of what the other members know.
      consolidate: Weight of the agreement with the member before.
      stage: Epochs of a modality's stage.
      rectify: Epochs of the whole after each stage.
      form: "label" or "divergence", see above.
    """

    reconcile: float = 0.2
    consolidate: float = 0.5
    stage: int = 1
    rectify: int = 1
    form: str = "label"

    def check(self) -> None:
        """Raises InputError for an option that is out of range."""
        name = "reconboost"
        terms.check_weights(
            name,
            reconcile=self.reconcile,
            consolidate=self.consolidate,
            rectify=self.rectify,
        )
        terms.check_counts(name, stage=self.stage)
        terms.check_options(name, {"form": FORMS}, form=self.form)

    def least_epochs(self, modalities: int) -> int:
        """A stage of every modality."""
        return modalities * (self.stage + self.rectify)

    def phase(self, epoch: int, modalities: int) -> Any:
        """The modality whose stage it is, None when all are trained."""
        number, within = divmod(epoch, self.stage + self.rectify)
        return number % modalities if within < self.stage else None

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns the members' heads."""
        return _heads.init(context, key)

    def held(self, params: Any, turn: int, phase: Any) -> Any:
        """Holds all members but the one whose stage it is."""
        if phase is None:
            return {"encoders": False, "head": True, "method": False}
        names = sorted(params["encoders"])
        rests = {name: m != phase for m, name in enumerate(names)}
        return {"encoders": rests, "head": True, "method": rests}

    def fuse(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        memory: Memory,
        parameters: Any,
    ) -> jax.Array:
        """The sum of the members' logits."""
        return _heads.summed(parameters, features, mask)

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The loss of a stage, or the cross-entropy of the sum."""
        if forward.phase is None:
            return terms.fused_cross_entropy(forward.log_probs(), batch), {}
        logits = jnp.stack(_heads.logits(forward.parameters, forward.features))
        each = self.of_stage(logits, batch["label"], forward.phase)
        return (each * batch["mask"][:, forward.phase]).mean(), {}

    def of_stage(
        self, logits: jax.Array, label: jax.Array, member: int
    ) -> jax.Array:
        """Returns the loss of each example in a stage, `[batch]`.

        Args:
          logits: Those of the members, `[modalities, batch, classes]`.
          label: `[batch]`.
          member: Number of the one that is trained.
        """
        count = len(logits)
        others = [m for m in range(count) if m != member]
        fixed = jax.lax.stop_gradient(logits)
        own = jax.nn.log_softmax(logits[member])
        total = -at_label(own, label)
        if not others:
            return total
        rest = jax.nn.log_softmax(sum(fixed[m] for m in others))
        if self.form == "label":
            told = jnp.exp(at_label(rest, label)) * at_label(own, label)
            total = total + self.reconcile * told
        else:
            apart = (jnp.exp(rest) * (rest - own)).sum(axis=-1)
            total = total - self.reconcile * apart
        before = jax.nn.softmax(fixed[(member - 1) % count])
        agreement = ((jnp.exp(own) - before) ** 2).mean(axis=-1)
        return total + self.consolidate * agreement
