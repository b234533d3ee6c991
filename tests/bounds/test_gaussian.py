import math

import numpy as np
import pytest
import scipy.linalg

import bounds
from bounds import gaussian
from bounds.errors import InputError
from bounds.gaussian import gaussian_pid

TERMS = ("redundancy", "unique1", "unique2", "synergy")


def terms(found):
    return [getattr(found, name) for name in TERMS]


def channel(h1, h2, noise, target=None):
    """Covariance of x_i = h_i y + n_i, and the sizes."""
    h = np.concatenate([h1, h2])
    target = np.eye(h.shape[1]) if target is None else target
    cross = h @ target
    covariance = np.block(
        [[h @ target @ h.T + noise, cross], [cross.T, target]]
    )
    return covariance, (len(h1), len(h2), h.shape[1])


def scalar(a, b, rho=0.0):
    noise = np.array([[1.0, rho], [rho, 1.0]])
    return channel(np.array([[a]]), np.array([[b]]), noise)


@pytest.mark.parametrize(
    ("a", "b", "rho"), [(1.0, 2.0, 0.0), (3.0, 0.5, 0.6), (1.0, 1.0, -0.4)]
)
def test_scalar_targets_have_the_lesser_information_in_common(a, b, rho):
    found = gaussian_pid(*scalar(a, b, rho))
    one, two = (math.log2(1 + x * x) / 2 for x in (a, b))
    low = min(one, two)
    # The best linear combination of both.
    snr = (a * a + b * b - 2 * rho * a * b) / (1 - rho**2)
    both = math.log2(1 + snr) / 2
    expected = (low, one - low, two - low, both - max(one, two))
    np.testing.assert_allclose(terms(found), expected, atol=1e-7)
    assert found.total == pytest.approx(both)
    assert found.gap < 1e-7


def parallel(rng):
    """Three independent scalar channels, turned and scaled at random."""
    a, b = np.array([2.0, 0.5, 1.0]), np.array([1.0, 1.5, 0.0])
    covariance, sizes = channel(np.diag(a), np.diag(b), np.eye(6))
    mixes = [rng.normal(size=(3, 3)) for _ in range(3)]
    turn = scipy.linalg.block_diag(*mixes)
    one, two = (np.log2(1 + x * x) / 2 for x in (a, b))
    low = np.minimum(one, two).sum()
    both = (np.log2(1 + a * a + b * b) / 2).sum()
    t_min = np.maximum(one, two).sum()
    expected = (low, one.sum() - low, two.sum() - low, both - t_min)
    return turn @ covariance @ turn.T, sizes, expected


def test_parallel_channels_add_up_in_any_coordinates(rng):
    # No joint of independent parts says less than the larger of each part's.
    covariance, sizes, expected = parallel(rng)
    found = gaussian_pid(covariance, sizes)
    np.testing.assert_allclose(terms(found), expected, atol=1e-6)
    other = gaussian_pid(100 * covariance, sizes)
    np.testing.assert_allclose(terms(other), terms(found), atol=1e-7)


def test_a_noisier_copy_has_nothing_unique(rng):
    h = rng.normal(size=(3, 2))
    more = np.diag([1.0, 2.0, 3.0])
    noise = np.block([[np.eye(3), np.eye(3)], [np.eye(3), np.eye(3) + more]])
    found = gaussian_pid(*channel(h, h, noise), max_steps=20_000)
    assert found.unique2 == pytest.approx(0, abs=1e-5)
    assert found.synergy == pytest.approx(0, abs=1e-5)
    assert found.status == bounds.Status.CONVERGED


def test_the_minimum_is_below_random_joints_and_its_proof_below_it(rng):
    first, second = rng.normal(size=(2, 4)), rng.normal(size=(3, 4))
    value, gap, _ = gaussian._minimize(first, second, 1e-9, 5000)
    assert 0 <= gap < 1e-9
    for scale in (0.0, 0.3, 0.9, 0.99):
        c = rng.normal(size=(2, 3))
        c *= scale / np.linalg.svd(c, compute_uv=False)[0]
        assert gaussian._objective(c, first, second)[0] >= value - 1e-9
    # The derivative, by differences.
    c = 0.1 * rng.normal(size=(2, 3))
    gradient = gaussian._objective(c, first, second)[1]
    for at in np.ndindex(2, 3):
        step = np.zeros((2, 3))
        step[at] = 1e-6
        up, down = (
            gaussian._objective(c + s * step, first, second)[0] for s in (1, -1)
        )
        assert (up - down) / 2e-6 == pytest.approx(gradient[at], abs=1e-6)


