"""A fusion from outside the package: the first feature of each modality."""

import flax.linen as nn
import jax.numpy as jnp


class First(nn.Module):
    classes: int
    scale: float
    masks: bool
    additive = True

    @nn.compact
    def __call__(self, features, mask, means):
        self.param("unused", nn.initializers.zeros, (1,))
        mask = jnp.atleast_2d(mask)
        total = sum(
            mask[:, m, None] * x[:, :1] for m, x in enumerate(features.values())
        )
        return self.scale * jnp.repeat(total, self.classes, axis=1)


def fusion(widths, num_classes, *, scale: float = 1.0, masks: bool = True):
    del widths
    return First(num_classes, scale, masks)
