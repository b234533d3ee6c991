"""Greedy: balanced learning by gates between the modalities.

Wu, Jastrzebski, Cho and Geras, Characterizing and Overcoming the Greedy Nature
of Learning in Multi-modal Deep Neural Networks, ICML 2022. A squeeze-and-excite
link (MMTM, Vaezi Joze et al., CVPR 2020) lets all modalities gate the features
of each,

    z   = relu(sum over n of S_n f_n + s)
    f_m <- 2 sigmoid(E_m z + e_m) * f_m.

How fast a modality learns from the others, beside how fast it learns at all, is
the log10 of the ratio of two sums over steps of |gradient|^2 / |parameters|^2:
that of the link's parameters for m (S, s, E_m, e_m) to that of m's encoder.
Where this conditional learning speed of two modalities differs by more than
`threshold`, the faster one has the running mean of its gate in place of its
gate for the next `steps` steps, in which it cannot learn from the others. No
speed is measured in these steps, and no gate replaced in the first `warmup`
epochs. The released code counts from 1, and begins with epoch 2.

Departures: of the three links of the paper's ResNets this is the last one,
which commutes with the pooling that makes features; encoders here return
nothing that the inner ones could be between. Of more than two modalities, the
fastest is compared with the slowest. A modality's speed is that of its encoder
without its classifier. Where a modality is absent, the gates see the running
mean of its features, as in the paper's measure of what a modality adds. In
prediction no gate is replaced.

The released code (`released`) has a gate of sigmoid, without the 2, and puts
the running mean of the first modality's gate in the place of every gate.
"""

import dataclasses
from collections.abc import Mapping
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
    Loss,
    Memory,
    Method,
    Step,
    joint,
    terms,
)
from arm_jax.valuation import Head, at_label

