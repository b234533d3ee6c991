"""Linear probe: what the encoders of joint training know, each by itself.

The definition of a modality's quality in the paper on OGM-GE (Peng et al.,
Balanced Multimodal Learning via On-the-fly Gradient Modulation, CVPR 2022) and
others: train jointly, keep the encoders as they are, and fit a new linear head
on the features of each. It asks for less than the accuracy of a modality alone
in `joint`, whose head was never fitted without the others: what the head alone
neglects, a probe finds.

Before the first epoch the model is trained jointly, for as many epochs as the
training has, by the same optimiser and on the same batches. The training itself
is that of the probes, for as long again, with a schedule of its own from the
same learning rate. The fused prediction is the softmax of the sum of their
logits. Encoders run as in a prediction: without dropout, by the statistics of
joint training.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

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
    _heads,
    joint,
    terms,
)
from arm_jax.valuation import Head

TASKS = ("classes", "labels")
TUNED = {"learning_rate": (1.0, 0.1, 0.3, 3.0, 10.0, 30.0)}
_JOINT = "joint"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinearProbe(Method):
    """Heads on the encoders of joint training, which stay what they are."""

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns that predictions are those of the probes."""
        return {"probes": jnp.ones(())}

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns the probes."""
        return _heads.init(context, key)

    def held(self, params: Any, turn: int, phase: Any) -> Any:
        """Holds the model, or the probes while the model is trained."""
        trained = phase == _JOINT
        return {
            "encoders": not trained,
            "head": not trained,
            "method": trained,
        }

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Trains the model, before the first epoch."""
        if epoch.number:
            return None
        now = epoch.variables
        trained = epoch.fork(
            epoch.epochs * epoch.steps,
            variables=now.replace(memory={"probes": np.zeros((), np.float32)}),
            phase=_JOINT,
        )
        epoch.replace(params=trained.params, state=trained.state)
        return None

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Sum of the probes' cross-entropies, or that of joint training."""
        if forward.phase == _JOINT:
            return joint.loss(forward, batch)
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
        """The sum of the probes' logits, or the model's."""
        probes = _heads.summed(parameters, features, mask)
        return jnp.where(memory["probes"] > 0, probes, head(features, mask))
