"""Problems whose decomposition is known, to test estimators against.

The label of a Gaussian problem is a triple of independent parts: `shared`,
which both modalities see, `first`, which only the first one sees, and
`second`. A part with class means v_y in d dimensions is seen as v_y plus
normal noise, independent between the parts. Its posteriors are exact, and

  redundancy = the lesser of I(A1;Y0), I(A2;Y0)
  unique1 = I(A1;Y0) - redundancy + I(B1;Y1)     and likewise unique2
  total = I(A1,A2;Y0) + I(B1;Y1) + I(B2;Y2)

where A are the views of the shared part and B those of the others. Proof: let
A2 have the larger noise. Given Y0 its law is that of A1 plus independent
noise, so some q in the decomposition's set has Y - X1 - A2, and then
I_q(X1,X2;Y) = I(X1;Y) + I(B2;Y2). And less is impossible: I_q(X2;Y|X1) >=
I_q(X2;Y2|X1) >= I(B2;Y2), for X1 and Y2 are independent under every q.

The informations of the parts are averages over many draws of the exact
posteriors; `Truth.error` is their standard error.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bounds import inputs
from bounds.decomposition import pid
from bounds.errors import InputError
from bounds.information import entropy
from bounds.maximum_entropy import maxent

_DRAWS, _DRAWN_AT_ONCE = 2**18, 2**13
_TRUTH_SEED = 1


class Samples(NamedTuple):
    """Draws from a problem, the rows of all arrays in the same order.

    Attributes:
      x1: features of the first modality, `[n, features1]`.
      x2: features of the second modality, `[n, features2]`.
      labels: classes, int64 `[n]`.
      posterior1: p(y|x1), `[n, y]`.
      posterior2: p(y|x2), `[n, y]`.
      posterior12: p(y|x1, x2), `[n, y]`.
    """

    x1: np.ndarray
    x2: np.ndarray
    labels: np.ndarray
    posterior1: np.ndarray
    posterior2: np.ndarray
    posterior12: np.ndarray


class Truth(NamedTuple):
    """The decomposition of a problem, in bits.

    Attributes:
      redundancy: see `bounds.PID`.
      unique1: see `bounds.PID`.
      unique2: see `bounds.PID`.
      synergy: see `bounds.PID`.
      total: see `bounds.PID`.
      error: standard error of the worst of them.
      reason: how they are known.
      interaction: what of the total no additive model has, log p(y|x1,x2) =
        f(x1, y) + g(x2, y) + c(x1, x2): the divergence from the law of largest
        entropy that has the same pairs (Amari, IEEE Trans. Inf. Theory 2001);
        None if not known.
    """

    redundancy: float
    unique1: float
    unique2: float
    synergy: float
    total: float
    error: float
    reason: str
    interaction: float | None = None


@dataclasses.dataclass(frozen=True)
class Problem:
    """A law of two modalities and a label, with its decomposition.

    Attributes:
      prior: p(y), `[y]`.
      draw: function of a number of samples and a seed.
      solve: function that computes the truth.
    """

    prior: np.ndarray
    draw: Callable[[int, np.random.Generator], Samples]
    solve: Callable[[], Truth]

    def sample(self, n: int, seed: int = 0) -> Samples:
        """Draws n samples; the same seed draws the same ones.

        Raises:
          InputError: n or seed out of range.
        """
        n = inputs.integer("n", n, 1)
        return self.draw(n, np.random.default_rng(inputs.seed("seed", seed)))

    @functools.cached_property
    def truth(self) -> Truth:
        """The decomposition, computed at the first use."""
        return self.solve()


def discrete(p: Any) -> Problem:
    """A joint table p(x1, x2, y); features are the symbols, `[n, 1]`.

    Raises:
      InputError: As `bounds.pid`; a batch.
    """
    p = inputs.finite("p", p).astype(np.float64)
    if p.ndim != 3:
        raise InputError(f"p must have 3 axes, got shape {p.shape}")
    out = pid(p)

    def draw(n: int, rng: np.random.Generator) -> Samples:
        cells = rng.choice(p.size, n, p=p.ravel() / p.sum())
        x1, x2, labels = np.unravel_index(cells, p.shape)
        return Samples(
            x1[:, None].astype(np.float64),
            x2[:, None].astype(np.float64),
            labels.astype(np.int64),
            _rows(p.sum(1)[x1]),
            _rows(p.sum(0)[x2]),
            _rows(p[x1, x2]),
        )

    def solve() -> Truth:
        return Truth(
            redundancy=float(out.redundancy),
            unique1=float(out.unique1),
            unique2=float(out.unique2),
            synergy=float(out.synergy),
            total=float(out.total),
            interaction=_interaction(p / p.sum()),
            error=float(out.gap),
            reason="the table's own decomposition, certified",
        )

    return Problem(p.sum((0, 1)), draw, solve)


def gaussian(
    *,
    shared: int = 1,
    first: int = 1,
    second: int = 1,
    features: int = 4,
    noise: Sequence[float] = (1.0, 1.0),
    correlation: float = 0.0,
    spread: float = 2.0,
    shared_prior: Any = None,
    seed: int = 0,
) -> Problem:
    """Class-conditional Gaussians; the module's docstring has the proof.

    Args:
      shared: classes of the part of the label that both modalities see; 1 for
        none. The label has shared * first * second classes, the last part's
        running fastest; the parts are independent.
      first: classes that only the first modality sees.
      second: classes that only the second modality sees.
      features: features of each view of a part.
      noise: deviation of the noise of either modality.
      correlation: of the two modalities' noise in the same feature of the
        shared part, in (-1, 1); noise[0] / noise[1] makes the second modality
        a noisier copy of the first (no synergy), and what is far from that
        makes synergy.
      spread: deviation of the class means of each feature.
      shared_prior: distribution of the shared part, uniform by default; the
        other parts are uniform.
      seed: of the class means.

    Returns:
      The problem.

    Raises:
      InputError: Options out of range.
    """
    sizes = [
        inputs.integer(name, size, 1)
        for name, size in (
            ("shared", shared), ("first", first), ("second", second)
        )
    ]  # fmt: skip
    features = inputs.integer("features", features, 1)
    sigma1, sigma2 = two_noises(noise)
    rho = inputs.real("correlation", correlation, above=-1, below=1)
    spread = inputs.real("spread", spread, above=0)
    priors = [np.full(size, 1 / size) for size in sizes]
    if shared_prior is not None:
        prior = inputs.distribution("shared_prior", shared_prior)
        if len(prior) != sizes[0]:
            raise InputError(
                f"shared_prior has {len(prior)} classes, shared is {sizes[0]}"
            )
        priors[0] = prior / prior.sum()
    rng = np.random.default_rng(inputs.seed("seed", seed))
    means = [spread * rng.normal(size=(size, features)) for size in sizes]

    def view_both(n: int, rng: np.random.Generator) -> tuple:
        y = rng.choice(sizes[0], n, p=priors[0])
        e1, e2 = rng.normal(size=(2, n, features))
        e2 = rho * e1 + math.sqrt(1 - rho**2) * e2
        a1, a2 = means[0][y] + sigma1 * e1, means[0][y] + sigma2 * e2
        # Whitened: the noise of a2 that a1 does not explain.
        slope = rho * sigma2 / sigma1
        rest = sigma2 * math.sqrt(1 - rho**2)
        first = _log_likelihood(a1, means[0], sigma1)
        joint = first + _log_likelihood(
            a2 - slope * a1, (1 - slope) * means[0], rest
        )
        second = _log_likelihood(a2, means[0], sigma2)
        logs = (first, second, joint)
        return y, a1, a2, [_posterior(x, priors[0]) for x in logs]

    def view_one(part: int, n: int, rng: np.random.Generator) -> tuple:
        sigma = (sigma1, sigma2)[part - 1]
        y = rng.choice(sizes[part], n)
        b = means[part][y] + sigma * rng.normal(size=(n, features))
        likelihood = _log_likelihood(b, means[part], sigma)
        return y, b, _posterior(likelihood, priors[part])

    def draw(n: int, rng: np.random.Generator) -> Samples:
        y0, a1, a2, (r1, r2, r12) = view_both(n, rng)
        y1, b1, s1 = view_one(1, n, rng)
        y2, b2, s2 = view_one(2, n, rng)
        flat1, flat2 = (np.tile(p, (n, 1)) for p in priors[1:])

        def features_of(a: np.ndarray, b: np.ndarray, size: int) -> np.ndarray:
            seen = [a] * (sizes[0] > 1) + [b] * (size > 1)
            return np.concatenate(seen or [b], axis=1)

        return Samples(
            features_of(a1, b1, sizes[1]),
            features_of(a2, b2, sizes[2]),
            np.ravel_multi_index((y0, y1, y2), sizes).astype(np.int64),
            _product(r1, s1, flat2),
            _product(r2, flat1, s2),
            _product(r12, s1, s2),
        )

    def solve() -> Truth:
        rng = np.random.default_rng(_TRUTH_SEED)
        pieces = []
        for _ in range(_DRAWS // _DRAWN_AT_ONCE):
            shared = view_both(_DRAWN_AT_ONCE, rng)[3]
            alone = [view_one(i, _DRAWN_AT_ONCE, rng)[2] for i in (1, 2)]
            which = (0, 0, 0, 1, 2)
            pieces.append(
                [
                    _informations(r, priors[i])
                    for r, i in zip([*shared, *alone], which, strict=True)
                ]
            )
        a1, a2, a12, b1, b2 = np.concatenate(pieces, axis=1)  # [draws] each
        if sigma1 == sigma2:
            a1 = a2 = (a1 + a2) / 2
        low, high = sorted((a1, a2), key=np.mean)
        return averaged(
            redundancy=low,
            unique1=a1 - low + b1,
            unique2=a2 - low + b2,
            synergy=a12 - high,
            total=a12 + b1 + b2,
            # Normal laws of one covariance: log-odds are linear.
            interaction=0.0,
            reason="proof in bounds.problems; informations from "
            f"{len(a1)} draws of the exact posteriors",
        )

    prior = functools.reduce(np.multiply.outer, priors).ravel()
    return Problem(prior, draw, solve)


def named(name: str) -> Problem:
    """One of `NAMES`, of which tables are made.

    "and" and "xor" are gates with a tenth of the labels drawn anew; "copy" has
    a second modality that is the noisier one, "alone" one that adds nothing to
    the first, "near" one a little noisier, "equal" one with the same noise,
    "alike" two that know the label each, "noise" two that know nothing;
    "halves" sees the other half of the label, "mixed" has all four terms,
    "correlated" noise that one modality tells about the other's. The number is
    that of the classes; "wide2" has 64 features.

    Raises:
      InputError: Another name.
    """
    name = inputs.choice("name", name, NAMES)
    if name in _GATES:
        p = np.full((2, 2, 2), 0.1 / 8)
        for x1, x2 in np.ndindex(2, 2):
            p[x1, x2, _GATES[name](x1, x2)] += 0.9 / 4
        return discrete(p)
    return gaussian(**_GAUSSIANS[name])


_GATES: dict[str, Callable[[int, int], int]] = {
    "and": lambda x1, x2: x1 & x2,
    "xor": lambda x1, x2: x1 ^ x2,
}
_GAUSSIANS: dict[str, dict[str, Any]] = {
    "copy4": {"shared": 4, "noise": (1.5, 3)},
    "alone4": {"shared": 4, "noise": (1.5, 3), "correlation": 0.5},
    "alike4": {"shared": 4, "noise": (0.4, 0.4)},
    "noise4": {"shared": 4, "noise": (60, 60)},
    "equal4": {"shared": 4, "features": 3, "noise": (2, 2)},
    "correlated4": {"shared": 4, "noise": (3, 3), "correlation": -0.8},
    "wide2": {"shared": 2, "features": 64, "noise": (12, 16)},
    "halves16": {"first": 4, "second": 4, "noise": (2, 2)},
    "mixed16": {
        "shared": 4, "first": 2, "second": 2, "features": 3, "noise": (1.5, 3)
    },
    "copy31": {"shared": 31, "features": 8, "noise": (2, 4)},
    "near31": {"shared": 31, "features": 8, "noise": (3, 3.5)},
    "equal31": {"shared": 31, "features": 8, "noise": (3, 3)},
    "copy101": {"shared": 101, "features": 16, "noise": (3, 5)},
}  # fmt: skip
NAMES = (*_GATES, *_GAUSSIANS)


def two_noises(noise: Any) -> list[float]:
    """Returns the deviations of two modalities' noise.

    Raises:
      InputError: Not two; one that is not positive.
    """
    each = inputs.listed("noise", noise)
    if len(each) != 2:
        raise InputError(f"noise must be two numbers, got {len(each)}")
    return [inputs.real(f"noise[{i}]", s, above=0) for i, s in enumerate(each)]


def averaged(
    *, reason: str, interaction: float | None = None, **terms: np.ndarray
) -> Truth:
    """The truth whose terms are means over draws, `[draws]` each."""
    deviation = np.nanmax([x.std() for x in terms.values()])
    draws = len(terms["total"])
    return Truth(
        **{name: float(x.mean()) for name, x in terms.items()},
        error=float(deviation / math.sqrt(draws)),
        reason=reason,
        interaction=interaction,
    )


def _interaction(p: np.ndarray) -> float:
    largest = maxent(p.sum(2), p.sum(1), p.sum(0)).entropy
    return max(0.0, float(largest) - float(entropy(p, event_rank=3)))


def _log_likelihood(
    x: np.ndarray, means: np.ndarray, sigma: float
) -> np.ndarray:
    """Logarithm of the normal density less what no class changes, `[n, y]`."""
    cross = x @ means.T - (means**2).sum(1) / 2
    return cross / sigma**2


def _posterior(log_likelihood: np.ndarray, prior: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        z = log_likelihood + np.log(prior)
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def _product(*parts: np.ndarray) -> np.ndarray:
    out = parts[0]
    for part in parts[1:]:
        out = (out[:, :, None] * part[:, None]).reshape(len(out), -1)
    return out


def _informations(r: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """KL(r || prior) of every row, in bits."""
    safe = np.where(r > 0, r, 1)
    where = np.where(prior > 0, prior, 1)
    return np.sum(r * np.log2(safe / where), axis=1)


def _rows(x: np.ndarray) -> np.ndarray:
    return x / x.sum(1, keepdims=True)