def test_a_step_limit_is_told_and_its_gap_is_true(rng):
    first, second = rng.normal(size=(4, 6)), rng.normal(size=(5, 6))
    exact, _, _ = gaussian._minimize(first, second, 1e-10, 20_000)
    for steps in (1, 5, 20):
        value, gap, _ = gaussian._minimize(first, second, 1e-10, steps)
        assert value - gap <= exact + 1e-9 <= value + 2e-9
    # Of white noise and a white target, these are what is minimised over.
    problem = channel(first, second, np.eye(9))
    found = gaussian_pid(*problem, max_steps=steps)
    whole = gaussian_pid(*problem, max_steps=20_000)
    limited, converged = bounds.Status.STEP_LIMIT, bounds.Status.CONVERGED
    assert (found.status, found.steps) == (limited, steps)
    assert whole.status == converged
    assert found.gap == pytest.approx(gap / math.log(2), rel=1e-6)


def test_samples_have_the_covariance(rng):
    covariance, sizes, _ = parallel(rng)
    unit = 10.0 ** rng.uniform(-3, 3, len(covariance))
    x = np.concatenate(
        gaussian.sample(covariance * np.outer(unit, unit), sizes, 50_000),
        axis=1,
    )
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    x = x / (unit * scale)
    np.testing.assert_allclose(np.cov(x.T), correlation, atol=0.03)
    one, other = (gaussian.sample(GOOD, SIZES, 3, seed)[0] for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_units_do_not_matter_however_small_or_large(rng):
    covariance, sizes, _ = parallel(rng)
    unit = 10.0 ** rng.uniform(-130, 130, len(covariance))
    unit[:2] = 1e-130, 1e130
    moved = gaussian.gaussian_pid(covariance * np.outer(unit, unit), sizes)
    expected = gaussian.gaussian_pid(covariance, sizes)
    np.testing.assert_allclose(moved[:5], expected[:5], atol=1e-7)


def test_cut_targets():
    problem = gaussian.cut(noise=(0.5, 1.0), correlation=0.3)
    s = problem.sample(4000)
    for r in (s.posterior1, s.posterior2, s.posterior12):
        np.testing.assert_allclose(r.sum(1), 1)
        # Calibrated: as sure as it is right.
        rows = np.arange(len(r))
        claim = r.max(1).mean()
        right = (r.argmax(1) == s.labels).mean()
        assert claim == pytest.approx(right, abs=0.03)
        soft = (r * np.log2(np.maximum(r, 1e-300))).sum(1).mean()
        hard = np.log2(r[rows, s.labels]).mean()
        assert soft == pytest.approx(hard, abs=0.05)
    truth = problem.truth
    assert truth.unique2 == 0
    assert truth.synergy > 0.01
    assert sum(truth[:4]) == pytest.approx(truth.total)
    # The draws' informations differ where the modalities do not.
    equal = gaussian.cut(noise=(1.0, 1.0)).truth
    assert equal.unique1 == equal.unique2 == 0


GOOD, SIZES = scalar(1.0, 2.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_pid(GOOD, (1, 1)), "sizes must be those of x1, x2"),
        (lambda: gaussian_pid(GOOD, 3), "sizes must be a sequence, got 3"),
        (
            lambda: gaussian_pid(GOOD, (1, 1, 2)),
            r"covariance must be \[4, 4\] .* got shape \(3, 3\)",
        ),
        (
            lambda: gaussian_pid(GOOD + np.triu(np.ones((3, 3)), 1), SIZES),
            "covariance is not symmetric",
        ),
        (
            lambda: gaussian_pid(GOOD * np.nan, SIZES),
            r"covariance\[0, 0\] is nan",
        ),
        (
            lambda: gaussian_pid(np.diag([1.0, 0, 1]), SIZES),
            r"covariance\[1, 1\] is 0",
        ),
        (
            lambda: gaussian_pid(np.ones((3, 3)), SIZES),
            "no noise, and its information is infinite",
        ),
        (lambda: gaussian_pid(GOOD, SIZES, tol=0), "tol must be positive"),
        (lambda: gaussian.cut(noise=(1.0,)), "noise must be two numbers"),
        (lambda: gaussian.cut(noise=0.5), "noise must be a sequence, got 0.5"),
        (lambda: gaussian.cut(classes=1), "classes must be at least 2"),
        (lambda: gaussian.cut(correlation=1), "correlation must be"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
