import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arm_jax.data import scaling as module
from arm_jax.data.scaling import standardized_parts
from arm_jax.errors import InputError


def scaled(x, train=None):
    """Standardises `x`, of which `train` rows are for training, else all."""
    rows = np.arange(len(x)) if train is None else train
    (out,) = standardized_parts("x", [(x, rows)])
    return out


def reference(x):
    """By integers of any size."""
    whole = [[int(v) for v in row] for row in x.tolist()]
    least = [min(column) for column in zip(*whole, strict=True)]
    x = np.array(
        [[v - m for v, m in zip(row, least, strict=True)] for row in whole],
        np.float64,
    )
    return (x - x.mean(0)) / x.std(0)


@pytest.mark.parametrize(
    ("base", "dtype"),
    [
        (1.7e9, np.float64),
        (1e12, np.float64),
        (-1e12, np.float64),
        (1e5, np.float32),
        (1e6, np.longdouble),
        (1e17, np.longdouble),
        (0, np.float16),
    ],
)
def test_offset_leaves_what_is_told_apart(rng, base, dtype):
    noise = rng.normal(size=(600, 2)).astype(np.float16).astype(np.float64)
    x = (np.array(base, dtype) + noise.astype(dtype)).astype(dtype)
    exact = (x.astype(np.longdouble) - x[0]).astype(np.float64)
    expected = (exact - exact.mean(0)) / exact.std(0)
    found = scaled(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    for channel in range(2):
        assert len(np.unique(found[:, channel])) == len(
            np.unique(x[:, channel])
        )


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (2**62, 2**62 + 5000, np.int64),
        (-(2**63), -(2**63) + 5000, np.int64),
        (2**64 - 5000, 2**64, np.uint64),
        (-(2**63), 2**63, np.int64),
        (0, 2**64, np.uint64),
        (2**31 - 99, 2**31, np.int32),
        (0, 255, np.uint8),
    ],
)
def test_integers_are_exact(rng, low, high, dtype):
    x = rng.integers(low, high, (500, 2), dtype, endpoint=False)
    np.testing.assert_allclose(scaled(x), reference(x), atol=1e-6)


def test_booleans():
    x = np.array([[0], [0], [1], [1]], bool)
    np.testing.assert_array_equal(scaled(x), [[-1], [-1], [1], [1]])


@pytest.mark.parametrize("value", [1.7e9, 0.1, -1 / 3, 1e300, 1e-300, 0.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constant_channel_is_zero(value, dtype):
    with np.errstate(over="ignore"):
        x = np.full((10_007, 2), value).astype(dtype)
    if not np.isfinite(x).all():
        return
    assert not scaled(x).any()


def test_constant_up_to_rounding_is_only_centred(rng):
    x = np.full((999, 1), 1.7e9)
    x += rng.integers(-1, 2, x.shape) * np.spacing(1.7e9)
    assert np.abs(scaled(x)).max() < 1e-6
    # Integers are as they are.
    x = 2**53 - rng.integers(2, size=(999, 1))
    assert set(np.abs(scaled(x)).round(1).ravel()) == {1.0}


def test_mean_of_far_values_is_corrected(rng):
    # A plain sum of these is off by some deviations.
    x = 1e15 + rng.normal(size=(200_000, 1))
    found = scaled(x).astype(np.float64)
    np.testing.assert_allclose(found.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(), 1, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("far", [1e9, -1e12, 1e30])
def test_outliers_that_blur_the_others_are_refused(rng, dtype, far):
    x = rng.normal(size=(600, 3)).astype(dtype)
    x[77, 1] = far
    with pytest.raises(InputError, match=r"x: channel 1, .* has outliers so"):
        scaled(x)


def test_moderate_outliers_are_taken(rng):
    x = rng.normal(size=(600, 3))
    x[77, 1] = -9999
    expected = (x - x.mean(0)) / x.std(0)
    np.testing.assert_allclose(scaled(x), expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1e200, 1e-200, 1e-160])
def test_channels_whose_squares_float64_lacks_are_refused(rng, factor):
    x = np.stack([rng.normal(size=50), factor * rng.normal(size=50)], 1)
    with pytest.raises(InputError, match="x: channel 1, .* by a factor first"):
        scaled(x)


def test_far_values_outside_of_training(rng):
    x = rng.normal(size=(50, 2))
    x[40, 1] = 1e60
    parts = [(x, np.arange(40)), (x, np.arange(40, 50))]
    with pytest.raises(InputError, match=r"x: 1e\+60 is .* deviations"):
        standardized_parts("x", parts)


def test_blocks_change_nothing(rng, monkeypatch):
    x = 50 + rng.normal(size=(301, 4, 3))
    parts = [(x, rng.permutation(301)[:200]), (x, np.arange(250, 301))]
    whole = standardized_parts("x", parts)
    for size in (1, 12, 100, 1000):
        monkeypatch.setattr(module, "_BLOCK", size)
        for a, b in zip(whole, standardized_parts("x", parts), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_no_array_of_all_rows_in_float64(rng, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 1000)
    sizes = []

    def subtract(*args, **kwargs):
        sizes.append(args[0].size)
        return np_subtract(*args, **kwargs)

    np_subtract = np.subtract
    monkeypatch.setattr(module.np, "subtract", subtract)
    scaled(rng.normal(size=(5000, 10)).astype(np.float32))
    assert 0 < max(sizes) <= 1000


@given(
    st.integers(2, 40),
    st.integers(1, 3),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e3),
)
def test_affine_maps_do_not_matter(n, channels, shift, factor):
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, channels))
    np.testing.assert_allclose(scaled(shift + factor * x), scaled(x), atol=1e-4)


def test_vectors_have_no_channels(rng):
    with pytest.raises(InputError, match=r"must have rows and channels, got"):
        scaled(rng.normal(size=9))
