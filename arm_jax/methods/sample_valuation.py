"""Sample-level modality valuation: replay what a modality contributes least.

Wei et al., Enhancing Multimodal Cooperation via Sample-level Modality
Valuation, CVPR 2024. On a training sample, the modalities S have the value

    v(S) = |S| if the prediction from S is right, else 0,

and modality m the contribution phi_m, its Shapley value in that game (for two
modalities -1/2 to 3/2). After a warm-up, each epoch shows copies of a sample
with the features of modality m alone:

    3 if phi_m < -0.1,  2 if -0.1 <= phi_m < 0.4,  1 if 0.4 <= phi_m < 1.

The loss is that of joint training, copies included.

Departures: an epoch has a fixed number of copies, `replay` times the training
examples, so that nothing is compiled anew. Where the rule asks for more, a
random subset of its copies is shown; where it asks for fewer, ordinary
complete copies of random samples fill the epoch. Values are those of the model
before the epoch. The thresholds are those of two modalities for any number; the
more there are, the more copies the rule asks for.

The head must be additive in the modalities, that is, have no hidden layers:
then the predictions of all subsets follow from those of single modalities.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from arm_jax import shapley
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
from arm_jax.valuation import Subsets

TUNED = {"replay": (0.5, 0.25, 1.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleValuation(Method):
    """Joint training, with copies of single modalities.

    Attributes:
      replay: Copies per epoch, as a share of the training examples; without
        any this is `joint`.
      warmup: Epochs before the first copies.
    """

    needs_additive_head: ClassVar[bool] = True

    replay: float = 0.5
    warmup: int = 5

    def check(self) -> None:
        """Raises InputError for a negative option, or no copies."""
        terms.check_weights("sample_valuation", warmup=self.warmup)
        terms.check_positive("sample_valuation", replay=self.replay)

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
        """Draws the copies that the values of subsets ask for."""
        survey = epoch.survey()
        right = right_by_subset(survey.log_probs, survey.label)
        wanted = copies_of(contributions(right))
        return _draw(wanted, self.copies(len(survey.label)), epoch.rng)


def right_by_subset(log_probs: Subsets, label: np.ndarray) -> np.ndarray:
    """Whether the prediction from each subset is right.

    Log-probabilities are logits up to a constant. Those of subset S are, by
    additivity, `nobody + sum over m in S of (alone_m - nobody)`.

    Args:
      log_probs: as in `Survey`.
      label: `[n]`.

    Returns:
      bool `[2**modalities, n]`, in the order of `shapley.coalitions`; nobody
      is never right.
    """
    alone = np.asarray(log_probs.alone, np.float64)
    count = len(alone)
    members = shapley.coalitions(count)
    nobody = (alone.sum(axis=0) - log_probs.full) / max(count - 1, 1)
    logits = nobody + np.tensordot(members, alone - nobody, axes=1)
    right = logits.argmax(axis=-1) == label
    right[0] = False
    return right


def contributions(right: np.ndarray) -> np.ndarray:
    """Returns phi `[modalities, n]` of `right`, `[2**modalities, n]`."""
    count = (len(right) - 1).bit_length()
    size = shapley.coalitions(count).sum(axis=1)
    phi = shapley.weights(count) @ (size[:, None] * right)
    # Rounded: thresholds that are met exactly must not be missed by an ulp.
    return np.round(phi, 9)


def copies_of(phi: np.ndarray) -> np.ndarray:
    """Number of copies that the rule asks for, of the shape of `phi`."""
    return np.select([phi < -0.1, phi < 0.4, phi < 1], [3, 2, 1], 0)


def _draw(wanted: np.ndarray, budget: int, rng: np.random.Generator) -> Copies:
    """As many copies as `budget` of those wanted, `[modalities, n]`."""
    modalities, samples = wanted.shape
    modality, row = (
        np.repeat(index.ravel(), wanted.ravel())
        for index in np.indices(wanted.shape)
    )
    mask = np.eye(modalities)[modality]
    if len(row) > budget:
        chosen = rng.choice(len(row), budget, replace=False)
        return Copies(row[chosen], mask[chosen])
    missing = budget - len(row)
    return Copies(
        np.concatenate([row, rng.integers(samples, size=missing)]),
        np.concatenate([mask, np.ones((missing, modalities))]),
    )
