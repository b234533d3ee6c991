import zlib
from pathlib import Path

import numpy as np
import pytest

from arm_jax.data.preparation import fbank, spectrogram

GOLDEN = Path(__file__).parents[4].parent / "shared/golden/torch_encoders.npz"


def tone(frequency, rate=16000, seconds=1.0):
    time = np.arange(round(rate * seconds)) / rate
    return 0.3 * np.sin(2 * np.pi * frequency * time)


@pytest.mark.skipif(not GOLDEN.exists(), reason="needs ../shared/golden")
def test_it_is_that_of_kaldi():
    noise = np.random.default_rng(zlib.crc32(b"sound")).normal(size=16000)
    rows = fbank.fbank(tone(1000) + 0.05 * noise)
    with np.load(GOLDEN, allow_pickle=False) as golden:
        np.testing.assert_allclose(rows, golden["fbank"], atol=1e-3)


@pytest.mark.parametrize("frequency", [300.0, 1000.0, 4000.0])
def test_a_tone_peaks_in_its_bin(frequency):
    rows = fbank.fbank(tone(frequency))
    mel = 1127 * np.log1p(np.array([20.0, 8000.0, frequency]) / 700)
    # Bin b is centred at b + 1 of 129 steps.
    bin_of_tone = (mel[2] - mel[0]) / (mel[1] - mel[0]) * 129 - 1
    # Low bins are narrower than the spectrum's lines are apart.
    error = np.abs(rows.mean(axis=0).argmax() - bin_of_tone)
    assert error < (1.5 if frequency < 500 else 1.0)


def test_rows_are_of_ten_milliseconds():
    assert fbank.fbank(tone(440, seconds=10)).shape == (998, 128)
    silent_half = np.concatenate([np.zeros(8000), tone(1000)[:8000]])
    energy = fbank.fbank(silent_half).max(axis=1)
    loud = np.flatnonzero(energy > energy.max() - 3)
    # Row t hears the samples from 160 t to 160 t + 399.
    assert loud[0] in (48, 49, 50)
    assert loud[-1] == len(energy) - 1


def test_loudness_adds_to_logarithms_and_an_offset_nothing():
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.normal(size=4000)
    rows = fbank.fbank(sound)
    seen = rows > -10  # above the floor
    np.testing.assert_allclose(
        fbank.fbank(2 * sound)[seen], rows[seen] + np.log(4), atol=1e-3
    )
    np.testing.assert_allclose(fbank.fbank(sound + 0.5), rows, atol=2e-3)


def test_against_a_plain_sum():
    """The formulas of the docstring, term by term, for one frame."""
    x = np.random.default_rng(0).normal(size=400)
    x = x - x.mean()
    y = [x[0] * 0.03] + [x[n] - 0.97 * x[n - 1] for n in range(1, 400)]
    weighted = np.array(
        [y[n] * (0.5 - 0.5 * np.cos(2 * np.pi * n / 399)) for n in range(400)]
    )
    power = [
        abs(weighted @ np.exp(-2j * np.pi * f * np.arange(400) / 512)) ** 2
        for f in range(256)
    ]
    mel = lambda frequency: 1127 * np.log(1 + frequency / 700)
    width = (mel(8000) - mel(20)) / 129
    (row,) = fbank.fbank(x)
    for band in (0, 10, 64, 127):
        centre = mel(20) + (band + 1) * width
        energy = sum(
            max(0, 1 - abs(mel(16000 * f / 512) - centre) / width) * power[f]
            for f in range(256)
        )
        assert row[band] == pytest.approx(np.log(energy), abs=1e-3)


@pytest.mark.parametrize("length", [0, 1, 399, 400])
def test_short_recordings_have_one_row(length):
    rows = fbank.fbank(np.zeros(length))
    np.testing.assert_allclose(rows, np.full((1, 128), np.log(2.0**-23)))


def test_examples_are_padded_before_they_are_normalised():
    rows = np.full((5, 128), -4.503877, np.float16)
    x = fbank.normalised(rows)
    assert (x.shape, x.dtype) == ((1024, 128), np.float32)
    np.testing.assert_allclose(x[:5], 0, atol=1e-3)
    np.testing.assert_allclose(x[5:], 4.503877 / (2 * 5.141276), rtol=1e-6)
    long = np.zeros((2000, 128), np.float32)
    assert fbank.normalised(long).shape == (1024, 128)


def test_spectrograms():
    sound = tone(46 / 512 * 22050, rate=22050, seconds=1.0)
    x = spectrogram.spectrogram(sound)
    assert (x.shape, x.dtype) == (spectrogram.SHAPE, np.float32)
    # It is repeated until three seconds are full.
    assert np.unique(x[:, 5:-5].argmax(axis=0)).tolist() == [46]
    # A sine's peak: amplitude times half the sum of the window.
    peak = np.exp(x[:, 90].max())
    assert peak == pytest.approx(0.3 * 256 / 2, rel=1e-2)
    silence = spectrogram.spectrogram(np.zeros(10))
    np.testing.assert_allclose(silence, np.log(1e-7), rtol=1e-6)
