"""Modality-level valuation: replay the modality that contributes least.

Wei et al., Enhancing Multimodal Cooperation via Sample-level Modality
Valuation, CVPR 2024, in its cheaper form. With phi_m the contribution of
modality m to a sample (see `sample_valuation`), its mean over a random part
`part` of the training split, and d_m = 1 - mean phi_m, each epoch after the
warm-up shows, of N training samples,

    floor(2/3 * |d_1 - d_2| * alpha * N)

random ones once more, with the features of the weaker modality alone. The loss
is that of joint training, copies included.

Departures: an epoch has a fixed number of copies, `replay` times the training
examples, so that nothing is compiled anew. Where the rule asks for more, so
many are shown; where it asks for fewer, ordinary complete copies of random
samples fill the epoch. The part is drawn without replacement. The definition
has two modalities; with more, |d_1 - d_2| is that of the weakest modality from
the mean of the others. Of the released code's ways to grow with the difference
this is the linear one.

The head must be additive in the modalities, that is, have no hidden layers:
then the predictions of all subsets follow from those of single modalities.
"""

import dataclasses
import math
from typing import ClassVar

import numpy as np

from arm_jax.methods import (
    Batch,
    Copies,
    Epoch,
    Forward,
    Loss,
    Method,
    joint,
    terms,
)
from arm_jax.methods.sample_valuation import contributions, right_by_subset
from arm_jax.valuation import Subsets

TUNED = {"replay": (0.5, 0.25, 1.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModalityValuation(Method):
    """Joint training, with copies of the weakest modality.

    Attributes:
      alpha: Factor of the number of copies.
      part: Share of the training split that contributions are means over.
      replay: Copies per epoch, as a share of the training examples.
      warmup: Epochs before the first copies.
    """

    needs_additive_head: ClassVar[bool] = True

    alpha: float = 1.0
    part: float = 0.2
    replay: float = 0.5
    warmup: int = 5

    def check(self) -> None:
        """Raises InputError for an option that is out of range."""
        name = "modality_valuation"
        terms.check_weights(name, alpha=self.alpha, warmup=self.warmup)
        terms.check_positive(name, part=self.part, replay=self.replay)
        for option in ("part", "replay"):
            value = getattr(self, option)
            if value > 1:
                raise terms.refused(name, option, "be at most 1", value)

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """That of joint training."""
        return joint.loss(forward, batch)

    def starts(self) -> int:
        """The first epoch with copies."""
        return self.warmup

    def copies(self, examples: int) -> int:
        """Number of copies per epoch."""
        return round(self.replay * examples)

    def begin_epoch(self, epoch: Epoch) -> Copies:
        """Draws copies of the weakest modality."""
        survey = epoch.survey()
        rows = len(survey.label)
        part = epoch.rng.choice(
            rows, max(1, math.floor(self.part * rows)), replace=False
        )
        of_part = Subsets(
            survey.log_probs.full[part],
            survey.log_probs.alone[:, part],
            survey.log_probs.without[:, part],
        )
        right = right_by_subset(of_part, survey.label[part])
        weakest, difference = weakest_of(contributions(right).mean(axis=1))
        wanted = math.floor(2 / 3 * difference * self.alpha * rows)
        budget = self.copies(rows)
        count = min(wanted, budget)
        modalities = len(epoch.modalities)
        mask = np.ones((budget, modalities))
        mask[:count] = np.eye(modalities)[weakest]
        drawn = epoch.rng.choice(rows, count, replace=False)
        others = epoch.rng.integers(rows, size=budget - count)
        return Copies(np.concatenate([drawn, others]), mask)


def weakest_of(phi: np.ndarray) -> tuple[int, float]:
    """Returns the weakest modality, and how far it is below the others' mean.

    Args:
      phi: Mean contributions, `[modalities]`.
    """
    weakest = int(phi.argmin())
    others = np.delete(phi, weakest)
    if not len(others):
        return weakest, 0.0
    # Rounded: a number of copies that is met exactly is not to be missed by
    # an ulp.
    return weakest, float(np.round(others.mean() - phi[weakest], 9))
