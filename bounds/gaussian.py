"""Modalities and a target that are jointly normal: the decomposition is known.

With the noise of each modality whitened, X_i = H_i Y + N_i, the set of the
decomposition has one free matrix in its normal laws, the cross-covariance C of
the noises, whose spectral norm is at most 1, and

  T_min = min over C of log det(I + G' W(C)^-1 G) / 2,  W(C) = [I, C; C', I],

where G are H_1 and H_2 over each other times a root of the target's covariance.
That no other law does better is the theorem of Zhao, Balachandran, Tian and
Liang, "Partial information decomposition via normalizing flows in latent
Gaussian distributions" (NeurIPS 2025). For a scalar target the result is the
lesser information (Barrett, "Exploration of synergistic and redundant
information sharing in static and dynamical Gaussian systems", 2015).

The minimum is a convex one, by projected gradients, whose error is proven: of a
convex f, f(C) - f(C*) <= <g, C> + |g|_*, g the gradient at C and |.|_* the sum
of singular values, for C* is in the ball.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.special

from bounds import inputs
from bounds.errors import InputError
from bounds.problems import Problem, Samples, Truth, averaged, two_noises
from bounds.status import Status

_TOLERANCE = 1e-9
_MAX_STEPS = 5000
# Of the spectral norm: at 1 the noises would be singular.
_LARGEST = 1 - 1e-9
# Lengths of steps, and how many of the last values a new one may not exceed.
_SHORTEST, _LONGEST, _MEMORY = 1e-10, 1e10, 10
_DECREASE = 1e-4
# Correlations above this leave no noise.
_RANK = 1e-12
_TRUTH_SEED, _DRAWS = 3, 2**17


class GaussianPID(NamedTuple):
    """Decomposition of I(X1,X2;Y) of a normal law, in bits.

    Attributes:
      redundancy: see `bounds.PID`.
      unique1: see `bounds.PID`.
      unique2: see `bounds.PID`.
      synergy: see `bounds.PID`.
      total: I(X1,X2;Y).
      gap: proven error of the minimum among normal laws.
      status: a `bounds.Status`.
      steps: that were taken.
    """

    redundancy: float
    unique1: float
    unique2: float
    synergy: float
    total: float
    gap: float
    status: int
    steps: int


def gaussian_pid(
    covariance: Any,
    sizes: Any,
    *,
    tol: float = _TOLERANCE,
    max_steps: int = _MAX_STEPS,
) -> GaussianPID:
    """Decomposes what two normal vectors say about a third.

    Args:
      covariance: of (x1, x2, y), `[n1 + n2 + ny, n1 + n2 + ny]`.
      sizes: n1, n2 and ny.
      tol: gap in bits at which it is done.
      max_steps: the most steps of projected gradients.

    Returns:
      The decomposition.

    Raises:
      InputError: No covariance: not square, not symmetric, with a negative
        eigenvalue; sizes that do not add up; a target or a modality that is
        constant in some direction, or a modality without noise, whose
        information is infinite; options out of range.
    """
    tol = inputs.real("tol", tol, above=0)
    max_steps = inputs.integer("max_steps", max_steps, 1)
    sigma, (n1, n2, ny), _ = _checked(covariance, sizes)
    h = _whitened(sigma, n1, n2, ny)
    first, second = h[:n1], h[n1:]
    own = [_log_det(np.eye(ny) + g.T @ g) / 2 for g in (first, second)]
    nats = tol * math.log(2)
    minimum, gap, steps = _minimize(first, second, nats, max_steps)
    minimum = max(minimum, *own)
    x, y = slice(0, n1 + n2), slice(n1 + n2, None)
    total = (
        _log_det(sigma[x, x]) + _log_det(sigma[y, y]) - _log_det(sigma)
    ) / 2
    one, two, both, low = (v / math.log(2) for v in (*own, total, minimum))
    return GaussianPID(
        redundancy=max(one + two - low, 0.0),
        unique1=low - two,
        unique2=low - one,
        synergy=max(both - low, 0.0),
        total=both,
        gap=gap / math.log(2),
        status=int(Status.CONVERGED if gap <= nats else Status.STEP_LIMIT),
        steps=steps,
    )


def sample(
    covariance: Any, sizes: Any, n: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws x1 `[n, n1]`, x2 `[n, n2]` and y `[n, ny]` of mean 0.

    Raises:
      InputError: As `gaussian_pid`; n or seed out of range.
    """
    sigma, (n1, n2, _), deviation = _checked(covariance, sizes)
    n = inputs.integer("n", n, 1)
    rng = np.random.default_rng(inputs.seed("seed", seed))
    root = scipy.linalg.cholesky(sigma, lower=True)
    x = rng.normal(size=(n, len(sigma))) @ root.T * deviation
    return x[:, :n1], x[:, n1 : n1 + n2], x[:, n1 + n2 :]


