"""TCMax: maximise the total correlation of all modalities and the label.

Yu, Wu, Yang and Lu, Multimodal Classification via Total Correlation
Maximization, ICLR 2026. With z_i the logits of example i, and z_j,k,.. those of
the features of example j in the first modality, k in the second, and so on, the
loss is, for a batch of B examples and K classes,

    -(mean over i of z_i[label]
      - log of the mean over all B^M pairings and K classes of exp z_j,k,..[y]).

Its negative is the bound of Donsker and Varadhan (1983) on the divergence
between the joint distribution of features and label and the product of the
features' distributions and a uniform label: on the total correlation, plus
log K - H(Y). The total correlation holds what all modalities know of the label,
what each knows, and what they know of each other.

Where logits are sums of terms u_m of the modalities, as they must be here, the
sum over pairings is, for each class, the product over modalities of the sum
over examples of exp u_m: there are no pairings to make.

Departures: none that are known. Other fusions, for which the paper evaluates
all pairings, are refused. Examples that lack a modality have no part in its
sum.
"""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp

from arm_jax.methods import Batch, Forward, Loss, Method, terms
from arm_jax.valuation import at_label

TUNED = {"learning_rate": (1.0, 0.1, 0.3, 3.0, 10.0, 30.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TCMax(Method):
    """One bound, over all pairings of the batch's features."""

    needs_additive_head: ClassVar[bool] = True

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Minus the bound, in nats."""
        nobody = forward.head(
            forward.features, jnp.zeros(len(forward.features))
        )
        parts = terms.unimodal_logits(forward) - nobody[None]
        full = nobody + parts.sum(axis=0)
        log_mean = log_mean_of_pairings(
            forward.gather(parts.swapaxes(0, 1)),
            forward.gather(batch["mask"]),
            nobody[0],
        )
        total = log_mean - at_label(full, batch["label"]).mean()
        return total, {"bound": jax.lax.stop_gradient(-total) / math.log(2)}


def log_mean_of_pairings(
    parts: jax.Array, mask: jax.Array, constant: jax.Array
) -> jax.Array:
    """Returns the log of the mean of exp z over pairings and classes.

    Args:
      parts: Terms u of the modalities in the logits, `[batch, modalities,
        classes]`.
      mask: 1 for the modalities that examples have, `[batch, modalities]`.
      constant: What else is in all logits, `[classes]`.
    """
    # A modality that no example has says nothing: all its terms are 0.
    there = jnp.where(mask.sum(axis=0)[None] > 0, mask, 1)[..., None]
    sums = jax.nn.logsumexp(parts, axis=0, b=there)
    by_class = constant + (sums - jnp.log(there.sum(axis=0))).sum(axis=0)
    return jax.nn.logsumexp(by_class) - math.log(len(by_class))
