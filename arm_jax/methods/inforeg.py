"""InfoReg: slow down the modality that is ahead while most is learned.

Huang, Wei, Yang and Hu, Adaptive Unimodal Regulation for Balanced Multimodal
Information Acquisition, CVPR 2025. A modality's trace T_m(t) of the Fisher
information in epoch t is the sum over its encoder's kernels of the mean, over
their entries, of squared gradients, summed over the steps of the epoch. Its
prime learning window is open in epoch t + 1 while

    (A_m(t) - A_m(t - 1)) / A_m(t) > window,

with A_m(t) a tenth of the sum of the last ten traces; in the first epoch it is
open. With s_m the batch mean of the probability that m alone gives to the true
class, and a_m = s_m - mean over n != m of s_n, the gradient of the parameters
of the encoder m is, while its window is open and a_m > 0,

    g_m <- g_m + beta * exp(tanh(a_m)) * (theta_m - theta_m at epoch start):

a pull back to where the epoch began. The loss is

    CE(all) + unimodal * sum_m CE(m).

Departures: the definition for more than two modalities, by the mean of the
others, and scores that are means and no sums over the batch are ours, not
necessarily the paper's. The trace is that of the loss's gradients, without the
pull. A modality's own prediction is the head's, not that of a head of its own.
One beta is for all modalities; the authors have 0.95 where audio is ahead and
0.1 where the image is.

The released code (`released`) looks at the trace of the first modality alone;
regulates it alone, since the branch for the other one cannot be reached; and
takes sums over the batch, so that tanh is nearly 1 at any lead.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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
    terms,
)

# Epochs that traces are averaged over.
_EPOCHS = 10
TUNED = {"beta": (0.95, 0.5, 0.1), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class InfoReg(Method):
    """Joint and unimodal training, in which the one ahead is pulled back.

    Attributes:
      beta: Strength of the pull; with 0 this is `uniform`.
      window: Relative rise of the trace above which the window is open.
      unimodal: Weight of the cross-entropies of single modalities.
      released: Regulate as the released code does.
    """

    beta: float = 0.95
    window: float = 0.05
    unimodal: float = 1.0
    released: bool = False

    def check(self) -> None:
        """Raises InputError for a negative option."""
        terms.check_weights(
            "inforeg",
            beta=self.beta,
            window=self.window,
            unimodal=self.unimodal,
        )

    def init(self, context: Context, key: jax.Array) -> Memory:
        """Returns windows that are open, and room for where epochs begin."""
        modalities = len(context.modalities)
        return {
            "start": jax.tree.map(jnp.copy, context.params["encoders"]),
            "trace": jnp.zeros(modalities),
            "traces": jnp.zeros((_EPOCHS + 1, modalities)),
            "open": jnp.ones(modalities),
        }

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """Cross-entropies; the leads a are carried over."""
        log_probs = forward.log_probs()
        total = terms.fused_cross_entropy(log_probs, batch)
        if self.unimodal:
            alone = terms.unimodal_cross_entropies(log_probs, batch)
            total += self.unimodal * alone.sum()
        scores = terms.scores(forward, batch)
        if self.released:
            scores *= forward.gather(batch["label"]).size
        pull = self._pull(leads(scores), forward.memory["open"])
        metrics = {
            f"pull_{name}": pull[m] for m, name in enumerate(forward.features)
        }
        return total, metrics, pull

    def _pull(self, lead: jax.Array, is_open: jax.Array) -> jax.Array:
        pull = self.beta * jnp.exp(jnp.tanh(lead)) * is_open
        if self.released:
            pull *= (jnp.arange(len(pull)) == 0).astype(pull.dtype)
        return jnp.where(lead > 0, pull, 0)

    def combine(self, step: Step) -> Any:
        """Pulls encoders back to where the epoch began."""
        gradients = step.gradients["loss"]
        if not self.beta:
            return gradients
        now, start = step.params["encoders"], step.memory["start"]
        encoders = {
            name: jax.tree.map(
                lambda g, x, y, m=m: g + step.carry[m] * (x - y),
                gradients["encoders"][name],
                now[name],
                start[name],
            )
            for m, name in enumerate(sorted(now))
        }
        return {**gradients, "encoders": encoders}

    def remember(self, step: Step) -> Memory:
        """Adds to the traces of the epoch."""
        encoders = step.gradients["loss"]["encoders"]
        trace = jnp.stack(
            [trace_of(encoders[name]) for name in sorted(encoders)]
        )
        return {**step.memory, "trace": step.memory["trace"] + trace}

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Notes where the encoders are, and opens or closes windows."""
        # Before the first epoch, too: pretrained weights are loaded after the
        # memory is made.
        memory = {
            **epoch.variables.memory,
            "start": epoch.variables.params["encoders"],
        }
        if epoch.number:
            traces = np.append(
                memory["traces"][1:], memory["trace"][None], axis=0
            )
            is_open = window_is_open(traces, self.window)
            if self.released:
                is_open[:] = is_open[0]
            memory |= {
                "trace": np.zeros_like(memory["trace"]),
                "traces": traces,
                "open": is_open.astype(memory["open"].dtype),
            }
        epoch.replace(memory=memory)
        return None


def leads(scores: jax.Array) -> jax.Array:
    """Returns a `[modalities]` of the scores s; 0 for a single one."""
    count = len(scores)
    return (count * scores - scores.sum()) / max(count - 1, 1)


def trace_of(gradients: Any) -> jax.Array:
    """Returns the sum over kernels of their mean squared entry."""
    # Kernels have two axes or more, biases one.
    kernels = [g for g in jax.tree.leaves(gradients) if g.ndim > 1]
    return jnp.asarray(sum((g**2).mean() for g in kernels))


def window_is_open(traces: np.ndarray, window: float) -> np.ndarray:
    """Whether the windows are open in the epoch to come, bool `[modalities]`.

    Args:
      traces: Those of the last eleven epochs, 0 for epochs that there were
        not, `[11, modalities]`.
      window: See `InfoReg`.
    """
    last, before = traces[1:].sum(axis=0), traces[:-1].sum(axis=0)
    return last - before > window * last
