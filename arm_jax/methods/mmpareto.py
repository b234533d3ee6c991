"""MMPareto: unimodal gradients that help, combined as Pareto methods do.

Wei and Hu, MMPareto: Boosting Multimodal Learning with Innocent Unimodal
Assistance, ICML 2024. Beside the cross-entropy of the fused prediction, each
modality has one of its own, from a linear head on its features. With j_m and
u_m the gradients of the fused and of the modality's own loss with respect to
the encoder m, and d = j_m . u_m,

    a   = 1/2                                      where d >= 0
          (|u_m|^2 - d) / (|j_m|^2 + |u_m|^2 - 2 d)  where d < 0
    h_m = 2 a j_m + 2 (1 - a) u_m.

Where they do not conflict, that is their sum. Where they do, a j_m + (1 - a)
u_m is the shortest vector between the two, which does not ascend either loss
(Desideri 2012; Sener and Koltun 2018). As it is also short, and the noise of
short gradients generalises worse, each array of h_m is then brought to the
length that the sum of gradients has there, if it is shorter, and times gamma:

    h_m <- gamma * max(1, |j_m + u_m| / |h_m|) * h_m.

The heads have the sum of all gradients.

Departures: none that are known in the formula. Optimisers like Adam undo most
of a constant factor: `optimizer.name` "sgd" is what gamma was made for. Each of
the M + 1 losses has a backward pass of its own, that of a modality through its
encoder alone.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from arm_jax.methods import (
    Batch,
    Context,
    Forward,
    Losses,
    Method,
    Step,
    _heads,
    terms,
)
from arm_jax.valuation import of_outputs

TAKES_MISSING = True
TASKS = ("classes", "labels", "regression")
TUNED = {"gamma": (1.5, 1.0, 3.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class MMPareto(Method):
    """Joint training with a loss per modality, without conflicts.

    Attributes:
      gamma: Factor of the encoders' gradients.
    """

    gamma: float = 1.5

    def check(self) -> None:
        """Raises InputError for a factor that is not above 0."""
        terms.check_positive("mmpareto", gamma=self.gamma)

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns a linear head for each modality."""
        return _heads.init(context, key)

    def losses(self, forward: Forward, batch: Batch) -> Losses:
        """The fused cross-entropy, and that of each modality's own head."""
        values = {
            "fused": terms.fused_cross_entropy(forward.log_probs(), batch)
        }
        own = _heads.logits(forward.parameters, forward.features)
        for m, (name, logits) in enumerate(
            zip(forward.features, own, strict=True)
        ):
            values[_own(name)] = terms.kept_cross_entropy(
                of_outputs(logits, batch["label"]), batch, batch["mask"][:, m]
            )
        return Losses(values, {})

    def combine(self, step: Step) -> Any:
        """Returns the sum of gradients, for encoders without conflicts."""
        fused = step.gradients["fused"]["encoders"]
        encoders = {
            name: combined(
                fused[name],
                step.gradients[_own(name)]["encoders"][name],
                self.gamma,
            )
            for name in fused
        }
        return {**super().combine(step), "encoders": encoders}


def weight_of_first(first: Any, second: Any) -> jax.Array:
    """Returns the weight a of the first of two gradients, in (0, 1).

    Args:
      first: Gradient, a pytree.
      second: Another one like it.
    """
    d = optax.tree.vdot(first, second)
    squares = [optax.tree.norm(g, squared=True) for g in (first, second)]
    # The denominator is positive wherever it is used, as is the numerator.
    between = squares[0] + squares[1] - 2 * jnp.minimum(d, 0)
    shortest = (squares[1] - d) / jnp.where(between > 0, between, 1)
    return jnp.where(d < 0, shortest, 0.5)


def combined(fused: Any, own: Any, gamma: float) -> Any:
    """Returns h of the two gradients of an encoder, pytrees."""
    a = weight_of_first(fused, own)

    def one(j: jax.Array, u: jax.Array) -> jax.Array:
        h = 2 * a * j + 2 * (1 - a) * u
        length = _length(h)
        # What is left of opposite gradients is rounding: no direction, no step.
        is_rounding = length <= 1e-6 * (_length(j) + _length(u))
        longer = _length(j + u) / jnp.where(is_rounding, jnp.inf, length)
        return gamma * jnp.maximum(longer, 1) * h

    return jax.tree.map(one, fused, own)


def _own(modality: str) -> str:
    """Name of a modality's own loss."""
    return f"own_{modality}"


def _length(x: jax.Array) -> jax.Array:
    return jnp.linalg.norm(x.ravel())
