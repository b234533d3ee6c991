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
    logits = classifier(Linear((S_y / S_x) x, (S_x / S_y) y)),

with one classifier d -> classes for all, and is trained on the cross-entropy
of these logits alone. No gradient passes through the scores S. A modality is
scaled by the score of the other one over its own, which is meant to raise the
weaker one. Of features behind a ReLU, as there, N is near 0 and C near 1, so
that S_x is near -p_y and x is scaled by about p_x / p_y: the stronger one is
raised.

Defects:

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

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from arm_jax import estimators
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
from arm_jax.valuation import Head, at_label

TUNED = {"unimodal": (0.0, 0.3, 1.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReleasedARM(Method):
    """The released code; every default is what it does.

    Attributes:
      crossed: Weigh by the other modality's probability, or by one's own.
      faulty_information: The released formula, or the plug-in normalised
        conditional mutual information.
      neck: Weight of a cross-entropy of classifier(c), which trains the neck.
      unimodal: Weight of the cross-entropies of single modalities.
      bound: Largest ratio of the scores, its inverse the smallest; at least
        1, or 0 for none.
      decay: Decay per step of the running averages of the scores.
    """

    modality_counts: ClassVar[tuple[int, ...]] = (2,)

    crossed: bool = True
    faulty_information: bool = True
    neck: float = 0.0
    unimodal: float = 0.0
    bound: float = 0.0
    decay: float = 0.99

    def check(self) -> None:
        """Raises InputError for a weight, bound or decay out of its range."""
        terms.check_weights(
            "arm_released", neck=self.neck, unimodal=self.unimodal
        )
        terms.check_fractions("arm_released", decay=self.decay)
        terms.check_weights("arm_released", bound=self.bound)
        if 0 < self.bound < 1:
            raise terms.refused(
                "arm_released", "bound", "be 0 or at least 1", self.bound
            )

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns the running scores, and the neck if nothing trains it."""
        # Only the ratio counts: it is 1 before the first step, and what the
        # steps say, whatever the decay, after it.
        memory = {"scores": jnp.full(len(context.modalities), 1e-12, float)}
        return memory if self.neck else {**memory, "neck": _neck(context, key)}

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns the head, the classifier, and the neck if it is trained."""
        width = context.common_width("arm_released")
        keys = jax.random.split(key, 3)
        own = {
            "head": _layer(keys[0], 2 * width, width),
            "classifier": _layer(keys[1], width, context.num_classes),
        }
        return {**own, "neck": _neck(context, keys[2])} if self.neck else own

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Cross-entropy of the scaled logits; the scores are carried over."""
        own, label = forward.parameters, batch["label"]
        x, y = forward.features.values()
        neck_layer = (own if self.neck else forward.memory)["neck"]
        c = _linear(neck_layer, jnp.concatenate([x, y], axis=-1))
        log_p = jax.nn.log_softmax(
            _linear(own["classifier"], jnp.stack([c, x, y]))
        )
        each = at_label(log_p, label)
        now = scores(
            forward.mean(jnp.exp(jax.lax.stop_gradient(each))),
            *(forward.gather(jax.lax.stop_gradient(f)) for f in (c, x, y)),
            crossed=self.crossed,
            faulty_information=self.faulty_information,
        )
        scales = _scales(now, self.bound)
        logits = _classify(own, (x, y), scales)
        total = -at_label(jax.nn.log_softmax(logits), label).mean()
        c_loss, *alone = -each.mean(axis=-1)
        # XLA would take the gradient of a term of weight 0.
        if self.neck:
            total += self.neck * c_loss
        if self.unimodal:
            total += self.unimodal * sum(alone)
        metrics = {
            f"scale_{name}": scales[m]
            for m, name in enumerate(forward.features)
        }
        return total, metrics, now

    def remember(self, step: Step) -> Memory:
        """Updates the running scores."""
        old, new = step.memory["scores"], step.carry
        return {
            **step.memory,
            "scores": self.decay * old + (1 - self.decay) * new,
        }

    def fuse(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        memory: Memory,
        parameters: Any,
    ) -> jax.Array:
        """Scaled logits; the model's own head has no part in them."""
        scales = _scales(memory["scores"], self.bound)
        mask = jnp.atleast_2d(mask)
        factors = [scale * mask[:, m, None] for m, scale in enumerate(scales)]
        return _classify(parameters, features.values(), factors)


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
      crossed: See `ReleasedARM`.
      faulty_information: See `ReleasedARM`.
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
    # Of the first modality; that of the other one over its own.
    ratio = found[1] / found[0]
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


def _neck(context: Context, key: jax.Array) -> Any:
    width = context.common_width("arm_released")
    return _layer(key, 2 * width, width)


def _layer(key: jax.Array, inputs: int, outputs: int) -> Any:
    kernel = jax.nn.initializers.lecun_normal()(key, (inputs, outputs))
    return {"kernel": kernel, "bias": jnp.zeros(outputs)}


def _linear(parameters: Any, x: jax.Array) -> jax.Array:
    bias = parameters["bias"]
    return x @ parameters["kernel"] + bias.reshape((1,) * (x.ndim - 1) + (-1,))
