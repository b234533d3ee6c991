"""OGM-GE: on-the-fly gradient modulation with generalisation enhancement.

Peng et al., Balanced Multimodal Learning via On-the-fly Gradient Modulation,
CVPR 2022. With s_m the batch mean of the probability that modality m alone
gives to the true class,

    rho_m = mean over n != m of s_m / s_n
    k_m   = 1 - tanh(alpha * rho_m) where rho_m > 1, else 1
    g_m  <- k_m * g_m + noise

for the gradient g_m of the parameters of m's encoder. The noise, the "GE", is
normal with mean 0 and the covariance that the gradient of a batch has as one
of many batches: 1 / B of that of the gradients g_mi of its examples. Such
noise is

    1 / B * sum over i of (e_i - mean e) * g_mi,    e_i ~ N(0, 1),

exactly so given the batch (Wu et al., On the Noisy Gradient Descent that
Generalizes as SGD, ICML 2020), and g_m is the mean of the g_mi: all that the
method does is to weigh the example i by k_m + e_i - mean e on the way back
into the encoder m. It costs B random numbers and no pass of its own.

The released code draws a number for each entry instead, with the standard
deviation of the entries of its kernel's gradient, and touches convolution
kernels only, which our encoders do not have. `noise` "entries" is that, for
the kernels of all encoder layers, and not their biases.

Departures: the paper has two modalities; the mean of one-against-one ratios is
its authors' advice for more. There is no window of epochs in which the
modulation is on: it is on throughout. The modality's own prediction has the
bias of its own classifier instead of a share of a common one. Optimisers like
Adam undo most of a constant k_m: `optimizer.name` "sgd" is what the method was
made for.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from arm_jax.methods import Batch, Forward, Loss, Method, Step, terms

NOISES = ("covariance", "entries", "none")
TUNED = {"alpha": (0.8, 0.3, 0.1), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class OGMGE(Method):
    """Joint training with gradients of encoders modulated.

    Attributes:
      alpha: Strength of the modulation; the paper's code has 0.1 for
        VGGSound and 0.8 for CREMA-D.
      noise: "covariance", "entries" as in the released code, or "none",
        which is "OGM".
    """

    alpha: float = 0.8
    noise: str = "covariance"

    def check(self) -> None:
        """Raises InputError for a negative `alpha`, or unknown noise."""
        terms.check_weights("ogm_ge", alpha=self.alpha)
        terms.check_options("ogm_ge", {"noise": NOISES}, noise=self.noise)

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Cross-entropy, on features whose gradients have the weights."""
        if self.noise == "entries":
            return _scored_loss(forward, batch)
        weights = coefficients(terms.scores(forward, batch), self.alpha)[
            :, None
        ]
        if self.noise == "covariance":
            draws = forward.normal(len(weights)).T
            weights += draws - forward.mean(draws)[:, None]
        features = {
            name: terms.scale_gradient(x, weight[:, None])
            for (name, x), weight in zip(
                forward.features.items(), weights, strict=True
            )
        }
        return _scored_loss(forward._replace(features=features), batch)

    def combine(self, step: Step) -> Any:
        """Modulates the gradients of encoders where the loss has not."""
        gradients = step.gradients["loss"]
        if self.noise != "entries":
            return gradients
        weights = coefficients(step.carry, self.alpha)
        encoders = _with_noise(gradients["encoders"], weights, step.key)
        return {**gradients, "encoders": encoders}


def coefficients(scores: jax.Array, alpha: float) -> jax.Array:
    """Returns k `[modalities]` of the scores s `[modalities]`."""
    rho = terms.ratios(scores)
    return jnp.where(rho > 1, 1 - jnp.tanh(alpha * rho), 1.0)


def _scored_loss(forward: Forward, batch: Batch) -> Loss:
    scores = terms.scores(forward, batch)
    metrics = {
        f"score_{name}": scores[m] for m, name in enumerate(forward.features)
    }
    value = terms.fused_cross_entropy(forward.log_probs(), batch)
    return value, metrics, scores


def _with_noise(encoders: Any, weights: jax.Array, key: jax.Array) -> Any:
    """Gradients of encoders times their weights, with noise on kernels."""
    modulated = {}
    for m, name in enumerate(sorted(encoders)):
        leaves, tree = jax.tree.flatten(encoders[name])
        keys = jax.random.split(jax.random.fold_in(key, m), len(leaves))
        modulated[name] = jax.tree.unflatten(
            tree,
            [
                # Kernels have two axes or more, biases one.
                weights[m] * g + g.std() * jax.random.normal(e, g.shape)
                if g.ndim > 1
                else g
                for g, e in zip(leaves, keys, strict=True)
            ],
        )
    return modulated
