"""An encoder from outside the package: the inputs to some power."""

import flax.linen as nn


class Power(nn.Module):
    power: int

    def __call__(self, x, *, train):
        del train
        # For the test of shapes: no batch axis.
        return x[0] if self.power < 0 else x**self.power


def encoder(shape, *, power: int = 1):
    del shape
    return Power(power)
