"""PMR: prototypical modality rebalance.

Fan et al., PMR: Prototypical Modal Rebalance for Multimodal Learning, CVPR
2023. Before each epoch, the prototype c_{m,k} of class k in modality m becomes

    momentum * c_{m,k} + (1 - momentum) * mean feature of class k,

the mean feature itself before the first epoch. Samples are classified by
distance to the prototypes, q_m = softmax over k of -|f_m - c_{m,k}|; with s_m
the batch mean of q_m(label), the loss is

    CE(all) + alpha * CE(q_weakest),

in nats, the last term for the modality of the smallest s_m.

Departures: prototypes are means over the whole training split, not over a
tenth of its batches. The definition has two modalities; with more the weakest
one alone has the term. There is no window of epochs; it is on throughout. In
the released code prototypes are means before the second epoch, too. The paper's
abstract speaks of an entropy term early in training, by which the dominant
modality suppresses less; the released code does without it, and so does this.
"""

import dataclasses

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
    Survey,
    terms,
)
from arm_jax.valuation import at_label

TUNED = {"alpha": (1.0, 0.3, 3.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PMR(Method):
    """Joint training, and prototypes for the weakest modality.

    Attributes:
      alpha: Weight of the prototypes' cross-entropy.
      momentum: Share of the old prototypes in the new ones.
    """

    alpha: float = 1.0
    momentum: float = 0.2

    def check(self) -> None:
        """Raises InputError for a weight below 0 or momentum outside [0, 1)."""
        terms.check_weights("pmr", alpha=self.alpha)
        terms.check_fractions("pmr", momentum=self.momentum)

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns prototypes that are not yet any, and the number of means."""
        modalities = len(context.modalities)
        width = context.common_width("pmr")
        shape = (modalities, context.num_classes, width)
        return {
            "prototypes": jnp.zeros(shape),
            "epochs": jnp.zeros((), jnp.int32),
        }

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """CE(all) + alpha * CE(q_weakest)."""
        features = jnp.stack(list(forward.features.values()))
        log_q = prototype_log_probs(features, forward.memory["prototypes"])
        each = at_label(log_q, batch["label"])
        # Compared, so they must be those of the whole batch.
        scores = forward.mean(jnp.exp(jax.lax.stop_gradient(each)))
        weakest = (scores == scores.min()) & (scores < scores.max())
        rebalance = -(weakest.astype(each.dtype) * each.mean(axis=-1)).sum()
        fused = terms.fused_cross_entropy(forward.log_probs(), batch)
        return fused + self.alpha * rebalance, {
            f"prototype_score_{name}": scores[m]
            for m, name in enumerate(forward.features)
        }

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Takes the training split's class means into the prototypes."""
        memory = epoch.variables.memory
        epoch.replace(
            memory=_with_new_means(memory, epoch.survey(), self.momentum)
        )
        return None


def prototype_log_probs(
    features: jax.Array, prototypes: jax.Array
) -> jax.Array:
    """Returns log q.

    Args:
      features: `[modalities, batch, width]`.
      prototypes: `[modalities, classes, width]`.

    Returns:
      `[modalities, batch, classes]`, in nats.
    """
    # |f - c|^2 in parts: a matrix product, where the difference would be an
    # array over samples, classes and width.
    product = jnp.einsum(
        "mbd,mkd->mbk", features, prototypes, precision="highest"
    )
    square = (
        (features**2).sum(axis=-1)[:, :, None]
        - 2 * product
        + (prototypes**2).sum(axis=-1)[:, None]
    )
    # The floor keeps the gradient finite on a prototype.
    return jax.nn.log_softmax(-jnp.sqrt(jnp.maximum(square, 1e-12)))


def _with_new_means(memory: Memory, survey: Survey, momentum: float) -> Memory:
    old, epochs = memory["prototypes"], memory["epochs"]
    members = np.eye(old.shape[1])[survey.label]
    count = members.sum(axis=0)[:, None]
    features = np.stack(list(survey.features.values()))
    means = members.T @ features / np.maximum(count, 1)
    share = momentum if epochs else 0.0
    new = share * old + (1 - share) * means
    # A class without examples keeps its prototype.
    new = np.where(count > 0, new, old).astype(old.dtype)
    return {"prototypes": new, "epochs": epochs + np.int32(1)}
