"""AGM: adaptive gradient modulation through a split of the fused logits.

Li et al., Boosting Multi-modal Model Performance with Adaptive Gradient
Modulation, ICCV 2023. The logits of the modalities S are a game's value f(S),
f(nobody) = 0; its Shapley values m_1, .., m_M are logits of the modalities
that sum to the fused ones. For two modalities

    m_1 = (f(1, 2) - f(2) + f(1)) / 2.

With c_m the batch mean of -log softmax(m_m)[label], at most -log 1e-8 for a
sample, and C_m its mean over all steps before,

    ratio_m  = exp(mean over n != m of c_n - c_m)
    target_m = exp(mean over n != m of C_n - C_m)
    kappa_m  = exp(alpha * min(target_m - ratio_m, 10)),

the gradient that flows from the cross-entropy of the sum into m_m is
multiplied by kappa_m: a modality that is ahead of its usual lead slows down.

Departures: for more than two modalities, the means over the others are ours,
not necessarily the paper's. The masked evaluations share the features of the
full one, dropout included, where the released code runs the network again in
evaluation mode; and gradients are clipped by `optimizer.clip_norm` or not at
all, where it clips them once the head's exceed norm 1. A linear head is
additive over modalities, so there m_m is the logits of modality m alone. There
are 2^M - 1 evaluations of the head.
"""

import dataclasses

import jax
import jax.numpy as jnp

from arm_jax import shapley
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
from arm_jax.valuation import at_label, masks_for

# The largest cross-entropy of one sample that enters kappa.
_LARGEST = 18.420681  # -log 1e-8
TUNED = {"alpha": (1.5, 0.5, 3.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AGM(Method):
    """Joint training with the gradient into each modality's part scaled.

    Attributes:
      alpha: Strength; the authors name 1.5 for CREMA-D, 2.5 for AV-MNIST and
        4 for UR-Funny.
    """

    alpha: float = 1.5

    def check(self) -> None:
        """Raises InputError for a negative `alpha`."""
        terms.check_weights("agm", alpha=self.alpha)

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns C, and the number of steps that it is the mean of."""
        return {
            "costs": jnp.zeros(len(context.modalities)),
            "steps": jnp.zeros(()),
        }

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Cross-entropy of the sum of the parts; c is carried over."""
        label = batch["label"]
        parts = split(forward)
        log_p = jax.nn.log_softmax(jax.lax.stop_gradient(parts))
        each = -at_label(log_p, label)
        costs = forward.mean(jnp.minimum(each, _LARGEST))
        kappa = coefficients(costs, forward.memory["costs"], self.alpha)
        fused = jax.vmap(terms.scale_gradient)(parts, kappa).sum(axis=0)
        total = -at_label(jax.nn.log_softmax(fused), label).mean()
        metrics = {
            f"kappa_{name}": kappa[m] for m, name in enumerate(forward.features)
        }
        return total, metrics, costs

    def remember(self, step: Step) -> Memory:
        """Takes c into its mean."""
        steps = step.memory["steps"] + 1
        old = step.memory["costs"]
        return {"costs": old + (step.carry - old) / steps, "steps": steps}


def split(forward: Forward) -> jax.Array:
    """Logits of the modalities, `[modalities, batch, classes]`.

    Their sum is the fused logits.
    """
    count = len(forward.features)
    # Nobody, the first coalition, has the value 0 whatever the head says.
    masks = masks_for(forward.features, shapley.coalitions(count)[1:])
    logits = jax.vmap(forward.head, in_axes=(None, 0))(forward.features, masks)
    weights = jnp.asarray(shapley.weights(count)[:, 1:], logits.dtype)
    return jnp.tensordot(weights, logits, axes=1)


def coefficients(costs: jax.Array, usual: jax.Array, alpha: float) -> jax.Array:
    """Returns kappa `[modalities]` of c and of C, `[modalities]` each."""
    ratio, target = jnp.exp(_behind(costs)), jnp.exp(_behind(usual))
    return jnp.exp(alpha * jnp.minimum(target - ratio, 10))


def _behind(costs: jax.Array) -> jax.Array:
    """Mean cost of the others minus one's own, `[modalities]`; 0 for one."""
    count = len(costs)
    return (costs.sum() - count * costs) / max(count - 1, 1)
