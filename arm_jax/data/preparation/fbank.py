"""Log-mel filter banks as Kaldi computes them, in NumPy.

Of a recording x at 16 kHz, its mean removed: frames of 25 ms every 10 ms, none
padded (but a recording shorter than one); of each frame the mean is removed,
x[n] - 0.97 x[n - 1] taken (of the first sample x[0] - 0.97 x[0]), and weighted
by a symmetric Hann window;

    P[t, f] = |FFT_512(w y_t)[f]|^2,    f = 0 ... 255
    M[t, b] = log(max(sum_f H[b, f] P[t, f], eps))

with 128 triangles H of height 1 in mel, equally spaced from 20 Hz to 8 kHz on
the scale 1127 ln(1 + f / 700), and eps that of float32. This is what torchaudio
returns by `compliance.kaldi.fbank` with `window_type="hanning"`,
`num_mel_bins=128`, `dither=0`: the front end of Gong, Chung, Glass, AST: Audio
Spectrogram Transformer, Interspeech 2021, and of the field's Kinetics-Sounds.
At 512 points the filter of bin 3 has no frequency in it: this bin is constant.
"""

import functools

import numpy as np

SAMPLE_RATE = 16_000
BANDS = 128
# Rows of 10 ms that are kept, and that the field pads or cuts examples to.
ROWS = 1024
# Mean and twice the standard deviation that the field divides by (AST's).
MEAN, SCALE = -4.503877, 2 * 5.141276
_WINDOW = 400  # samples, 25 ms
_HOP = 160  # samples, 10 ms
_FFT = 512
_LOWEST = 20.0
_EMPHASIS = 0.97


def fbank(sound: np.ndarray) -> np.ndarray:
    """Returns the filter bank `[rows, BANDS]`, float32, in nats.

    Args:
      sound: Samples at 16 kHz in [-1, 1], `[n]`.
    """
    x = np.asarray(sound, np.float64)
    x = x - x.mean() if len(x) else x
    x = np.pad(x, (0, max(0, _WINDOW - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(x, _WINDOW)[::_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    emphasised = np.empty_like(frames, dtype=np.float32)
    emphasised[:, 1:] = frames[:, 1:] - _EMPHASIS * frames[:, :-1]
    emphasised[:, 0] = (1 - _EMPHASIS) * frames[:, 0]
    spectrum = np.fft.rfft(emphasised * _window(), _FFT)[:, :-1]
    power = spectrum.real**2 + spectrum.imag**2
    energy = power @ _filters().T
    return np.log(np.maximum(energy, np.finfo(np.float32).eps))


def normalised(rows: np.ndarray, length: int = ROWS) -> np.ndarray:
    """Returns a filter bank as models take it, float32 `[length, BANDS]`.

    Padded or cut first, and normalised then, as the field does: what is padded
    has a log-energy of 0, which is no silence.

    Args:
      rows: What `fbank` returned, of any float type.
      length: Number of rows.
    """
    x = np.zeros((length, BANDS), np.float32)
    count = min(len(rows), length)
    x[:count] = rows[:count]
    x -= MEAN
    x /= SCALE
    return x


@functools.cache
def _window() -> np.ndarray:
    return np.hanning(_WINDOW).astype(np.float32)


@functools.cache
def _filters() -> np.ndarray:
    """Triangles `[BANDS, _FFT / 2]`, float32."""
    bottom, top = _mel(np.array([_LOWEST, SAMPLE_RATE / 2]))
    corners = np.linspace(bottom, top, BANDS + 2)[:, None]
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    mel = _mel(np.arange(_FFT // 2) * SAMPLE_RATE / _FFT)
    rising = (mel - left) / (centre - left)
    falling = (right - mel) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _mel(frequency: np.ndarray) -> np.ndarray:
    return 1127 * np.log1p(frequency / 700)
