"""AMCo: adaptive mask co-optimisation.

Zhou et al., Adaptive Mask Co-optimization for Modal Dependence in Multimodal
Learning, ICASSP 2023, known to this project from its abstract and from
BalanceBenchmark's code. A modality's share of an example is what it has of the
softmax over the logits of all modalities alone, side by side. The model depends
on a modality whose mean share in the batch is above `threshold`. Of the U
features of such a modality,

    floor(p * U),    p = sin(pi/2 * min(t / ramp, 1))  at step t,

at random, are masked before the fusion, the same for all examples of a batch;
what is left is divided by max(1 - p, 0.1). Its own cross-entropy keeps it from
forgetting: the loss is

    CE(all, masked) + unimodal * sum_m CE(m).

In one version of the code U are the classes and the mask is on the logits that
the modality adds (`masked` "logits"), unscaled.

Departures: dependence is that of the same batch, not of the one before, and
ends when the share falls; in the code it lasts to the end of the epoch. There
p starts anew each epoch and is 1 within a few steps; here it rises once, over
`ramp` steps. A single modality is never masked.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from arm_jax.methods import Batch, Forward, Loss, Method, Metrics, terms
from arm_jax.valuation import masks_for

MASKED = ("features", "logits")
# The least share of features that scaling reckons with.
_LEAST = 0.1
TUNED = {"threshold": (0.5, 0.3, 0.7), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AMCo(Method):
    """Joint and unimodal training that hides what the model depends on.

    Attributes:
      threshold: Share above which the model depends on a modality; 1 is
        `uniform`.
      ramp: Steps until all of such a modality is masked.
      unimodal: Weight of the cross-entropies of single modalities.
      masked: What is masked, "features" or "logits".
    """

    threshold: float = 0.5
    ramp: int = 1000
    unimodal: float = 1.0
    masked: str = "features"

    def check(self) -> None:
        """Raises InputError for an option out of its range."""
        terms.check_probabilities("amco", threshold=self.threshold)
        terms.check_counts("amco", ramp=self.ramp)
        terms.check_weights("amco", unimodal=self.unimodal)
        terms.check_options("amco", {"masked": MASKED}, masked=self.masked)

    @property
    def needs_additive_head(self) -> bool:  # type: ignore[override]
        """Logits that a modality adds, only additive heads have."""
        return self.masked == "logits"

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """The loss above, in nats."""
        log_probs = forward.log_probs()
        fused = log_probs.full
        metrics: Metrics = {}
        if self.threshold < 1 and len(forward.features) > 1:
            logits, metrics = self._masked_logits(forward, batch)
            fused = jax.nn.log_softmax(logits)
        log_probs = log_probs._replace(full=fused)
        total = terms.fused_cross_entropy(log_probs, batch)
        if self.unimodal:
            alone = terms.unimodal_cross_entropies(log_probs, batch)
            total += self.unimodal * alone.sum()
        return total, metrics

    def _masked_logits(
        self, forward: Forward, batch: Batch
    ) -> tuple[jax.Array, Metrics]:
        alone = terms.unimodal_logits(forward)
        share = forward.mean(
            shares(jax.lax.stop_gradient(alone), batch["mask"].T)
        )
        depends = share > self.threshold
        p = masked_share(forward.step, self.ramp).astype(alone.dtype)
        metrics = {
            f"share_{name}": share[m] for m, name in enumerate(forward.features)
        }
        everything = masks_for(forward.features, jnp.ones(len(alone)))
        keys = jax.random.split(forward.key, len(alone))
        if self.masked == "logits":
            nobody = forward.head(forward.features, 0 * everything)
            fused = forward.head(forward.features, everything)
            for m, logits in enumerate(alone):
                hidden = depends[m] & ~kept(keys[m], logits.shape[-1], p)
                fused -= jnp.where(hidden[None], logits - nobody, 0)
            return fused, metrics
        scale = 1 / jnp.maximum(1 - p, _LEAST)
        features = {}
        for m, (name, x) in enumerate(forward.features.items()):
            left = jnp.where(kept(keys[m], x.shape[-1], p), scale, 0)
            features[name] = jnp.where(depends[m], left, 1)[None] * x
        return forward.head(features, everything), metrics


def shares(logits: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the shares `[modalities, batch]`; 0 of what is missing.

    Args:
      logits: Those of each modality alone, `[modalities, batch, classes]`.
      mask: 1 for the modalities that examples have, `[modalities, batch]`.
    """
    logits = jnp.where(mask[..., None] > 0, logits, -jnp.inf)
    total = jax.nn.logsumexp(logits, axis=(0, -1), keepdims=True)
    return jnp.exp(logits - total).sum(axis=-1)


def masked_share(step: jax.Array, ramp: int) -> jax.Array:
    """Returns p at a step."""
    return jnp.sin(math.pi / 2 * jnp.minimum(step.astype(float) / ramp, 1))


def kept(key: jax.Array, units: int, p: jax.Array) -> jax.Array:
    """Returns bool `[units]`, with all but floor(p * units) at random."""
    rank = jax.random.permutation(key, units)
    return rank >= jnp.floor(p * units).astype(rank.dtype)
