"""MLA: multimodal learning with alternating unimodal adaptation.

Zhang et al., Multimodal Representation Learning by Alternating Unimodal
Adaptation, CVPR 2024. There is no joint loss. All modalities share one linear
head; each batch is used once a modality, in turn, for a step on the cross-
entropy of that modality alone. So that the head does not forget the modalities
it saw before, the gradient g of its kernel is projected, g <- P g, and P then
takes in the batch mean r of the features of this turn's modality:

    k = P r,   P <- P - k k' / (damping + r' k),   P <- P / |P|_F.

In prediction the logits z_m of the modalities are averaged, or weighted for
each sample by softmax over m of -H(softmax(z_m)).

Departures: P has the features of the turns before this one, which is what it
is for, while the function in the released code would take in this turn's
first; the script published with it never calls it in effect (`projection`
False). The damping falls from 0.1 to 0.01 within each epoch there and is
constant here. The released code takes the entropy over the batch instead of
the classes, one weight for all samples. In the turns of others, an encoder
has zero gradients, but still coasts on the momentum of its optimiser.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from arm_jax.methods import (
    Batch,
    Context,
    Forward,
    Loss,
    Memory,
    Method,
    Step,
    terms,
)
from arm_jax.valuation import Head

WEIGHTS = ("entropy", "average")
TUNED = {
    "projection": (True, False),
    "learning_rate": (1.0, 0.3, 3.0),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MLA(Method):
    """Alternating steps on single modalities.

    Attributes:
      projection: Project the head's gradients. As P has norm 1, this makes
        them smaller, by about the square root of the width of the features.
      weights: Weights of the modalities in prediction, "entropy" or "average".
      damping: Damping of the projection; the larger, the less of a direction
        is taken away.
    """

    needs_fusion: ClassVar[str] = "shared"

    projection: bool = True
    weights: str = "entropy"
    damping: float = 0.1

    def check(self) -> None:
        """Raises InputError for a damping not above 0, or unknown weights."""
        terms.check_positive("mla", damping=self.damping)
        terms.check_options("mla", {"weights": WEIGHTS}, weights=self.weights)

    def turns(self, modalities: int) -> int:
        """A turn for each modality."""
        return modalities

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns P before there were features."""
        if not self.projection:
            return ()
        return {"projection": jnp.eye(context.common_width("mla"))}

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Cross-entropy of this turn's modality; r is carried over."""
        turn = forward.turn
        own = list(forward.features)[turn]
        # Nothing of the others: their encoders have no part in this turn.
        features = {
            name: x if name == own else jnp.zeros_like(x)
            for name, x in forward.features.items()
        }
        logits = forward.head(features, jnp.eye(len(features))[turn])
        value = terms.kept_cross_entropy(
            jax.nn.log_softmax(logits), batch, batch["mask"][:, turn]
        )
        return value, {}, jax.lax.stop_gradient(features[own]).mean(axis=0)

    def combine(self, step: Step) -> Any:
        """Projects the gradient of the shared kernel."""
        gradients = step.gradients["loss"]
        if not self.projection:
            return gradients
        p = step.memory["projection"]
        # The shared head has one kernel, with two axes, and a bias.
        projected = jax.tree.map(
            lambda g: p @ g if g.ndim == 2 else g, gradients["head"]
        )
        return {**gradients, "head": projected}

    def remember(self, step: Step) -> Memory:
        """Takes the mean feature into P."""
        if not self.projection:
            return step.memory
        p, r = step.memory["projection"], step.carry
        k = p @ r
        p = p - jnp.outer(k, k) / (self.damping + r @ k)
        return {"projection": p / jnp.linalg.norm(p)}

    def fuse(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        memory: Memory,
        parameters: Any,
    ) -> jax.Array:
        """Logits of the kept modalities, weighted or not."""
        if self.weights == "average":
            return head(features, mask)
        return fuse_by_entropy(head, features, mask)


def fuse_by_entropy(
    head: Head, features: Mapping[str, jax.Array], mask: jax.Array
) -> jax.Array:
    """Logits of the kept modalities, the surer ones weighing more."""
    each = jax.vmap(head, in_axes=(None, 0))(features, jnp.eye(len(features)))
    log_p = jax.nn.log_softmax(each)
    entropy = -(jnp.exp(log_p) * log_p).sum(axis=-1)
    # `mask` is [modalities] or [batch, modalities].
    kept = jnp.exp(-entropy) * jnp.broadcast_to(mask, entropy.T.shape).T
    weight = kept / jnp.maximum(kept.sum(axis=0, keepdims=True), 1e-12)
    return (weight[..., None] * each).sum(axis=0)
