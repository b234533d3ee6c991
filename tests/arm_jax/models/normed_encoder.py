"""An encoder from outside the package that keeps statistics."""

import flax.linen as nn


class Normed(nn.Module):
    axis_name: str | None

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Dense(5)(x.reshape(len(x), -1))
        x = nn.BatchNorm(
            use_running_average=not train,
            momentum=0.9,
            axis_name=self.axis_name if train else None,
        )(x)
        return nn.gelu(x)


def encoder(shape, *, axis_name=None):
    del shape
    return Normed(axis_name)
