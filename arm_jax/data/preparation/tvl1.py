"""Optical flow by total variation and an L1 data term, in NumPy.

Zach, Pock, Bischof, A duality based approach for realtime TV-L1 optical flow,
DAGM 2007, with the discretisation and the parameters of Sánchez, Meinhardt-
Llopis, Facciolo, TV-L1 optical flow estimation, Image Processing On Line 2013:

    min over (u, v) of  sum |grad u| + |grad v| + lambda |I1(x + u, y + v) - I0|

from coarse to fine; at each scale I1 is warped by the present flow and
linearised around it, the data term is solved pixel by pixel by thresholding,
the rest by a fixed point of its dual.

Departure: scales halve, and iterations are fixed in number.
"""

import numpy as np
from scipy import ndimage

# Weights of the data term, for grey values of 0 ... 255, and of the coupling;
# step of the dual.
_LAMBDA = 0.15
_THETA = 0.3
_TAU = 0.25
_WARPS = 5
_ITERATIONS = 20
# Pixels of the shorter side of the coarsest scale, at least.
_COARSEST = 16
_BLUR = 0.8


def flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns how far each pixel of an image is in the next one.

    Args:
      first: Grey values 0 ... 255, `[height, width]`.
      second: The next image, of the same shape.

    Returns:
      float32 `[2, height, width]`: u to the right and v down, in pixels.
    """
    pairs = [
        tuple(
            ndimage.gaussian_filter(np.asarray(x, np.float32), _BLUR)
            for x in (first, second)
        )
    ]
    while min(pairs[-1][0].shape) >= 2 * _COARSEST:
        pairs.append(tuple(_halved(x) for x in pairs[-1]))
    uv = np.zeros((2, *pairs[-1][0].shape), np.float32)
    for one, other in reversed(pairs):
        if uv.shape[1:] != one.shape:
            uv = 2 * _enlarged(uv, one.shape)
        uv = _at_one_scale(one, other, uv)
    return uv


def _at_one_scale(
    first: np.ndarray, second: np.ndarray, uv: np.ndarray
) -> np.ndarray:
    """Returns the flow `[2, height, width]`, better than `uv`."""
    place = np.indices(first.shape, dtype=np.float32)[::-1]
    derivatives = np.gradient(second)[::-1]
    # By component of the flow and direction: [2, 2, height, width].
    dual = np.zeros((2, *uv.shape), np.float32)
    for _ in range(_WARPS):
        at = (place + uv)[::-1]
        warped, *slopes = (
            ndimage.map_coordinates(x, at, order=1, mode="nearest")
            for x in (second, *derivatives)
        )
        slope = np.stack(slopes)
        # Warped out of the picture: nothing is known there.
        height, width = first.shape
        inside = (at[0] >= 0) & (at[0] <= height - 1)
        inside &= (at[1] >= 0) & (at[1] <= width - 1)
        slope *= inside
        square = (slope**2).sum(axis=0)
        offset = (warped - first) * inside - (slope * uv).sum(axis=0)
        limit = _LAMBDA * _THETA * square
        inverse = 1 / np.maximum(square, 1e-6)
        for _ in range(_ITERATIONS):
            residual = offset + (slope * uv).sum(axis=0)
            # Thresholding: the data term is solved exactly.
            step = np.clip(residual, -limit, limit) * inverse
            uv = uv - step * slope + _THETA * _divergence(dual)
            ahead = _gradient(uv)
            norm = np.sqrt((ahead**2).sum(axis=1, keepdims=True))
            dual += _TAU / _THETA * ahead
            dual /= 1 + _TAU / _THETA * norm
    return uv


def _gradient(x: np.ndarray) -> np.ndarray:
    """Forward differences `[2, 2, height, width]` of `[2, height, width]`."""
    out = np.zeros((2, *x.shape), np.float32).swapaxes(0, 1)
    out[:, 0, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    out[:, 1, :-1] = x[:, 1:] - x[:, :-1]
    return out


def _divergence(p: np.ndarray) -> np.ndarray:
    """Minus the adjoint of `_gradient`, `[2, height, width]`."""
    out = p[:, 0] + p[:, 1]
    out[:, :, 1:] -= p[:, 0, :, :-1]
    out[:, 1:] -= p[:, 1, :-1]
    out[:, :, -1] -= p[:, 0, :, -1]
    out[:, -1] -= p[:, 1, -1]
    return out


def _halved(x: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels; an odd last row or column is dropped."""
    height, width = (n - n % 2 for n in x.shape)
    blocks = x[:height, :width].reshape(height // 2, 2, width // 2, 2)
    return blocks.mean(axis=(1, 3))


def _enlarged(uv: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Linear interpolation `[2, *shape]` between the middles of blocks."""
    at = np.meshgrid(
        *((np.arange(n, dtype=np.float32) - 0.5) / 2 for n in shape),
        indexing="ij",
    )
    return np.stack(
        [ndimage.map_coordinates(x, at, order=1, mode="nearest") for x in uv]
    )
