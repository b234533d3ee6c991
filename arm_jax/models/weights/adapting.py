"""Weights for images of another kind or size than they were trained on."""

import math

import jax
import numpy as np

from arm_jax.errors import InputError

# How a first convolution is made fit for another number of channels.
CHANNELS = ("repeat", "mean")


def channels(kernel: np.ndarray, count: int, rule: str) -> np.ndarray:
    """Returns a first convolution for images of another number of channels.

    Args:
      kernel: `[height, width, channels, features]`.
      count: Number of channels that is wanted.
      rule: "repeat", as timm has it: for one channel the sum over all, for
        more of them the channels in turn, scaled to the same sum; or "mean" of
        the channels for each, as Wang et al., Temporal Segment Networks, ECCV
        2016, have it for optical flow.
    """
    there = kernel.shape[2]
    if rule == "mean":
        mean = kernel.mean(axis=2, keepdims=True)
        return np.repeat(mean, count, axis=2)
    if count == 1:
        return kernel.sum(axis=2, keepdims=True)
    repeated = np.tile(kernel, (1, 1, math.ceil(count / there), 1))
    return repeated[:, :, :count] * np.float32(there / count)


def positions(x: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Returns embeddings of positions for another grid of patches.

    Bicubic with antialiasing, as timm has it; that of the class token stays.

    Args:
      x: `[1, 1 + patches, width]`, of a square grid.
      grid: Rows and columns of patches that are wanted.

    Raises:
      InputError: The grid that they are of is not square.
    """
    side = math.isqrt(x.shape[1] - 1)
    if side * side != x.shape[1] - 1:
        raise InputError(
            f"{x.shape[1] - 1} positions are of no square grid of patches"
        )
    there = x[0, 1:].reshape(side, side, -1)
    resized = jax.image.resize(there, (*grid, x.shape[2]), "cubic")
    patches = np.asarray(resized).reshape(1, -1, x.shape[2])
    return np.concatenate([x[:, :1], patches], axis=1)
