"""Log-mel spectrograms of a fixed size, in NumPy.

For a recording x in [-1, 1): frames of 25 ms every 10 ms, Hann window w (none
is padded, except a recording shorter than one frame),

    P[t, f] = |FFT_256(w x_t)[f]|^2
    M[t, b] = log(sum_f H[b, f] P[t, f] + 1e-6)

with 40 triangular filters H of height 1, whose corners are equally spaced on
the mel scale 2595 log10(1 + f / 700) from 0 to 4000 Hz. The spectrogram is the
mean of M over 16 equal parts of the recording's frames, a frame that two parts
share being divided between them: digits are short, so that speed of speech is
normalised and nothing is cut off. As the parts are equal, the mean over them is
the mean over all frames.
"""

import numpy as np

from arm_jax.errors import InputError

SAMPLE_RATE = 8000
BANDS = 40
PARTS = 16
_WINDOW = 200  # samples, 25 ms
_HOP = 80  # samples, 10 ms
_FFT = 256
_FLOOR = 1e-6


def log_mel(pcm: np.ndarray) -> np.ndarray:
    """Returns the spectrogram `[PARTS, BANDS]`, float32, in nats.

    Args:
      pcm: samples of one recording, `[n]` int16 at 8 kHz.

    Raises:
      InputError: samples of another type, which would have another unit, or of
        several channels.
    """
    if pcm.dtype != np.int16 or pcm.ndim != 1 or not len(pcm):
        raise InputError(
            f"pcm must be int16 samples of one channel, got {pcm.dtype} "
            f"{pcm.shape}"
        )
    x = pcm / 32768.0
    x = np.pad(x, (0, max(0, _WINDOW - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(x, _WINDOW)[::_HOP]
    spectrum = np.fft.rfft(frames * np.hanning(_WINDOW + 1)[:-1], _FFT)
    power = spectrum.real**2 + spectrum.imag**2
    return _means_of_parts(np.log(power @ _filters().T + _FLOOR)).astype(
        np.float32
    )


def _filters() -> np.ndarray:
    """Triangular filters `[BANDS, _FFT / 2 + 1]`."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    frequency = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE)[:, None]
    rising = (frequency - left) / (centre - left)
    falling = (right - frequency) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)).T


def _means_of_parts(x: np.ndarray) -> np.ndarray:
    """Means `[PARTS, d]` of the rows `[n, d]` over equal parts of [0, n]."""
    n = len(x)
    sums = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0)])
    edges = np.linspace(0, n, PARTS + 1)
    whole = np.minimum(edges.astype(int), n - 1)
    # The integral of the step function x from 0 to each edge.
    integral = sums[whole] + (edges - whole)[:, None] * x[whole]
    return np.diff(integral, axis=0) * PARTS / n
