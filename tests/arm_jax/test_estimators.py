import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import estimators
from arm_jax.errors import InputError

GOLDEN = Path(__file__).parents[3] / "shared/golden/arm_released_mi.npz"
N = 4096


def bits(rng, count=1):
    return rng.integers(2, size=(count, N)).astype(np.float32)


def balanced():
    """Every combination of three bits equally often."""
    return np.stack([np.arange(N) >> k & 1 for k in range(3)]).astype(float)


@pytest.mark.parametrize("bins", [1, 2, 7, 30])
def test_histogram_is_numpys(rng, bins):
    x, y, z = rng.normal(size=(3, 500)).astype(np.float32)
    expected = np.histogramdd(np.stack([x, y, z], 1), bins=bins)[0] / 500
    found = estimators.histogram(x, y, z, bins=bins)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_histogram_of_a_constant_is_numpys(rng):
    x, y = rng.normal(size=50).astype(np.float32), np.ones(50, np.float32)
    expected = np.histogram2d(x, y, bins=(3, 4))[0] / 50
    found = estimators.histogram(x, y, bins=(3, 4))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_labels_keep_apart(rng):
    label = rng.integers(7, size=500)
    found = estimators.histogram(label, bins=7)
    expected = np.bincount(label, minlength=7) / 500
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_several_histograms_are_those_one_by_one(rng):
    samples = rng.normal(size=(3, 500)).astype(np.float32)
    x, y, z = samples
    found = estimators.histograms(
        samples, ((0, 1), 5), ((2, 0), (3, 4)), ((1, 1, 2), 2), ((2,), 9)
    )
    expected = (
        estimators.histogram(x, y, bins=5),
        estimators.histogram(z, x, bins=(3, 4)),
        estimators.histogram(y, y, z, bins=2),
        estimators.histogram(z, bins=9),
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_vmap_is_the_loop(rng):
    x, y = rng.normal(size=(2, 3, 4, 50)).astype(np.float32)
    table = functools.partial(estimators.histogram, bins=5)
    over_y = jax.vmap(table, in_axes=(None, 0))
    found = jax.jit(jax.vmap(jax.vmap(table)))(x, y)
    for i, j in np.ndindex(3, 4):
        expected = table(x[i, j], y[i, j])
        np.testing.assert_array_equal(found[i, j], expected)
        np.testing.assert_array_equal(over_y(x[i, j], y[i])[j], expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_histogram_of_bad_samples_has_sum_one(rng, bad):
    x, y = rng.normal(size=(2, 50)).astype(np.float32)
    x[3] = bad
    with pytest.raises(InputError, match=r"samples\[0\]\[3\] is"):
        estimators.histogram(x, y, bins=4)
    # Where nobody can be told.
    table = estimators.histogram(jnp.asarray(x), y, bins=4)
    np.testing.assert_allclose(table.sum(), 1, rtol=1e-6)
    assert (table >= 0).all()


@pytest.mark.parametrize(
    ("base", "dtype"),
    [(1.7e9, np.float64), (2**62, np.int64), (2**63, np.uint64)],
)
def test_samples_far_from_0_keep_apart(rng, base, dtype):
    label = rng.integers(7, size=500)
    far = np.asarray(base, dtype) + label.astype(dtype)
    np.testing.assert_array_equal(
        estimators.histogram(far, bins=7), estimators.histogram(label, bins=7)
    )


@pytest.mark.parametrize(
    ("samples", "bins", "message"),
    [
        (([1, 2], [1]), 2, "paired arrays"),
        ((np.eye(2),), 2, "paired arrays"),
        (([],), 2, "paired arrays"),
        ((["a", "b"],), 2, r"samples\[0\] must be numbers, got strings"),
        (
            (np.ma.masked_array([1, 2], [0, 1]),),
            2,
            r"samples\[0\]\[1\] is mask",
        ),
        (([1, 2],), 2.0, "bins must be positive"),
        (([1, 2],), True, "bins must be positive"),
        (([1, 2],), 0, "bins must be positive"),
        (([1, 2],), (2, 2), "one for each of 1 variables"),
        (
            ([1, 2], [1, 2], [1, 2]),
            2000,
            "8000000000 cells, more than 21474836",
        ),
    ],
)
def test_what_is_no_sample_is_refused(samples, bins, message):
    with pytest.raises(InputError, match=message):
        estimators.histogram(*samples, bins=bins)


def test_textbook_values():
    a, b, c = balanced()
    mutual = estimators.mutual_information
    conditional = estimators.conditional_mutual_information
    for found, expected in (
        (mutual(a, b, bins=2), 0),
        (mutual(a, a, bins=2), 1),
        (conditional(a, b, c, bins=2), 0),
        (conditional(a, a, c, bins=2), 1),
        (conditional(a, a, a, bins=2), 0),
        # XOR: nothing alone, everything given the other.
        (mutual(a, np.abs(a - b), bins=2), 0),
        (conditional(a, np.abs(a - b), b, bins=2), 1),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_gaussians_to_the_bias_of_bins(rng):
    # I = -log2(1 - r^2) / 2 = 0.737 bits; binning can only lose some of it.
    r = 0.8
    x, noise = rng.normal(size=(2, 100_000)).astype(np.float32)
    y = r * x + np.sqrt(1 - r**2) * noise
    found = estimators.mutual_information(x, y, bins=40)
    np.testing.assert_allclose(found, -np.log2(1 - r**2) / 2, atol=0.05)


def test_bias_of_independent_samples(rng):
    x, y = rng.uniform(size=(2, 40, 500)).astype(np.float32)
    found = jax.vmap(estimators.mutual_information)(x, y).mean()
    np.testing.assert_allclose(found, 49 / (1000 * np.log(2)), rtol=0.1)


def test_normalised_values():
    a, b, c = balanced()
    plain = estimators.normalized_mutual_information
    given = estimators.normalized_conditional_mutual_information
    for found, expected in (
        (plain(a, a, bins=2), 1),
        (plain(a, b, bins=2), 0),
        (plain(0 * a, 0 * a, bins=2), 0),
        (given(a, a, c), 1),
        (given(a, b, c), 0),
        (given(a, a, a), 0),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_released_formula_by_hand():
    a, b, c = balanced()
    released = estimators.released_conditional_information
    # h(xz) = h(yz) = 8 cells of 1/2 = 4 bits; h(xyz) = 8 cells of 1/4 = 4,
    # or of 4 cells of 1/2 = 2 for a copy.
    np.testing.assert_allclose(released(a, b, c), (4 + 4 - 4) / 8, rtol=1e-6)
    np.testing.assert_allclose(released(a, a, c), (4 + 4 - 2) / 8, rtol=1e-6)


@pytest.mark.skipif(not GOLDEN.exists(), reason="needs ../shared/golden")
def test_released_golden_values():
    with np.load(GOLDEN, allow_pickle=False) as file:
        golden = dict(file)
    cases = [k.removesuffix("_x") for k in golden if k.endswith("_x")]
    assert cases
    # Jitted by shape: 2 and 30 bins are compiled once each.
    normalised = jax.jit(estimators.normalized_mutual_information)
    released = jax.jit(
        estimators.released_conditional_information, static_argnames="bins"
    )
    with jax.enable_x64(True):
        for case in cases:
            x, y, z = (jnp.asarray(golden[f"{case}_{v}"]) for v in "xyz")
            np.testing.assert_allclose(
                normalised(x, y), golden[f"{case}_nmi30"], rtol=1e-10
            )
            for bins in (2, 30):
                np.testing.assert_allclose(
                    released(x, y, z, bins=bins),
                    golden[f"{case}_ncmi{bins}"],
                    rtol=1e-10,
                )


def test_bad_input():
    x = np.ones(4)
    with pytest.raises(ValueError, match="must be paired"):
        estimators.histogram(x, x[:3], bins=2)
    with pytest.raises(ValueError, match="one for each of 2 variables"):
        estimators.histogram(x, x, bins=(2,))
    with pytest.raises(ValueError, match="must be positive"):
        estimators.histogram(x, x, bins=0)