def cut(
    *,
    noise: tuple[float, float] = (0.5, 1.0),
    correlation: float = 0.0,
    classes: int = 4,
) -> Problem:
    """A scalar normal target, cut into classes of equal mass.

    x_i = y + noise_i e_i with y and e_i standard normal, the label is in which
    of `classes` quantiles y is. The noisier modality is, given y, the other one
    with more noise, and so it is given the label: it has nothing unique, and
    redundancy is its information.

    Args:
      noise: deviation of either modality's noise.
      correlation: of the noises, in (-1, 1).
      classes: number of classes, from 2 on.

    Returns:
      The problem, with exact posteriors; its informations are means over
      131,072 draws.

    Raises:
      InputError: Options out of range.
    """
    s1, s2 = two_noises(noise)
    rho = inputs.real("correlation", correlation, above=-1, below=1)
    classes = inputs.integer("classes", classes, 2)
    edges = scipy.special.ndtri(np.arange(1, classes) / classes)
    covariance = np.array([[s1**2, rho * s1 * s2], [rho * s1 * s2, s2**2]])
    both = np.linalg.solve(covariance, np.ones(2))

    def posterior(mean: np.ndarray, precision: float) -> np.ndarray:
        """Of y given what has this much precision about it."""
        deviation = 1 / math.sqrt(1 + precision)
        below = scipy.special.ndtr((edges - mean[:, None]) / deviation)
        ends = np.zeros((len(mean), 1)), np.ones((len(mean), 1))
        return np.diff(np.concatenate([ends[0], below, ends[1]], 1), axis=1)

    def draw(n: int, rng: np.random.Generator) -> Samples:
        y, e1, e2 = rng.normal(size=(3, n))
        x1 = y + s1 * e1
        x2 = y + s2 * (rho * e1 + math.sqrt(1 - rho**2) * e2)
        each = [(x1, s1**-2), (x2, s2**-2)]
        alone = [posterior(x * p / (1 + p), p) for x, p in each]
        p = float(both.sum())
        joint = posterior((both[0] * x1 + both[1] * x2) / (1 + p), p)
        label = np.searchsorted(edges, y).astype(np.int64)
        return Samples(
            x1[:, None], x2[:, None], label, alone[0], alone[1], joint
        )

    def solve() -> Truth:
        some = draw(_DRAWS, np.random.default_rng(_TRUTH_SEED))
        one, two, total = (
            np.log2(classes) - scipy.special.entr(r).sum(1) / math.log(2)
            for r in (some.posterior1, some.posterior2, some.posterior12)
        )
        if s1 == s2:
            one = two = (one + two) / 2
        low, high = sorted((one, two), key=np.mean)
        return averaged(
            redundancy=low,
            unique1=one - low,
            unique2=two - low,
            synergy=total - high,
            total=total,
            reason="the noisier modality is the other one with more noise",
        )

    return Problem(np.full(classes, 1 / classes), draw, solve)


