"""The prediction of numbers: a Gaussian for each, of each example.

A head has two outputs r and s, of which

    precision = 1 + softplus(s),    mean = r / precision,

and the precision is the inverse of the variance: the standard normal, the prior
of a standardised number, times what the modalities say, a Gaussian of precision
softplus(s). These are the natural parameters, as logits are those of a softmax:
adding outputs of modalities multiplies experts (but for the softplus), and the
negative log density is convex in r and the precision. In the mean and the
deviation it is not, and some trainings end worse than they began. The variance
is at most that of the training split, which keeps the mean from going to
infinity with it; where examples are spread more than that, as some may be, the
density is too narrow.
"""

import math
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class Gaussian(flax.struct.PyTreeNode):
    """Gaussians that stand in the place of log-probabilities.

    Attributes:
      mean: Mean, `[..., batch]`, or of several numbers at once `[..., batch,
        numbers]`, JAX's or NumPy's.
      log_deviation: Logarithm of the standard deviation, likewise.
    """

    mean: Any
    log_deviation: Any

    def log_density(self, x: Any) -> Any:
        """Log density (nats) of each at `x`, of a shape like the last axes."""
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
        """Returns Gaussians `[...]` of outputs `[..., 2]`."""
        precision = 1 + jax.nn.softplus(outputs[..., 1])
        return cls(outputs[..., 0] / precision, -0.5 * jnp.log(precision))

    def broadcast_to(self, shape: tuple[int, ...]) -> "Gaussian":
        """Returns Gaussians of this shape."""
        xp = self.mean.__array_namespace__()
        return Gaussian(
            xp.broadcast_to(self.mean, shape),
            xp.broadcast_to(self.log_deviation, shape),
        )
