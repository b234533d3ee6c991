"""OGM-GE: on-the-fly gradient modulation with generalisation enhancement.

Peng et al., Balanced Multimodal Learning via On-the-fly Gradient Modulation,
CVPR 2022. With s_m the batch mean of the probability that modality m alone
gives to the true class,

    rho_m = mean over n != m of s_m / s_n
    k_m   = 1 - tanh(alpha * rho_m) where rho_m > 1, else 1
    g    <- k_m * g + noise,  noise ~ N(0, std(g)^2)

for the gradient g of each kernel of m's encoder, std(g) being taken over its
entries before the scaling. The noise is the "GE".

Departures: the released code touches convolution kernels only, which our
encoders do not have; here it is the kernels of all encoder layers, and not
their biases nor the head. The paper has two modalities; the mean of
one-against-one ratios is its authors' advice for more. There is no window of
epochs in which the modulation is on: it is on throughout. The modality's own
prediction has the bias of its own classifier instead of a share of a common
one. Optimisers like Adam undo most of a constant k_m: `optimizer.name` "sgd"
is what the method was made for.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arm_jax.methods import Batch, Forward, Memory, Method, Metrics, terms
from arm_jax.valuation import at_label


def method(*, alpha: float = 0.8, ge: bool = True) -> Method:
    """Joint training with gradients of encoders modulated.

    Args:
      alpha: strength of the modulation; the paper's code has 0.1 for
        VGGSound and 0.8 for CREMA-D.
      ge: add the noise; without it this is "OGM".

    Raises:
      InputError: a negative `alpha`.
    """
    terms.check_weights("ogm_ge", alpha=alpha)
    return Method(_loss, update=partial(_modulate, alpha, ge))


def coefficients(scores: jax.Array, alpha: float) -> jax.Array:
    """Returns k `[modalities]` of the scores s `[modalities]`."""
    count = len(scores)
    ratios = (scores[:, None] / scores) * (1 - jnp.eye(count))
    rho = ratios.sum(axis=1) / max(count - 1, 1)
    return jnp.where(rho > 1, 1 - jnp.tanh(alpha * rho), 1.0)


def _loss(forward: Forward, batch: Batch) -> tuple[jax.Array, Metrics]:
    log_probs = forward.log_probs()
    alone = jnp.exp(at_label(log_probs.alone, batch["label"]))
    # Means over the batch: the step's average over devices is exact.
    scores = jax.lax.stop_gradient(alone).mean(axis=-1)
    return terms.fused_cross_entropy(log_probs, batch), {
        f"score_{name}": scores[m] for m, name in enumerate(forward.features)
    }


def _modulate(
    alpha: float,
    ge: bool,
    gradients: Any,
    metrics: Metrics,
    memory: Memory,
    key: jax.Array,
) -> tuple[Any, Memory]:
    encoders = sorted(k for k in gradients if k.startswith("encoders_"))
    names = [encoder.removeprefix("encoders_") for encoder in encoders]
    scores = jnp.stack([metrics[f"score_{name}"] for name in names])
    originals = {encoder: gradients[encoder] for encoder in encoders}
    modulated = {
        # Kernels have two axes or more, biases one.
        encoder: jax.tree.map(
            lambda g, k=k: k * g if g.ndim > 1 else g, originals[encoder]
        )
        for k, encoder in zip(
            coefficients(scores, alpha), encoders, strict=True
        )
    }
    if ge:
        modulated = jax.tree.map(jnp.add, modulated, _noise(originals, key))
    return {**gradients, **modulated}, memory


def _noise(gradients: Any, key: jax.Array) -> Any:
    """Noise for kernels, with the deviation of their gradients, 0 elsewhere."""
    leaves, tree = jax.tree.flatten(gradients)
    sizes = [g.size if g.ndim > 1 else 0 for g in leaves]
    # One draw for all kernels: random bits cost more in many small pieces.
    draws = jnp.split(_normal(key, sum(sizes)), np.cumsum(sizes)[:-1])
    return jax.tree.unflatten(
        tree,
        [
            g.std() * e.reshape(g.shape) if g.ndim > 1 else jnp.zeros_like(g)
            for g, e in zip(leaves, draws, strict=True)
        ],
    )


def _normal(key: jax.Array, size: int) -> jax.Array:
    """Standard normal, from 16 bits a number: random bits are the cost."""
    words = jax.random.bits(key, ((size + 1) // 2,), jnp.uint32)
    numbers = jnp.concatenate([words & 0xFFFF, words >> 16])[:size]
    # The middles of 2**16 intervals of equal probability.
    uniform = (numbers.astype(jnp.float32) + 0.5) / 2**16
    return math.sqrt(2) * jax.lax.erf_inv(2 * uniform - 1)
