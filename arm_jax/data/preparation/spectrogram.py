"""Log-magnitude spectrograms of three seconds, as the field has for CREMA-D.

Of a recording at 22.05 kHz, repeated until 3 s are full and clipped to [-1, 1]:
the short-time Fourier transform of 512 points every 353 samples, Hann window,
frames centred on their time (zeros before and behind), and

    log(|S| + 1e-7),    257 frequencies x 188 times.

The front end of Peng, Wei, Deng, Wang, Hu, Balanced Multimodal Learning via
On-the-fly Gradient Modulation, CVPR 2022, who do not normalise it either.
"""

import numpy as np

SAMPLE_RATE = 22_050
SHAPE = (257, 188)
_SECONDS = 3
_FFT = 512
_HOP = 353
_FLOOR = 1e-7


def spectrogram(sound: np.ndarray) -> np.ndarray:
    """Returns the spectrogram `[257, 188]`, float32, in nats.

    Args:
      sound: Samples at 22.05 kHz in [-1, 1], `[n]`, n positive.
    """
    x = np.resize(np.asarray(sound, np.float32), _SECONDS * SAMPLE_RATE)
    x = np.pad(np.clip(x, -1, 1), _FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(x, _FFT)[::_HOP]
    # The periodic window: one sample longer, without its last.
    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(frames * window)
    return np.log(np.abs(spectrum) + _FLOOR).T.astype(np.float32)
