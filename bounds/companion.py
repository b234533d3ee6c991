"""The synthetic sets of "Quantifying and modeling multimodal interactions".

Liang et al., NeurIPS 2023, by their generator (synthetic/generate_data.py of
pliang279/PID). Three latents z1, z2, zc ~ N(0, 1.5 I) of five numbers; modality
1 is (z1 T1, zc Tc), modality 2 is (z2 T2, zc Tc) with T uniform on [0, 1]. The
score is the mean of the chosen latents, of each number of which a fifth is
dropped, independently for every sample; the label says in which half of the
scores it is. A mixture takes int(5 ratio) numbers of each latent, others for
every sample.

Of T nothing is lost, so that modality i knows z_i and zc, and posteriors are
exact: a sum over which numbers are in, and a normal tail for the latent that is
not seen. In all sets but `mix2` so is the decomposition: where the label does
not depend on a latent that the other modality lacks, one modality knows all and
there is nothing for the other to add; where both modalities have the same law
with the label there is nothing unique.

What cannot be made again: the five sets `synthetic1` to `synthetic5`, whose
ratios were drawn and not kept; the matrices T and the samples, which had no
seed; and the numbers of the published runs, whose data had two labels and 100
columns of T, where the published generator writes 32 and 32.
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.special

from bounds import inputs
from bounds.problems import Problem, Samples, Truth, averaged

_DIM, _VARIANCE, _KEPT = 5, 1.5, 0.8
_FEATURES = 32
_DRAWS, _AT_ONCE = 2**14, 2**9
_TRUTH_SEED = 2

# What of z1, z2 and zc is in the label.
RATIOS = {
    "redundancy": (0.0, 0.0, 1.0),
    "uniqueness0": (1.0, 0.0, 0.0),
    "uniqueness1": (0.0, 1.0, 0.0),
    "synergy": (1.0, 1.0, 0.0),
    "mix1": (0.5, 0.5, 0.5),
    "mix2": (1.0, 0.5, 0.5),
    "mix3": (1.0, 1.0, 0.5),
    "mix4": (0.5, 0.5, 1.0),
    "mix5": (0.0, 0.5, 0.5),
    "mix6": (0.0, 0.5, 1.0),
}
NAMES = tuple(RATIOS)


class Published(NamedTuple):
    """A published decomposition of a set, in NATS.

    Plug-in, on 20 clusters of two principal components of each modality, of the
    test split.
    """

    redundancy: float
    unique1: float
    unique2: float
    synergy: float


# The first run; synthetic1 to 5 are of another notebook.
PUBLISHED = {
    "redundancy": Published(0.167, 0.009, 0.000, 0.054),
    "uniqueness0": Published(0.002, 0.172, 0.000, 0.054),
    "uniqueness1": Published(0.004, 0.000, 0.160, 0.047),
    "synergy": Published(0.074, 0.010, 0.001, 0.138),
    "mix1": Published(0.051, 0.005, 0.001, 0.071),
    "mix2": Published(0.054, 0.058, 0.000, 0.071),
    "mix3": Published(0.080, 0.009, 0.001, 0.116),
    "mix4": Published(0.091, 0.003, 0.006, 0.076),
    "mix5": Published(0.040, 0.000, 0.038, 0.058),
    "mix6": Published(0.116, 0.000, 0.029, 0.054),
    "synthetic1": Published(0.043, 0.026, 0.000, 0.106),
    "synthetic2": Published(0.013, 0.000, 0.006, 0.059),
    "synthetic3": Published(0.028, 0.026, 0.000, 0.067),
    "synthetic4": Published(0.066, 0.000, 0.056, 0.054),
    "synthetic5": Published(0.039, 0.044, 0.000, 0.066),
}


def companion(
    name: str, *, features: int = _FEATURES, seed: int = 0
) -> Problem:
    """One of the ten sets that can be made anew, with two classes.

    Args:
      name: one of `NAMES`.
      features: columns of each T; a modality has twice as many.
      seed: of the matrices T.

    Returns:
      The problem; its truth is computed from 16,384 draws of the exact
      posteriors, in seconds. Of "mix2" only the total is known, the rest NaN.

    Raises:
      InputError: Another name; options out of range.
    """
    inputs.choice("name", name, NAMES)
    features = inputs.integer("features", features, _DIM)
    rng = np.random.default_rng(inputs.seed("seed", seed))
    maps = rng.random((3, _DIM, features))
    parts = [_Part(ratio) for ratio in RATIOS[name]]

    def draw(n: int, rng: np.random.Generator) -> Samples:
        z = math.sqrt(_VARIANCE) * rng.normal(size=(3, n, _DIM))
        score = sum(
            (x * part.drawn(n, rng)).sum(1)
            for x, part in zip(z, parts, strict=True)
        )
        # Nothing is in: the scores of such samples are cut anywhere.
        coin = rng.random(n) < 0.5
        label = np.where(score == 0, coin, score > 0).astype(np.int64)
        z1, z2, zc = z
        seen = [x @ t for x, t in zip(z, maps, strict=True)]
        return Samples(
            np.concatenate([seen[0], seen[2]], axis=1),
            np.concatenate([seen[1], seen[2]], axis=1),
            label,
            _posteriors([z1, None, zc], parts),
            _posteriors([None, z2, zc], parts),
            _posteriors([z1, z2, zc], parts),
        )

    def solve() -> Truth:
        rng = np.random.default_rng(_TRUTH_SEED)
        informations = []
        for _ in range(_DRAWS // _AT_ONCE):
            some = draw(_AT_ONCE, rng)
            rows = (some.posterior1, some.posterior2, some.posterior12)
            informations.append([1 - _entropy(r) for r in rows])
        one, two, both = np.concatenate(informations, axis=1)  # [draws] each
        first, second, _ = RATIOS[name]
        known = True
        if first == second:
            one = two = (one + two) / 2
            reason = "both modalities have one law with the label"
        elif not first or not second:
            reason = "one modality knows all that the other does, or nothing"
        else:
            known, reason = False, "not known but for the total"
        if first == second == 0:
            one = two = both = (one + two + both) / 3
        elif not first:
            two = both = (two + both) / 2
        elif not second:
            one = both = (one + both) / 2
        low, high = sorted((one, two), key=np.mean)
        if not known:
            low = high = np.full_like(both, math.nan)
        return averaged(
            redundancy=low,
            unique1=one - low,
            unique2=two - low,
            synergy=both - high,
            total=both,
            reason=reason,
        )

    return Problem(np.array([0.5, 0.5]), draw, solve)


class _Part:
    """Which numbers of a latent are in the score: all sets, with their odds."""

    def __init__(self, ratio: float) -> None:
        self.size = int(ratio * _DIM)
        self.sets = np.array(list(itertools.product((0, 1), repeat=_DIM)))
        many = self.sets.sum(1)
        ways = scipy.special.comb(_DIM, many)
        kept = (
            scipy.special.comb(self.size, many)
            * _KEPT**many
            * (1 - _KEPT) ** np.maximum(self.size - many, 0)
        )
        odds = np.where(many <= self.size, kept, 0) / ways
        self.sets, self.odds = self.sets[odds > 0], odds[odds > 0]
        # How many are in, which is all that counts of a latent not seen.
        self.number = np.bincount(
            self.sets.sum(1), self.odds, minlength=_DIM + 1
        )

    def drawn(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws which numbers are in, `[n, 5]`."""
        return self.sets[rng.choice(len(self.odds), n, p=self.odds)]


