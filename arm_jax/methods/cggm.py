"""CGGM: classifier-guided gradient modulation.

Guo, Jin, Chen and Zhao, Classifier-guided Gradient Modulation for Enhanced
Multimodal Learning, NeurIPS 2024. Each modality has a classifier at its side,
which trains on the features and leaves them alone. With d_m the change of its
accuracy from the batch before to this one,

    c_m  = sum over n != m of d_n / sum over n of d_n
    g_m <- rho * c_m * g_m

for the gradient g_m of the parameters of m's encoder: the less a modality has
improved, the more it learns. For the directions,

    loss = CE(all) + direction * L,
    L    = mean over m of |c_m| - c_m * cos(u_m, G_m),

with u_m the gradient of the side classifier's cross-entropy with respect to its
weights and G_m that of CE(all) with respect to the weights of the same
features in the head.

Departures: side classifiers are linear; the paper's have attention layers. u_m
and c_m are fixed, so L turns G_m. G_m is that of a linear head also where the
head has hidden layers. Where the changes sum to 0, as accuracies of batches
often do, all c_m are (M - 1) / M, those of equal changes; the released code has
1e-8 in the denominator and factors of millions. c_m may be negative, also in
the paper: `bound` keeps them in a range. A single modality is not modulated.

The released code takes the cosine of the classifiers' weights, not of their
gradients, as a number of the step before: it has no gradient. So L does nothing
there, as with `direction` 0. Optimisers like Adam undo most of the factors.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from arm_jax import parallel
from arm_jax.methods import (
    Batch,
    Context,
    Forward,
    Loss,
    Memory,
    Method,
    Step,
    _heads,
    terms,
)
from arm_jax.valuation import Array, is_right

TUNED = {"rho": (1.3, 1.0, 2.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class CGGM(Method):
    """Joint training, its gradients guided by classifiers at the side.

    Attributes:
      rho: Factor of all gradients of encoders.
      direction: Weight of the directions; the authors have 0.2 for CMU-MOSI
        and 0.05 for Food-101.
      bound: Largest |c_m|; 0 for none.
    """

    rho: float = 1.3
    direction: float = 0.1
    bound: float = 0.0

    def check(self) -> None:
        """Raises InputError for a negative weight."""
        terms.check_positive("cggm", rho=self.rho)
        terms.check_weights("cggm", direction=self.direction, bound=self.bound)

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns the accuracies before the first batch: 0."""
        return jnp.zeros(len(context.modalities))

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns the side classifiers."""
        return _heads.init(context, key)

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The losses of model and classifiers; accuracies are carried over."""
        label, mask = batch["label"], batch["mask"].T
        names = list(forward.features)
        fixed = jax.lax.stop_gradient(forward.features)
        side = jnp.stack(_heads.logits(forward.parameters, fixed))
        side_costs = terms.kept_cross_entropy(
            jax.nn.log_softmax(side), batch, mask
        )
        right = is_right(side, label).astype(mask.dtype) * mask
        accuracy = forward.mean(right) / jnp.maximum(forward.mean(mask), 1e-12)
        c = coefficients(accuracy - forward.memory, self.bound)
        if len(names) > 1:
            forward = forward._replace(
                features={
                    n: terms.scale_gradient(x, self.rho * c[m])
                    for m, (n, x) in enumerate(forward.features.items())
                }
            )
        log_probs = forward.log_probs()
        total = terms.fused_cross_entropy(log_probs, batch) + side_costs.sum()
        metrics = {f"coefficient_{n}": c[m] for m, n in enumerate(names)}
        if self.direction and len(names) > 1:
            cosines = jnp.stack(
                [
                    self._cosine(forward, batch, m, side[m], log_probs.full)
                    for m in range(len(names))
                ]
            )
            apart = (jnp.abs(c) - c * cosines).mean()
            total += self.direction * apart
            metrics["apart"] = apart
        return total, metrics, accuracy

    def _cosine(
        self,
        forward: Forward,
        batch: Batch,
        m: int,
        side: jax.Array,
        log_probs: Array,
    ) -> jax.Array:
        """Cosine of G and u of a modality, over the whole batch."""
        x = list(forward.features.values())[m]
        kept = batch["mask"][:, m, None]

        def gradient(predicted: jax.Array, x: jax.Array) -> jax.Array:
            truth = jax.nn.one_hot(
                batch["label"], predicted.shape[-1], dtype=x.dtype
            )
            mean = (kept * x).T @ (predicted - truth) / len(x)
            return parallel.pmean(mean, forward.axis_name)

        u = jax.lax.stop_gradient(gradient(jax.nn.softmax(side), x))
        return cosine(gradient(jnp.exp(log_probs), x), u)

    def remember(self, step: Step) -> Memory:
        """Keeps the accuracies."""
        return step.carry


def coefficients(changes: jax.Array, bound: float) -> jax.Array:
    """Returns c `[modalities]` of the changes d `[modalities]`."""
    total = changes.sum()
    # Accuracies are multiples of 1 / B, their sums no more than rounded.
    none = jnp.abs(total) < 1e-6
    c = jnp.where(
        none,
        1 - 1 / len(changes),
        (total - changes) / jnp.where(none, 1, total),
    )
    return jnp.clip(c, -bound, bound) if bound else c


def cosine(a: jax.Array, b: jax.Array) -> jax.Array:
    """Returns the cosine of two arrays; 0 where one of them is 0."""
    squares = (a**2).sum() * (b**2).sum()
    return (a * b).sum() * jax.lax.rsqrt(jnp.maximum(squares, 1e-24))
