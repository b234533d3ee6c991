"""LFM: fit labels, and let modalities match, in a changing proportion.

Yang et al., Facilitating Multimodal Classification via Dynamically Learning
Modality Gap, NeurIPS 2024. Labels are not equally hard to fit for all
modalities; to match the modalities with each other needs no labels:

    L = 2 * ((1 - a) * CE(all) + a * matching)      (nats),

with a share a of the matching that falls in training. By `matching`,

- "contrast", as in the abstract of the paper: of the examples of a batch, each
  is to find itself by its features u in one modality among the features v in
  the other: mean of -log softmax over j of cos(u_i, v_j) / temperature at
  j = i, both ways;
- "divergence", as in the released code: Jensen-Shannon divergence of the two
  modalities' predictions. "reversed" has BalanceBenchmark's arguments, whose
  Kullback-Leibler divergences are taken from the mean: KL(mean | p_m).

Of more than two modalities it is the mean over pairs. By `schedule`,

- "line": a falls from `share` to 0.05, epoch by epoch;
- "learned": a begins at `share` and descends the cross-entropy after one step
  on L, da = -rate * <grad CE, grad CE - grad matching>, within [0.05, 0.95].

Departures: the paper's equations were not at hand; its first schedule is a
polynomial that was fitted to its 200 epochs, of which the first value is kept
(1 - 0.205) and the line is ours. Cross-entropy is that of the model's fused
prediction, and not of the mean of logits. The learned share looks ahead on the
batch at hand and not on held-out data, which in the released code are the test
split; it has the exact derivative of a step of gradient descent in the place of
the mean of a part of a Hessian product.
"""

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from arm_jax.methods import (
    Batch,
    Context,
    Copies,
    Epoch,
    Forward,
    Losses,
    Memory,
    Method,
    Step,
    terms,
)
from arm_jax.valuation import Array

TUNED = {"share": (0.795, 0.5, 0.25), "learning_rate": (1.0, 3.0)}
MATCHINGS = ("contrast", "divergence", "reversed")
SCHEDULES = ("line", "learned")
_LEAST, _MOST = 0.05, 0.95


@dataclasses.dataclass(frozen=True, kw_only=True)
class LFM(Method):
    """Cross-entropy, and a matching of the modalities.

    Attributes:
      matching: "contrast", "divergence" or "reversed".
      schedule: "line" or "learned".
      share: Share of the matching at the start; 0 on a line is twice `joint`.
      temperature: Temperature of the contrast.
      rate: Step of the learned share.
    """

    matching: str = "contrast"
    schedule: str = "line"
    share: float = 0.795
    temperature: float = 0.1
    rate: float = 0.01

    def check(self) -> None:
        """Raises InputError for an option that is out of range."""
        terms.check_options(
            "lfm",
            {"matching": MATCHINGS, "schedule": SCHEDULES},
            matching=self.matching,
            schedule=self.schedule,
        )
        terms.check_fractions("lfm", share=self.share)
        learned = self.schedule == "learned"
        if learned and not _LEAST <= self.share <= _MOST:
            bounds = f"be in [{_LEAST}, {_MOST}]"
            raise terms.refused("lfm", "share", bounds, self.share)
        terms.check_positive(
            "lfm", temperature=self.temperature, rate=self.rate
        )

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns the share of the start."""
        if self.matching == "contrast":
            context.common_width("lfm")
        return {"share": jnp.full((), self.share)}

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Lets the share fall along its line."""
        if self.schedule == "line":
            share = line(self.share, epoch.number, epoch.epochs)
            epoch.replace(memory={"share": np.asarray(share, np.float32)})
        return None

    def losses(self, forward: Forward, batch: Batch) -> Losses:
        """The loss, or both parts of it where the share is learned."""
        log_probs = forward.log_probs()
        label = terms.fused_cross_entropy(log_probs, batch)
        if self.matching == "contrast":
            matching = contrast(forward, self.temperature)
        else:
            matching = divergence(
                log_probs.alone, reverse=self.matching == "reversed"
            )
        share = forward.memory["share"]
        metrics = {"matching": matching, "matching_share": share}
        parts = {
            "label": 2 * (1 - share) * label,
            "matching": 2 * share * matching,
        }
        if self.schedule == "line":
            total = parts["label"] + parts["matching"]
            return Losses({"loss": total}, metrics)
        return Losses(parts, metrics)

    def remember(self, step: Step) -> Memory:
        """Takes a step of the learned share."""
        if self.schedule == "line":
            return step.memory
        share = step.memory["share"]
        label, matching = (step.gradients[k] for k in ("label", "matching"))
        # The shares are in the gradients; neither is ever 0.
        fit = jax.tree.map(lambda g: g / (2 * (1 - share)), label)
        match = jax.tree.map(lambda g: g / (2 * share), matching)
        slope = optax.tree.vdot(fit, jax.tree.map(jnp.subtract, fit, match))
        return {"share": jnp.clip(share - self.rate * slope, _LEAST, _MOST)}


def line(share: float, epoch: int, epochs: int) -> float:
    """Returns the share of the matching in an epoch: the last has the least."""
    if share <= _LEAST or epochs < 2:
        return share
    return share + (_LEAST - share) * epoch / (epochs - 1)


def contrast(forward: Forward, temperature: float) -> jax.Array:
    """Mean over pairs of modalities, examples and both ways; 0 without pairs.

    Among the examples of all devices.
    """
    units = [_unit(x) for x in forward.features.values()]
    whole = [forward.gather(x) for x in units]
    each = []
    for m, n in itertools.permutations(range(len(units)), 2):
        all_others = jax.nn.logsumexp(units[m] @ whole[n].T / temperature, 1)
        own = (units[m] * units[n]).sum(axis=-1) / temperature
        each.append((all_others - own).mean())
    return jnp.stack(each).mean() if each else jnp.zeros(())


def divergence(log_p: Array, *, reverse: bool = False) -> jax.Array:
    """Mean over pairs of modalities and examples; nats.

    Args:
      log_p: Log-probabilities, `[modalities, batch, classes]`.
      reverse: Kullback-Leibler divergences from the mean and not to it.
    """
    pairs = list(itertools.combinations(range(len(log_p)), 2))
    each = []
    for m, n in pairs:
        middle = jnp.logaddexp(log_p[m], log_p[n]) - jnp.log(2.0)
        for one in (log_p[m], log_p[n]):
            a, b = (middle, one) if reverse else (one, middle)
            each.append((jnp.exp(a) * (a - b)).sum(axis=-1).mean() / 2)
    return jnp.stack(each).sum() / len(pairs) if each else jnp.zeros(())


def _unit(x: jax.Array) -> Any:
    """Rows of length 1; rows of zeros stay such, with gradients of 0."""
    square = (x**2).sum(axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(square, 1e-12))
