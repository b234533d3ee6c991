"""G-Blending: weights of losses by how they overfit and generalise.

Wang, Tran and Feiszli, What Makes Training Multi-Modal Classification Networks
Hard?, CVPR 2020. Beside the cross-entropy of the fused prediction, each
modality has one of its own, from a linear head on its features:

    L = sum_m w_m CE(m) + w_joint CE(all),      sum of all w = 1.

Every `every` epochs (a super-epoch) the weights are estimated anew. For each of
the losses k a copy of the model is trained on it alone for a super-epoch. With
V_k and T_k its mean on the validation and on the training split, G_k = V_k
before - V_k after the gain, and D_k = (V_k - T_k) after - before what the gap
between both grew by, the weights

    w_k = G_k / D_k^2, normalised,

minimise the ratio of overfitting to generalisation of the blended step if the
overfitting of the losses is independent (Proposition 1). With `every` as long
as the training this is the offline form: one estimate.

Departures: a loss whose copy does not gain (G_k < 0) has the weight 0, as a
negative weight would ascend it; if none gains, all weigh alike. Under `gain`
"absolute" |G_k| stands for it, as in BalanceBenchmark's code, which also sums
V and T over batches without dividing by their number: not carried over. |D_k|
counts as 1e-4 at least. The validation split takes the place of a part of the
training split: accuracy on it is no longer that of unseen data. Where epochs
are left over, the last super-epoch is shorter.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax

from arm_jax.methods import (
    Batch,
    Context,
    Copies,
    Epoch,
    Forward,
    Loss,
    Memory,
    Method,
    Survey,
    _heads,
    terms,
)
from arm_jax.valuation import at_label

TUNED = {"gain": ("positive", "absolute"), "learning_rate": (1.0, 0.3, 3.0)}
GAINS = ("positive", "absolute")
# Least growth of the gap, nats.
_LEAST = 1e-4


@dataclasses.dataclass(frozen=True, kw_only=True)
class GBlending(Method):
    """A loss per modality and the fused one, with estimated weights.

    Attributes:
      every: Epochs of a super-epoch.
      gain: "positive" or "absolute", see above.
    """

    every: int = 10
    gain: str = "positive"

    def check(self) -> None:
        """Raises InputError for no epochs, or a word not known."""
        terms.check_counts("g_blending", every=self.every)
        terms.check_options("g_blending", {"gain": GAINS}, gain=self.gain)

    def least_epochs(self, modalities: int) -> int:
        """A super-epoch."""
        return self.every

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns weights that are all alike, the fused loss last."""
        count = len(context.modalities) + 1
        return {"weights": jnp.full(count, 1 / count)}

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns a linear head for each modality."""
        return _heads.init(context, key)

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The blend."""
        log_p = _heads.log_probs(forward.parameters, forward.features)
        own = terms.kept_cross_entropy(log_p, batch, batch["mask"].T)
        fused = terms.fused_cross_entropy(forward.log_probs(), batch)
        weights = forward.memory["weights"]
        total = (weights[:-1] * own).sum() + weights[-1] * fused
        metrics = {
            f"weight_{name}": weights[m]
            for m, name in enumerate(forward.features)
        }
        return total, metrics | {"weight_joint": weights[-1]}

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Estimates the weights, if a super-epoch begins."""
        if epoch.number % self.every:
            return None
        now = epoch.variables
        before = _losses(epoch, now)
        length = min(self.every, epoch.epochs - epoch.number)
        gains, growths = [], []
        for k, one in enumerate(np.eye(len(before[0]), dtype=np.float32)):
            after = _losses(
                epoch,
                epoch.fork(
                    length * epoch.steps,
                    variables=now.replace(memory={"weights": one}),
                ),
            )
            gains.append(before[1, k] - after[1, k])
            gaps = [x[1, k] - x[0, k] for x in (before, after)]
            growths.append(gaps[1] - gaps[0])
        weights = weights_of(
            np.asarray(gains), np.asarray(growths), self.gain == "absolute"
        )
        epoch.replace(memory={"weights": weights.astype(np.float32)})
        return None


def weights_of(
    gains: np.ndarray, growths: np.ndarray, absolute: bool = False
) -> np.ndarray:
    """Returns the weights, which sum to 1.

    Args:
      gains: By how much each validation loss fell, `[losses]`.
      growths: By how much its distance from the training loss grew.
      absolute: Whether a loss counts as much for rising as for falling.
    """
    gains = np.abs(gains) if absolute else np.maximum(gains, 0)
    weights = gains / np.maximum(np.abs(growths), _LEAST) ** 2
    if not weights.sum() > 0:
        return np.full(len(gains), 1 / len(gains))
    return weights / weights.sum()


def _losses(epoch: Epoch, variables: Any) -> np.ndarray:
    """Losses of the modalities and the fused one; rows train, validation."""
    heads = variables.params["method"]
    return np.asarray(
        [
            _losses_on(epoch.survey(split, variables), heads)
            for split in ("train", "validation")
        ]
    )


def _losses_on(survey: Survey, heads: Any) -> list[float]:
    own = [
        log_softmax(z.astype(np.float64), axis=-1)
        for z in _heads.logits(heads, survey.features)
    ]
    return [
        -float(at_label(log_p, survey.label).mean(dtype=np.float64))
        for log_p in (*own, survey.log_probs.full)
    ]
