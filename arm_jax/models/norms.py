"""Normalisations whose statistics are in the type of their parameters."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from arm_jax import parallel

_MOMENTUM = 0.9
_EPSILON = 1e-5


def exact(x: jax.Array) -> jax.Array:
    """Returns floats in float32, or as they are if they are of more bits."""
    return x.astype(exact_type(x.dtype))


def exact_type(dtype: jnp.dtype) -> jnp.dtype:
    """Returns float32, or a type of floats of more bits as it is."""
    return dtype if dtype.itemsize >= 4 else jnp.dtype(jnp.float32)


class BatchNorm(nn.Module):
    """Normalises channels, the last axis, by statistics over all others.

    Ioffe and Szegedy, ICML 2015. The running variance is the unbiased one, as
    in PyTorch, while a batch is normalised by its biased one. Statistics are
    computed and kept in the type of the parameters, whatever that of the
    inputs; the outputs are of the inputs' type.

    Attributes:
      axis_name: Mapped device axis that the statistics are over, too, if any.
    """

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[..., channels]`."""
        width = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (width,))
        bias = self.param("bias", nn.initializers.zeros, (width,))
        kept_mean = self.variable("batch_stats", "mean", jnp.zeros, width)
        kept_var = self.variable("batch_stats", "var", jnp.ones, width)
        wide = x.astype(scale.dtype)
        if train:
            count = math.prod(x.shape[:-1])
            axes = tuple(range(x.ndim - 1))
            means = wide.mean(axes), (wide * wide).mean(axes)
            if self.axis_name is not None:
                means = parallel.pmean(means, self.axis_name)
                count *= jax.lax.axis_size(self.axis_name)
            mean = means[0]
            var = jnp.maximum(means[1] - mean * mean, 0)
            for kept, new in (
                (kept_mean, mean),
                (kept_var, var * (count / max(count - 1, 1))),
            ):
                kept.value = _MOMENTUM * kept.value + (1 - _MOMENTUM) * new
        else:
            mean, var = kept_mean.value, kept_var.value
        whole = lambda y: y.reshape((1,) * (x.ndim - 1) + (width,))
        factor = scale * jax.lax.rsqrt(var + _EPSILON)
        y = (wide - whole(mean)) * whole(factor) + whole(bias)
        return y.astype(x.dtype)


class LayerNorm(nn.Module):
    """Normalises each vector, the last axis: Ba, Kiros and Hinton, 2016.

    Attributes:
      epsilon: Added to the variance.
    """

    epsilon: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[..., width]`."""
        width = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (width,))
        bias = self.param("bias", nn.initializers.zeros, (width,))
        wide = x.astype(scale.dtype)
        centered = wide - wide.mean(axis=-1, keepdims=True)
        var = (centered * centered).mean(axis=-1, keepdims=True)
        whole = lambda y: y.reshape((1,) * (x.ndim - 1) + (width,))
        y = centered * jax.lax.rsqrt(var + self.epsilon)
        return (y * whole(scale) + whole(bias)).astype(x.dtype)
