"""What the code released with ARM does, defects included; it is not ARM.

Gao et al., Asymmetric Reinforcing against Multi-modal Representation Bias,
AAAI 2025, describes contributions of each sample, a balanced loss and
re-sampling (see `arm`). The code released with it does this, in which x and y
stand for the features of the two modalities, of width d:

    c   = Linear(x, y)                        the neck, 2d -> d
    p_k = batch mean of softmax(classifier(k))[label]  for k = c, x, y
    N_m = normalised mutual information of m and c, all B * d numbers of each
          as samples, 30 bins
    C_m = "normalised conditional mutual information" of m and c given the
          other modality, 2 bins
    S_x = p_c N_x + p_y (N_x - C_x)           S_y = p_c N_y + p_x (N_y - C_y)
    logits = classifier(Linear((S_x / S_y) x, (S_y / S_x) y)),

with one classifier d -> classes for all, and is trained on the cross-entropy
of these logits alone. No gradient passes through the scores S. Defects:

- `crossed`: S_x has p_y, and S_y has p_x.
- `faulty_information`: C_m is no conditional information, see
  `estimators.released_conditional_information`.
- `neck`, `unimodal`: no loss reaches the neck, which stays a random
  projection, nor the classifier's reading of single modalities.
- `bound`: the scores may be near 0 or negative, and their ratios anything.
- Flattened features as samples: N_m is little but the bias of its estimate.
- Scores of a batch, not of a sample; and they use labels, also in prediction.

Departure: predictions never see labels here, so they use running averages of
the two scores in training. A neck without a loss is a constant, that no
weight decay shrinks. Encoders and data are the project's.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from arm_jax import estimators
from arm_jax.errors import InputError
from arm_jax.methods import (
    Batch,
    Context,
    Forward,
    Memory,
    Method,
    Metrics,
    terms,
)
from arm_jax.valuation import Head, at_label


def method(
    *,
    crossed: bool = True,
    faulty_information: bool = True,
    neck: float = 0.0,
    unimodal: float = 0.0,
    bound: float = 0.0,
    decay: float = 0.99,
) -> Method:
    """The released code; every default is what it does.

    Args:
      crossed: weigh by the other modality's probability, or by one's own.
      faulty_information: the released formula, or the plug-in normalised
        conditional mutual information.
      neck: weight of a cross-entropy of classifier(c), which trains the neck.
      unimodal: weight of the cross-entropies of single modalities.
      bound: largest ratio of the scores, its inverse the smallest; at least
        1, or 0 for none.
      decay: a step, of the running averages of the scores.

    Raises:
      InputError: a negative weight, a bound between 0 and 1, or a decay
        outside [0, 1).
    """
    terms.check_weights("arm_released", neck=neck, unimodal=unimodal)
    terms.check_fractions("arm_released", decay=decay)
    if not (bound == 0 or bound >= 1):
        raise InputError(
            f"method 'arm_released': bound must be 0 or at least 1, got {bound}"
        )

    def loss(forward: Forward, batch: Batch) -> tuple[jax.Array, Metrics]:
        own, label = forward.parameters, batch["label"]
        x, y = forward.features.values()
        neck_layer = (own if neck else forward.memory)["neck"]
        c = _linear(neck_layer, jnp.concatenate([x, y], axis=-1))
        each = at_label(
            jax.nn.log_softmax(
                _linear(own["classifier"], jnp.stack([c, x, y]))
            ),
            label,
        )
        now = scores(
            forward.mean(jnp.exp(jax.lax.stop_gradient(each))),
            *(forward.gather(jax.lax.stop_gradient(f)) for f in (c, x, y)),
            crossed=crossed,
            faulty_information=faulty_information,
        )
        scales = _scales(now, bound)
        logits = _classify(own, (x, y), scales)
        total = -at_label(jax.nn.log_softmax(logits), label).mean()
        c_loss, *alone = -each.mean(axis=-1)
        # XLA would take the gradient of a term of weight 0.
        if neck:
            total += neck * c_loss
        if unimodal:
            total += unimodal * sum(alone)
        return total, {"scores": now} | {
            f"scale_{name}": scales[m]
            for m, name in enumerate(forward.features)
        }

    return Method(
        loss,
        modality_counts=(2,),
        init=partial(_init, bool(neck)),
        parameters=partial(_parameters, bool(neck)),
        fuse=partial(_fuse, bound),
        update=partial(_update, decay),
    )


def scores(
    probability: jax.Array,
    c: jax.Array,
    x: jax.Array,
    y: jax.Array,
    *,
    crossed: bool,
    faulty_information: bool,
) -> jax.Array:
    """Returns (S_x, S_y).

    Args:
      probability: p_c, p_x, p_y.
      c: features of the neck, `[batch, width]`.
      x: features of the first modality, `[batch, width]`.
      y: features of the second modality, `[batch, width]`.
      crossed: see `method`.
      faulty_information: see `method`.
    """
    conditional = (
        estimators.released_conditional_information_of
        if faulty_information
        else estimators.normalized_conditional_mutual_information_of
    )
    p_c, p_x, p_y = probability
    own = jnp.stack([p_y, p_x] if crossed else [p_x, p_y])
    flat = x.ravel(), c.ravel(), y.ravel()
    *pairs, triple = estimators.histograms(
        flat, ((0, 1), 30), ((2, 1), 30), ((0, 1, 2), 2)
    )
    n = jax.vmap(estimators.normalized_mutual_information_of)(jnp.stack(pairs))
    given = jax.vmap(conditional)(jnp.stack([triple, triple.T]))
    return p_c * n + own * (n - given)


def _scales(found: jax.Array, bound: float) -> jax.Array:
    ratio = found[0] / found[1]
    if bound:
        ratio = jnp.clip(ratio, 1 / bound, bound)
    return jnp.stack([ratio, 1 / ratio])


def _classify(
    own: Any, features: Iterable[jax.Array], factors: Iterable[jax.Array]
) -> jax.Array:
    # classifier(Linear(factors * features)). Both are linear, so that they are
    # one linear layer, and the factors may come last: those of all subsets
    # then share the products.
    classifier = own["classifier"]
    logits = _linear(classifier, own["head"]["bias"])[None]
    kernels = jnp.split(own["head"]["kernel"] @ classifier["kernel"], 2)
    for x, kernel, factor in zip(features, kernels, factors, strict=True):
        logits += factor * (x @ kernel)
    return logits


def _fuse(
    bound: float,
    head: Head,
    features: Mapping[str, jax.Array],
    mask: jax.Array,
    memory: Memory,
    own: Any,
) -> jax.Array:
    # The model's own head has no part in this method and is not trained.
    del head
    scales = _scales(memory["scores"], bound)
    mask = jnp.atleast_2d(mask)
    factors = [scale * mask[:, m, None] for m, scale in enumerate(scales)]
    return _classify(own, features.values(), factors)


def _init(trained_neck: bool, context: Context, key: jax.Array) -> Memory:
    # Only the ratio counts: it is 1 before the first step, and what the steps
    # say, whatever the decay, after it.
    memory = {"scores": jnp.full(len(context.modalities), 1e-12, float)}
    return memory if trained_neck else {**memory, "neck": _neck(context, key)}


def _update(
    decay: float, gradients: Any, metrics: Metrics, memory: Memory, key: Any
) -> tuple[Any, Memory]:
    del key
    old, new = memory["scores"], metrics["scores"]
    return gradients, {**memory, "scores": decay * old + (1 - decay) * new}


def _parameters(trained_neck: bool, context: Context, key: jax.Array) -> Any:
    width = context.common_width("arm_released")
    keys = jax.random.split(key, 3)
    own = {
        "head": _layer(keys[0], 2 * width, width),
        "classifier": _layer(keys[1], width, context.num_classes),
    }
    return {**own, "neck": _neck(context, keys[2])} if trained_neck else own


def _neck(context: Context, key: jax.Array) -> Any:
    width = context.common_width("arm_released")
    return _layer(key, 2 * width, width)


def _layer(key: jax.Array, inputs: int, outputs: int) -> Any:
    kernel = jax.nn.initializers.lecun_normal()(key, (inputs, outputs))
    return {"kernel": kernel, "bias": jnp.zeros(outputs)}


def _linear(parameters: Any, x: jax.Array) -> jax.Array:
    bias = parameters["bias"]
    return x @ parameters["kernel"] + bias.reshape((1,) * (x.ndim - 1) + (-1,))
