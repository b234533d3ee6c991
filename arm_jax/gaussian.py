"""The prediction of a number: a Gaussian for each example.

The two outputs of a head are its natural parameters, as logits are those of a
softmax: with r and s the outputs, p(y|x) has the precision (the inverse of the
variance) softplus(s + log(e - 1)) and the mean r / precision. Outputs of 0 are
the standard normal, which is the prior of a standardised number; outputs that
are added over modalities multiply experts, up to the softplus; and the negative
log density is convex in r and the precision, as cross-entropy is in logits. In
the mean and the deviation it is not, and large errors with a small deviation
let training diverge.
"""

import math
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
# Its softplus is 1.
_ONE = math.log(math.e - 1)


class Gaussian(flax.struct.PyTreeNode):
    """Gaussians that stand in the place of log-probabilities.

    Attributes:
      mean: Mean, `[..., batch]`, JAX's or NumPy's.
      log_deviation: Logarithm of the standard deviation, likewise.
    """

    mean: Any
    log_deviation: Any

    def log_density(self, x: Any) -> Any:
        """Log density (nats) at `x`, `[batch]`, of each, `[..., batch]`."""
        xp = self.mean.__array_namespace__()
        x = xp.asarray(x, dtype=self.mean.dtype)
        error = xp.broadcast_to(x, self.mean.shape) - self.mean
        in_deviations = error * xp.exp(-self.log_deviation)
        return -0.5 * in_deviations**2 - self.log_deviation - _HALF_LOG_TAU

    def divergence(self, other: "Gaussian") -> Any:
        """KL divergence (nats) of each from the other one's."""
        ratio = self.log_deviation - other.log_deviation
        xp = ratio.__array_namespace__()
        error = (self.mean - other.mean) * xp.exp(-other.log_deviation)
        return 0.5 * (xp.exp(2 * ratio) + error**2 - 1) - ratio

    @classmethod
    def of_outputs(cls, outputs: jax.Array) -> "Gaussian":
        """Returns Gaussians `[..., batch]` of outputs `[..., batch, 2]`."""
        precision = jax.nn.softplus(outputs[..., 1] + _ONE)
        return cls(outputs[..., 0] / precision, -0.5 * jnp.log(precision))

    def broadcast_to(self, shape: tuple[int, ...]) -> "Gaussian":
        """Returns Gaussians of this shape."""
        xp = self.mean.__array_namespace__()
        return Gaussian(
            xp.broadcast_to(self.mean, shape),
            xp.broadcast_to(self.log_deviation, shape),
        )
