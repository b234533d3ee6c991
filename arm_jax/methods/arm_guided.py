"""ARM that teaches a modality as far as it has something to add.

The joining of the two halves of this project; there is no paper. ARM raises the
modality that contributes least, whether or not it knows anything that the
others do not. What modality m can add at all to the others is U_m + S of the
decomposition of the posteriors of (m, all but m, label), the `conditional1` of
`bounds.pid_of_posteriors`: I(X1, X2; Y) - I(X2; Y), for which no table need be
decomposed. So, before epoch `warmup`,

1. the training examples are divided into `folds` parts at random; for each, a
   copy of the untrained model is trained on the others for `look` epochs,
   without balance, and predicts the part from all subsets;
2. of these held-out posteriors, calibrated by a scale and an offset of each
   class, follows

       gain_m = (U_m + S, less its standard error) / H(Y | X_rest),

   in [0, 1]: the share that m takes off what the others leave open;
3. a pair of modalities counts in the balanced loss as much as the gain of the
   weaker one; and a sample that ARM would replay with its weakest modality
   alone is so with the gain of that modality for a probability, and else with
   all that it has, so that epochs are as long as those of ARM.

With gains of 1 it is ARM; with gains of 0 it is `uniform` with ARM's fusion,
and some examples twice. Before epoch `warmup` gains are 0. The parts are drawn
without regard to groups: what is held out may be of a person who was seen.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import rel_entr

import bounds
from arm_jax.methods import (
    Context,
    Copies,
    Epoch,
    Memory,
    Step,
    terms,
)
from arm_jax.methods.arm import ARM, replay_weakest
from arm_jax.valuation import (
    Subsets,
    batch_first,
    conditional_contributions,
    modalities_first,
)

TUNED = {"unimodal": (1.0, 4.0, 16.0), "learning_rate": (1.0, 3.0)}
# Least entropy left by the others, bits.
_LEAST = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class ARMGuided(ARM):
    """ARM, its balance and its replay scaled by what a modality can add.

    Attributes:
      folds: Parts of the training examples, each held out once.
      look: Epochs that the copies are trained for, by the run's schedule from
        epoch `warmup` on: what is beyond its end moves nothing where the rate
        falls to 0.
    """

    folds: int = 2
    look: int = 3

    def check(self) -> None:
        """Raises InputError for an option that is refused."""
        super().check()
        terms.check_counts("arm_guided", look=self.look)
        if self.folds < 2:
            must = "be at least 2"
            raise terms.refused("arm_guided", "folds", must, self.folds)

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns gains of 0, and what ARM keeps."""
        gains = jnp.zeros(len(context.modalities))
        return {"gain": gains, "arm": super().init(context, key)}

    def gap(self, phi: jax.Array, memory: Memory) -> jax.Array:
        """The contribution gap, pairs weighted by the weaker one's gain."""
        return terms.contribution_gap(phi, memory["gain"])

    def remember(self, step: Step) -> Memory:
        """Updates what ARM keeps."""
        own = super().remember(step._replace(memory=step.memory["arm"]))
        return {**step.memory, "arm": own}

    def running(self, memory: Memory) -> Memory:
        """What ARM keeps."""
        return memory["arm"]

    def least_rows(self, examples: int) -> int:
        """All examples but the largest part."""
        if self.folds > examples:
            must = f"be at most the {examples} training examples"
            raise terms.refused("arm_guided", "folds", must, self.folds)
        return examples - math.ceil(examples / self.folds)

    def starts(self) -> int:
        """The epoch before which gains are measured."""
        return self.warmup

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Measures the gains, once, and draws the samples to be replayed."""
        if epoch.number == self.warmup:
            gains = self._measured(epoch).astype(np.float32)
            epoch.replace(memory={**epoch.variables.memory, "gain": gains})
        if not self.replay:
            return None
        survey = epoch.survey()
        phi = conditional_contributions(survey.log_probs, survey.label).T
        copies = replay_weakest(phi, self.copies(len(phi)), epoch.rng)
        return guided(copies, epoch.variables.memory["gain"], epoch.rng)

    def _measured(self, epoch: Epoch) -> np.ndarray:
        """Returns the gains, `[modalities]`."""
        found = epoch.survey()
        count = len(found.label)
        part = epoch.rng.permutation(count) % self.folds
        log_probs = jax.tree.map(
            lambda x: np.array(x, np.float64), batch_first(found.log_probs)
        )
        for k in range(self.folds):
            seen = np.flatnonzero(part != k)
            steps = round(self.look * epoch.steps * len(seen) / count)
            trained = epoch.fork(
                max(steps, 1), variables=epoch.initial, rows=seen
            )
            of_copy = batch_first(epoch.survey("train", trained).log_probs)
            for own, new in zip(log_probs, of_copy, strict=True):
                own[part == k] = new[part == k]
        return gains_of(
            modalities_first(log_probs), found.label, found.log_prior
        )


def gains_of(
    log_probs: Subsets, label: np.ndarray, log_prior: np.ndarray
) -> np.ndarray:
    """Returns what modalities add, as shares of what the others leave open.

    Args:
      log_probs: On examples that the model was not trained on; nats.
      label: `[n]`.
      log_prior: Log p(y), `[classes]`, nats.

    Returns:
      `[modalities]`, in [0, 1]; 1 for a modality without others.
    """
    count = len(log_probs.alone)
    if count == 1:
        return np.ones(1)
    shares = np.exp(log_prior)
    entropy = -float(shares @ log_prior) / np.log(2)

    def claimed(log_p: Any) -> np.ndarray:
        """Information of each row, bits: KL(r || p(y))."""
        r = bounds.calibrate(
            log_p, label, kind="vector", given="logits"
        ).probabilities
        return rel_entr(r, shares).sum(axis=-1) / np.log(2)

    full = claimed(log_probs.full)
    gains = []
    for without in log_probs.without:
        rest = claimed(without)
        adds = full - rest
        sure = adds.mean() - adds.std(ddof=1) / np.sqrt(len(adds))
        gains.append(sure / max(entropy - rest.mean(), _LEAST))
    return np.clip(gains, 0, 1)


def guided(
    copies: Copies, gains: np.ndarray, rng: np.random.Generator
) -> Copies:
    """Shows copies of a modality alone with the probability of its gain.

    Args:
      copies: Of one modality each.
      gains: Those of the modalities, in [0, 1].
      rng: What draws.

    Returns:
      The copies, the others with all modalities.
    """
    alone = rng.random(len(copies.row)) < copies.mask @ np.asarray(gains)
    return copies._replace(mask=np.where(alone[:, None], copies.mask, 1.0))