TUNED = {"threshold": (0.01, 0.003, 0.03), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Greedy(Method):
    """Joint training with gates, and steps that replace the fastest one's.

    Attributes:
      threshold: Difference of speeds above which a gate is replaced.
      steps: Number of steps in which it is.
      warmup: Epochs before the first.
      ratio: Twice the width of all features, by that of z.
      gates: False for none, which is `joint`.
      released: Have the gates and means of the released code.
    """

    threshold: float = 0.01
    steps: int = 5
    warmup: int = 1
    ratio: int = 4
    gates: bool = True
    released: bool = False

    def check(self) -> None:
        """Raises InputError for an option below its least value."""
        terms.check_weights(
            "greedy", threshold=self.threshold, warmup=self.warmup
        )
        terms.check_counts("greedy", steps=self.steps, ratio=self.ratio)

    def parameters(self, context: Context, key: jax.Array) -> Any:
        """Returns the link."""
        if not self.gates:
            return ()
        widths = context.widths
        inner = max(2 * sum(widths.values()) // self.ratio, 1)
        squeeze, *excite = jax.random.split(key, 1 + len(widths))
        initial = jax.nn.initializers.lecun_normal()
        kernel = initial(squeeze, (sum(widths.values()), inner))
        ends = np.cumsum([widths[name] for name in context.modalities])
        parts = jnp.split(kernel, ends[:-1])
        return {
            "squeeze": {
                "kernels": dict(zip(context.modalities, parts, strict=True)),
                "bias": jnp.zeros(inner),
            },
            "excite": {
                name: {
                    "kernel": initial(k, (inner, widths[name])),
                    "bias": jnp.zeros(widths[name]),
                }
                for k, name in zip(excite, context.modalities, strict=True)
            },
        }

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns means of nothing, speeds of 0 and no gate replaced."""
        if not self.gates:
            return ()
        if self.released:
            context.common_width("greedy")
        zeros = {n: jnp.zeros(width) for n, width in context.widths.items()}
        modalities = jnp.zeros(len(context.modalities))
        return {
            "count": jnp.zeros(()),
            "gates": zeros,
            "features": jax.tree.map(jnp.copy, zeros),
            "link": modalities,
            "encoders": jnp.copy(modalities),
            "replaced": jnp.copy(modalities),
            "left": jnp.zeros((), jnp.int32),
            "unlocked": jnp.full((), float(self.warmup == 0)),
        }

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Cross-entropy with gates, some of them means; all carried over."""
        if not self.gates:
            return joint.loss(forward, batch)
        memory, features = forward.memory, forward.features
        gates = self._gates(
            forward.parameters, features, batch["mask"], memory["features"]
        )
        replaced = dict(zip(features, memory["replaced"], strict=True))
        gated = {
            name: x
            * jnp.where(
                replaced[name] > 0, memory["gates"][name][None], gates[name]
            )
            for name, x in features.items()
        }
        everything = jnp.ones(len(features), batch["mask"].dtype)
        logits = forward.model_head(gated, everything)
        each = -at_label(jax.nn.log_softmax(logits), batch["label"])
        metrics = {f"replaced_{n}": x for n, x in replaced.items()}
        seen = jax.lax.stop_gradient({"gates": gates, "features": features})
        means = {
            kind: {
                name: forward.mean(x[name].T, batch["mask"][:, m])
                for m, name in enumerate(features)
            }
            for kind, x in seen.items()
        }
        return each.mean(), metrics, means

    def fuse(
        self,
        head: Head,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        memory: Memory,
        parameters: Any,
    ) -> jax.Array:
        """Logits of the gated features."""
        if not self.gates:
            return head(features, mask)
        gates = self._gates(parameters, features, mask, memory["features"])
        return head({n: gates[n] * x for n, x in features.items()}, mask)

    def _gates(
        self,
        link: Any,
        features: Mapping[str, jax.Array],
        mask: jax.Array,
        means: Mapping[str, jax.Array],
    ) -> dict[str, jax.Array]:
        """Returns the gates of each modality, `[batch, width]`."""
        z: Any = link["squeeze"]["bias"][None]
        mask = jnp.atleast_2d(mask)
        for m, (name, x) in enumerate(features.items()):
            kernel = link["squeeze"]["kernels"][name]
            # Products first: those of all subsets of modalities are the same.
            there = mask[:, m, None] != 0
            z += jnp.where(there, x @ kernel, (means[name] @ kernel)[None])
        z = jax.nn.relu(z)
        factor = 1 if self.released else 2
        return {
            name: factor * jax.nn.sigmoid(terms.linear(link["excite"][name], z))
            for name in features
        }

    def remember(self, step: Step) -> Memory:
        """Measures speeds, and says which gate is replaced next."""
        if not self.gates:
            return step.memory
        memory, carry = step.memory, step.carry
        count = memory["count"] + 1
        if self.released:
            first = next(iter(sorted(carry["gates"])))
            same = dict.fromkeys(carry["gates"], carry["gates"][first])
            carry = {**carry, "gates": same}
        means = jax.tree.map(
            lambda old, new: old + (new - old) / count,
            {k: memory[k] for k in ("gates", "features")},
            {k: carry[k] for k in ("gates", "features")},
        )
        speeds = relative_sizes(step.gradients["loss"], step.params)
        return {
            **next_turn(memory, *speeds, self.threshold, self.steps),
            **means,
            "count": count,
        }

    def starts(self) -> int:
        """The first epoch in which a gate may be replaced."""
        return self.warmup if self.gates else 0

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Unlocks the gates after the warm-up."""
        if self.gates and 0 < self.warmup == epoch.number:
            memory = epoch.variables.memory
            one = np.ones_like(memory["unlocked"])
            epoch.replace(memory={**memory, "unlocked": one})
        return None


def relative_sizes(gradients: Any, params: Any) -> tuple[jax.Array, jax.Array]:
    """Returns |gradient|^2 / |parameters|^2 of link and encoders.

    Args:
      gradients: Pytree like `params`.
      params: The model's parameters, and the link's under "method".

    Returns:
      That of the link for each modality, and that of each encoder,
      `[modalities]` both, modalities sorted.
    """
    square = lambda tree: optax.tree.norm(tree, squared=True)

    def squares(tree: Any, name: str) -> jax.Array:
        own = tree["method"]
        link = square(own["squeeze"]) + square(own["excite"][name])
        return jnp.stack([link, square(tree["encoders"][name])])

    link, encoders = jnp.stack(
        [
            squares(gradients, n) / jnp.maximum(squares(params, n), 1e-30)
            for n in sorted(params["encoders"])
        ],
        axis=1,
    )
    return link, encoders


def next_turn(
    memory: Mapping[str, Any],
    link: jax.Array,
    encoders: jax.Array,
    threshold: float,
    steps: int,
) -> dict[str, Any]:
    """Returns the memory with the speeds of a step, and what it decides.

    Args:
      memory: As in `Greedy.init`; sums, the gate replaced in this step, and the
        number of steps left in which it is.
      link: Relative size of the link's gradient in this step, `[modalities]`.
      encoders: That of the encoders' gradients.
      threshold: See `Greedy`.
      steps: See `Greedy`.
    """
    is_free = memory["left"] == 0
    sums = {
        "link": memory["link"] + jnp.where(is_free, link, 0),
        "encoders": memory["encoders"] + jnp.where(is_free, encoders, 0),
    }
    # The floor is for encoders without a gradient.
    log = lambda x: jnp.log10(jnp.maximum(x, 1e-30))
    speed = log(sums["link"]) - log(sums["encoders"])
    differ = speed.max() - speed.min() > threshold
    begins = is_free & differ & (memory["unlocked"] > 0)
    fastest = jax.nn.one_hot(speed.argmax(), len(speed), dtype=speed.dtype)
    left = jnp.where(begins, steps, jnp.maximum(memory["left"] - 1, 0))
    replaced = jnp.where(begins, fastest, memory["replaced"])
    return {
        **memory,
        **sums,
        "replaced": jnp.where(left > 0, replaced, 0),
        "left": left.astype(memory["left"].dtype),
    }