def _posteriors(
    seen: list[np.ndarray | None], parts: list[_Part]
) -> np.ndarray:
    """p(y | the latents that are seen), `[n, 2]`."""
    number = np.ones(1)
    for z, part in zip(seen, parts, strict=True):
        if z is None:
            number = np.convolve(number, part.number)
    deviation = np.sqrt(_VARIANCE * np.arange(len(number)))
    n = len(next(z for z in seen if z is not None))
    out = np.empty(n)
    for rows in _blocks(n):
        sums, odds = np.zeros((rows.stop - rows.start, 1)), np.ones(1)
        for z, part in zip(seen, parts, strict=True):
            if z is None or not part.size:
                continue
            own = z[rows] @ part.sets.T
            sums = (sums[:, :, None] + own[:, None]).reshape(len(sums), -1)
            odds = np.outer(odds, part.odds).ravel()
        right = number[0] * (0.5 + np.sign(sums) / 2)
        for share, sigma in zip(number[1:], deviation[1:], strict=True):
            if share:
                right += share * scipy.special.ndtr(sums / sigma)
        out[rows] = right @ odds
    return np.stack([1 - out, out], axis=1)


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, 128):
        yield slice(start, min(start + 128, n))


def _entropy(r: np.ndarray) -> np.ndarray:
    return scipy.special.entr(r).sum(1) / math.log(2)
