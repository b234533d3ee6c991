"""UMT: the encoders of joint training are to know what unimodal ones know.

Du et al., On Uni-Modal Feature Learning in Supervised Multi-Modal Learning,
ICML 2023. A teacher is trained for each modality alone. With f_m the features
of joint training and t_m those of the modality's teacher, which is fixed,

    L = CE(all) + weight * sum_m MSE(f_m, t_m)      (nats),

the mean squared error over examples and features.

The teachers are trained before the first epoch, side by side, for `teacher`
epochs: by the run's optimiser, from the run's first encoders, with a linear
head each. They see what the run will see, and predict for it as in a test:
without dropout, by running statistics.

Departures: the paper's teachers begin at parameters of their own. Its code is
not what this was written from: the default weight is BalanceBenchmark's.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

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
    terms,
)

TUNED = {"weight": (10.0, 1.0, 50.0), "learning_rate": (1.0, 3.0)}
_TEACHER = "teacher"


@dataclasses.dataclass(frozen=True, kw_only=True)
class UMT(Method):
    """Joint training, and distillation from unimodal teachers.

    Attributes:
      weight: Weight of the distillation; 0 is `joint`.
      teacher: Epochs that the teachers are trained for; 0 for as many as the
        training has.
    """

    weight: float = 10.0
    teacher: int = 0

    def check(self) -> None:
        """Raises InputError for a negative option."""
        terms.check_weights("umt", weight=self.weight, teacher=self.teacher)

    def least_epochs(self, modalities: int) -> int:
        """As many as the teachers have: their schedule is the run's."""
        return max(1, self.teacher)

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns room for the teachers, who are not there yet."""
        empty = lambda tree: jax.tree.map(
            lambda x: jnp.zeros(x.shape, x.dtype), tree
        )
        return {
            "encoders": empty(context.params["encoders"]),
            "state": empty(context.state["encoders"]),
            "ready": jnp.zeros(()),
        }

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns the teachers' heads."""
        return _heads.init(context, key)

    def held(self, params: Any, turn: int, phase: Any) -> Any:
        """Teachers have their heads, and joint training the model's."""
        teaches = phase == _TEACHER
        return {"encoders": False, "head": teaches, "method": not teaches}

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The loss above, or that of the teachers while they are trained."""
        if forward.phase == _TEACHER:
            log_p = _heads.log_probs(forward.parameters, forward.features)
            each = terms.kept_cross_entropy(log_p, batch, batch["mask"].T)
            return each.sum(), {}
        fused = terms.fused_cross_entropy(forward.log_probs(), batch)
        if not self.weight:
            return fused, {}
        memory = forward.memory
        taught = forward.encode(memory["encoders"], memory["state"])
        distance = distillation(forward.features, taught, batch["mask"])
        total = fused + self.weight * memory["ready"] * distance
        return total, {"distillation": distance}

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Trains the teachers, before the first epoch."""
        if epoch.number or not self.weight:
            return None
        count = self.teacher or epoch.epochs
        taught = epoch.fork(count * epoch.steps, phase=_TEACHER)
        memory = {
            "encoders": taught.params["encoders"],
            "state": taught.state["encoders"],
            "ready": jnp.ones(()),
        }
        epoch.replace(memory=memory)
        return None


def distillation(
    features: dict[str, jax.Array],
    taught: dict[str, jax.Array],
    mask: jax.Array,
) -> jax.Array:
    """Sum over modalities of the mean squared error; a scalar.

    Args:
      features: `[batch, width]` by modality.
      taught: The same of the teachers; they get no gradient.
      mask: 1 for the modalities that an example has, `[batch, modalities]`.
    """
    total = jnp.zeros(())
    for m, (name, x) in enumerate(features.items()):
        error = x - jax.lax.stop_gradient(taught[name])
        total = total + ((error**2).mean(axis=-1) * mask[:, m]).mean()
    return total
