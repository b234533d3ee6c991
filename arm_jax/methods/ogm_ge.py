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

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from arm_jax.errors import check_choice
from arm_jax.methods import Batch, Forward, Memory, Method, Metrics, terms
from arm_jax.valuation import at_label

NOISES = ("covariance", "entries", "none")


def method(*, alpha: float = 0.8, noise: str = "covariance") -> Method:
    """Joint training with gradients of encoders modulated.

    Args:
      alpha: strength of the modulation; the paper's code has 0.1 for
        VGGSound and 0.8 for CREMA-D.
      noise: "covariance", "entries" as in the released code, or "none",
        which is "OGM".

    Raises:
      InputError: a negative `alpha`, or unknown noise.
    """
    terms.check_weights("ogm_ge", alpha=alpha)
    check_choice("method 'ogm_ge': noise", noise, NOISES)
    if noise == "entries":
        return Method(_scored_loss, update=partial(_modulate, alpha))
    return Method(partial(_modulated_loss, alpha, noise == "covariance"))


def coefficients(scores: jax.Array, alpha: float) -> jax.Array:
    """Returns k `[modalities]` of the scores s `[modalities]`."""
    count = len(scores)
    ratios = (scores[:, None] / scores[None]) * (1 - jnp.eye(count))
    rho = ratios.sum(axis=1) / max(count - 1, 1)
    return jnp.where(rho > 1, 1 - jnp.tanh(alpha * rho), 1.0)


def _modulated_loss(
    alpha: float, noisy: bool, forward: Forward, batch: Batch
) -> tuple[jax.Array, Metrics]:
    scores = _scores(forward, batch)
    weights = coefficients(scores, alpha)[:, None]
    if noisy:
        draws = forward.normal(len(scores)).T
        weights += draws - forward.mean(draws)[:, None]
    features = {
        name: terms.scale_gradient(x, weight[:, None])
        for (name, x), weight in zip(
            forward.features.items(), weights, strict=True
        )
    }
    modulated = forward._replace(features=features)
    return _scored_loss(modulated, batch)


def _scored_loss(forward: Forward, batch: Batch) -> tuple[jax.Array, Metrics]:
    scores = _scores(forward, batch)
    return terms.fused_cross_entropy(forward.log_probs(), batch), {
        f"score_{name}": scores[m] for m, name in enumerate(forward.features)
    }


def _scores(forward: Forward, batch: Batch) -> jax.Array:
    alone = jnp.exp(at_label(forward.log_probs().alone, batch["label"]))
    return forward.mean(jax.lax.stop_gradient(alone))


def _modulate(
    alpha: float,
    gradients: Any,
    metrics: Metrics,
    memory: Memory,
    key: jax.Array,
) -> tuple[Any, Memory]:
    names = sorted(gradients["encoders"])
    scores = jnp.stack([metrics[f"score_{name}"] for name in names])
    modulated = {}
    for m, (name, k) in enumerate(
        zip(names, coefficients(scores, alpha), strict=True)
    ):
        leaves, tree = jax.tree.flatten(gradients["encoders"][name])
        keys = jax.random.split(jax.random.fold_in(key, m), len(leaves))
        modulated[name] = jax.tree.unflatten(
            tree,
            [
                # Kernels have two axes or more, biases one.
                k * g + g.std() * jax.random.normal(e, g.shape)
                if g.ndim > 1
                else g
                for g, e in zip(leaves, keys, strict=True)
            ],
        )
    return {**gradients, "encoders": modulated}, memory