def _checked(
    covariance: Any, sizes: Any
) -> tuple[np.ndarray, list[int], np.ndarray]:
    """The correlations, the sizes and the deviations."""
    sigma = inputs.finite("covariance", covariance).astype(np.float64)
    each = [
        inputs.integer(f"sizes[{i}]", n, 1)
        for i, n in enumerate(inputs.listed("sizes", sizes))
    ]
    if len(each) != 3:
        raise InputError(f"sizes must be those of x1, x2 and y, got {each}")
    if sigma.shape != (sum(each), sum(each)):
        raise InputError(
            f"covariance must be [{sum(each)}, {sum(each)}] for sizes {each}, "
            f"got shape {sigma.shape}"
        )
    scale = np.abs(sigma).max()
    if np.abs(sigma - sigma.T).max() > 1e-9 * scale:
        raise InputError("covariance is not symmetric")
    sigma = (sigma + sigma.T) / 2
    variance = np.diag(sigma)
    if variance.min() <= 0:
        at = int(variance.argmin())
        raise InputError(f"covariance[{at}, {at}] is {variance[at]:g}")
    # Units do not matter; the product of two variances may be no number.
    deviation = np.sqrt(variance)
    sigma = sigma / deviation[:, None] / deviation
    least = float(np.linalg.eigvalsh(sigma)[0])
    if least <= _RANK:
        raise InputError(
            f"covariance has the correlations' eigenvalue {least:.3g}: some "
            "direction has no noise, and its information is infinite"
        )
    return sigma, each, deviation


def _whitened(sigma: np.ndarray, n1: int, n2: int, ny: int) -> np.ndarray:
    """H_1 and H_2 over each other, for a target of covariance I."""
    del ny
    target = scipy.linalg.cholesky(sigma[n1 + n2 :, n1 + n2 :], lower=True)
    rows = []
    for x in (slice(0, n1), slice(n1, n1 + n2)):
        h = scipy.linalg.solve_triangular(
            target, sigma[x, n1 + n2 :].T, lower=True
        ).T
        noise = scipy.linalg.cholesky(sigma[x, x] - h @ h.T, lower=True)
        rows.append(scipy.linalg.solve_triangular(noise, h, lower=True))
    return np.concatenate(rows)


def _minimize(
    first: np.ndarray, second: np.ndarray, tol: float, max_steps: int
) -> tuple[float, float, int]:
    """T_min in nats, its proven error, and the steps that were taken.

    Spectral projected gradients (Birgin, Martinez and Raydan, 2000).
    """
    c = np.zeros((len(first), len(second)))
    value, gradient = _objective(c, first, second)
    best, gap = value, math.inf
    last, length, lower = [value], 1.0, -math.inf
    for step in range(max_steps + 1):
        singular = np.linalg.svd(gradient, compute_uv=False)
        lower = max(lower, value - np.sum(gradient * c) - singular.sum())
        best = min(best, value)
        gap = max(best - lower, 0.0)
        if gap <= tol or step == max_steps:
            break
        direction = _projected(c - length * gradient) - c
        slope = float(np.sum(direction * gradient))
        share = 1.0
        while True:
            new = c + share * direction
            new_value, new_gradient = _objective(new, first, second)
            if new_value <= max(last) + _DECREASE * share * slope:
                break
            share /= 2
            if share < _SHORTEST:
                return best, gap, step
        moved, turned = new - c, new_gradient - gradient
        curvature = float(np.sum(moved * turned))
        length = (
            min(max(float(np.sum(moved**2)) / curvature, _SHORTEST), _LONGEST)
            if curvature > 0
            else _LONGEST
        )
        c, value, gradient = new, new_value, new_gradient
        last = [*last[1 - _MEMORY :], value]
    return best, gap, step


def _objective(
    c: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[float, np.ndarray]:
    """Returns log det(I + G' W^-1 G) / 2 and its derivative in C."""
    # W^-1 G by the Schur complement I - C C'.
    schur = scipy.linalg.cho_factor(np.eye(len(c)) - c @ c.T)
    top = scipy.linalg.cho_solve(schur, first - c @ second)
    bottom = second - c.T @ top
    inner = np.eye(first.shape[1]) + first.T @ top + second.T @ bottom
    factor = scipy.linalg.cho_factor((inner + inner.T) / 2)
    value = float(np.log(np.diag(factor[0])).sum())
    return value, -top @ scipy.linalg.cho_solve(factor, bottom.T)


def _projected(c: np.ndarray) -> np.ndarray:
    left, singular, right = np.linalg.svd(c, full_matrices=False)
    return (left * np.minimum(singular, _LARGEST)) @ right


def _log_det(x: np.ndarray) -> float:
    return float(np.linalg.slogdet(x)[1])
