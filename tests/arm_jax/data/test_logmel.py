import numpy as np
import pytest

from arm_jax.data import logmel
from arm_jax.errors import InputError


def tone(frequency, samples=4000, amplitude=8000):
    time = np.arange(samples) / logmel.SAMPLE_RATE
    return np.round(amplitude * np.sin(2 * np.pi * frequency * time)).astype(
        np.int16
    )


def mel(frequency):
    return 2595 * np.log10(1 + frequency / 700)


@pytest.mark.parametrize("frequency", [300, 1000, 2500, 3700])
def test_a_tone_is_loudest_in_its_band(frequency):
    spectrogram = logmel.log_mel(tone(frequency))
    assert spectrogram.shape == (logmel.PARTS, logmel.BANDS)
    assert spectrogram.dtype == np.float32
    # Band b is centred at (b + 1) / (BANDS + 1) of the mel scale.
    wanted = mel(frequency) / mel(4000) * (logmel.BANDS + 1) - 1
    found = spectrogram.mean(axis=0).argmax()
    assert abs(found - wanted) <= 1


def test_against_a_plain_sum():
    x = np.random.default_rng(0).integers(-9000, 9000, 200 + 80 * 15)
    signal = x / 32768
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    corners = [700 * (10 ** (mel(4000) * i / 41 / 2595) - 1) for i in range(42)]
    wanted = np.empty((16, 40))
    frequency = np.arange(129) * 8000 / 256
    wave = np.exp(-2j * np.pi * np.outer(np.arange(129), np.arange(200)) / 256)
    for t in range(16):
        power = np.abs(wave @ (signal[80 * t : 80 * t + 200] * window)) ** 2
        for b in range(40):
            filter_ = np.interp(frequency, corners[b : b + 3], [0, 1, 0])
            wanted[t, b] = np.log(filter_ @ power + 1e-6)
    # 16 frames in 16 parts: each part is one frame.
    found = logmel.log_mel(x.astype(np.int16))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 5, 16, 17, 48, 226])
def test_parts_share_frames_by_duration(frames):
    x = np.random.default_rng(1).normal(size=(frames, 3))
    fine = np.repeat(x, 16, axis=0)  # 16 * frames steps: parts are whole
    wanted = fine.reshape(16, frames, 3).mean(axis=1)
    found = logmel._means_of_parts(x)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    np.testing.assert_allclose(found.mean(0), x.mean(0), atol=1e-12)


def test_silence_and_a_recording_shorter_than_a_frame():
    for samples in (1, 150, 5000):
        silence = logmel.log_mel(np.zeros(samples, np.int16))
        np.testing.assert_allclose(silence, np.log(1e-6), rtol=1e-6)
    assert np.isfinite(logmel.log_mel(tone(500, samples=50))).all()


def test_twice_as_loud_is_a_shift():
    quiet = logmel.log_mel(tone(1000, amplitude=8000)).mean(0)
    loud = logmel.log_mel(tone(1000, amplitude=16000)).mean(0)
    at = quiet.argmax()
    np.testing.assert_allclose(loud[at] - quiet[at], np.log(4), atol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        # Of another unit: it would be silence.
        lambda x: x / 32768,
        lambda x: x.astype(np.int32),
        lambda x: x[:, None],
        lambda x: x[:0],
    ],
)
def test_other_samples_are_refused(change):
    with pytest.raises(InputError, match="pcm must be int16 samples of one"):
        logmel.log_mel(change(tone(440)))
