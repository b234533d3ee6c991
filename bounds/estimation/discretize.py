"""From continuous samples to discrete symbols.

A discretiser is fitted on one set of samples and applied to another; it is a
NamedTuple of arrays that maps samples `[n, ...]` to symbols `[n]`. Fitted on
the samples it is applied to, it may adapt to them: fit it on others when the
labels took part in the choice, as they do in `Posteriors`.

Where 0 lies does not matter: every discretiser keeps an origin among the
values that it was fitted on, in their own type, and takes it from the samples
before anything is multiplied. So pressures in pascal and times in nanoseconds
are told apart as well as their deviations are.
"""

import math
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import distance
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from bounds import inputs
from bounds.errors import InputError

# Rows that clusters are fitted on at most, and that are assigned at a time:
# more change little and cost much.
_MOST_ROWS = 20_000
# Starts of k-means; the best one is kept.
_STARTS = 4


class Centers(NamedTuple):
    """Symbols are the nearest centres.

    Attributes:
      offsets: Centres less the origin, `[symbols, features]`.
      origin: `[features]`, of the type of the rows that were fitted.
    """

    offsets: np.ndarray
    origin: np.ndarray | float = 0.0

    @property
    def centers(self) -> np.ndarray:
        """The centres, `[symbols, features]`."""
        return self.offsets + np.asarray(self.origin, np.float64)

    def __call__(self, x: Any) -> np.ndarray:
        """Returns the symbols of the rows of `x`, `[n, ...]` to int `[n]`.

        Raises:
          InputError: As `fit_kmeans`, or another number of features.
        """
        return self._nearest("x", _rows("x", x))

    def _nearest(self, name: str, rows: np.ndarray) -> np.ndarray:
        features = np.shape(self.offsets)[1]
        if rows.shape[1] != features:
            raise InputError(
                f"{name} has {rows.shape[1]} features, fitted were {features}"
            )
        scale = _scale(self.offsets)
        # Not as |c|^2 / 2 - x c, whose terms cancel far from the origin.
        return np.concatenate(
            [
                distance.cdist(
                    inputs.difference(part, self.origin) / scale,
                    self.offsets / scale,
                    "sqeuclidean",
                ).argmin(1)
                for part in _parts(rows)
            ]
        )


class Edges(NamedTuple):
    """Symbols are intervals of one number.

    Attributes:
      offsets: Edges less the origin, increasing, `[symbols - 1]`; an edge
        belongs to the right.
      origin: Numbers that are taken off, of the type of those fitted.
    """

    offsets: np.ndarray
    origin: np.ndarray | float = 0.0

    @property
    def edges(self) -> np.ndarray:
        """The edges, `[symbols - 1]`."""
        return self.offsets + np.asarray(self.origin, np.float64)

    def __call__(self, x: Any) -> np.ndarray:
        """Returns the symbols of the numbers `x`, `[n]` or `[n, 1]`.

        Raises:
          InputError: As `fit_quantiles`.
        """
        return self._intervals(inputs.difference(_column(x), self.origin))

    def _intervals(self, offsets: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.offsets, offsets, side="right")


class Posteriors(NamedTuple):
    """Symbols are clusters of a classifier's outputs.

    The posterior is all that a sample says about the label, so a few clusters
    of it lose little. Distance is Hellinger's, between square roots.

    Attributes:
      centers: `[symbols, y]`, in square roots of probabilities.
    """

    centers: np.ndarray

    def __call__(self, probabilities: Any) -> np.ndarray:
        """Returns the symbols of p(y|x), `[n, y]` to int `[n]`.

        Raises:
          InputError: As `fit_posteriors`, or another number of classes.
        """
        roots = np.sqrt(inputs.probabilities("probabilities", probabilities))
        return Centers(self.centers)._nearest("probabilities", roots)


def fit_kmeans(
    x: Any, symbols: int, *, seed: int = 0, fewer: bool = False
) -> Centers:
    """Clusters the rows of `x`.

    Args:
      x: Samples, `[n, ...]`, flattened to `[n, features]`; the caller chooses
        the scale of the features.
      symbols: Number of clusters.
      seed: Seed of the initial centres, and of the rows that are taken if `x`
        has more than 20,000.
      fewer: Whether fewer clusters will do, as many as there are rows that can
        be told apart, where there are no more of them than `symbols`.

    Raises:
      InputError: What `bounds.inputs.finite` refuses, NaN and masks among it;
        no rows or features; fewer distinct rows than clusters.
    """
    symbols = inputs.integer("symbols", symbols, 1)
    seed = inputs.seed("seed", seed)
    return _clusters("x", _rows("x", x), symbols, seed, fewer)


def fit_quantiles(x: Any, symbols: int) -> Edges:
    """Cuts numbers into intervals that hold about equally many.

    Args:
      x: Samples, `[n]` or `[n, 1]`.
      symbols: Number of intervals.

    Raises:
      InputError: What `bounds.inputs.finite` refuses, NaN and masks among it;
        more than one feature; or values so often repeated that an interval
        would be empty.
    """
    symbols = inputs.integer("symbols", symbols, 1)
    column = _column(x)
    origin = _middle(column)
    offsets = inputs.difference(column, origin)
    edges = Edges(np.quantile(offsets, np.arange(1, symbols) / symbols), origin)
    used = len(np.unique(edges._intervals(offsets)))
    if used < symbols:
        raise InputError(
            f"x has {_times(len(np.unique(offsets)), 'distinct value')}, "
            f"repeated so often that {symbols} quantiles give "
            f"{_times(used, 'interval')}"
        )
    return edges


def fit_posteriors(
    probabilities: Any, symbols: int, *, seed: int = 0, fewer: bool = False
) -> Posteriors:
    """Clusters the outputs of a classifier.

    Args:
      probabilities: p(y|x), `[n, y]`, of samples that the classifier was not
        trained on.
      symbols: Number of clusters.
      seed: Seed, as in `fit_kmeans`.
      fewer: Whether fewer clusters will do, as in `fit_kmeans`.

    Raises:
      InputError: What `bounds.inputs.probabilities` refuses, rows that do not
        sum to 1 among it; fewer distinct rows than clusters.
    """
    symbols = inputs.integer("symbols", symbols, 1)
    seed = inputs.seed("seed", seed)
    roots = np.sqrt(inputs.probabilities("probabilities", probabilities))
    found = _clusters("probabilities", roots, symbols, seed, fewer)
    return Posteriors(found.centers)


def _clusters(
    name: str, rows: np.ndarray, symbols: int, seed: int, fewer: bool
) -> Centers:
    if len(rows) > _MOST_ROWS:
        rng = np.random.default_rng(seed)
        rows = rows[rng.choice(len(rows), _MOST_ROWS, replace=False)]
    origin = _middle(rows)
    offsets = inputs.difference(rows, origin)
    distinct = np.unique(offsets, axis=0)
    if len(distinct) <= symbols and fewer:
        return Centers(distinct, origin)
    if len(distinct) < symbols:
        what = (
            "is constant"
            if len(distinct) == 1
            else f"has {len(distinct)} distinct rows"
        )
        raise InputError(f"{name} {what}, too few for {symbols} clusters")
    scale = _scale(distinct)
    if not np.isfinite(scale):
        raise InputError(f"{name} spans more than float64 holds: divide it")
    model = KMeans(symbols, n_init=_STARTS, random_state=seed, copy_x=False)
    with warnings.catch_warnings():
        # Says what is said below.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(offsets / scale)
    told = np.unique(model.labels_)
    if len(told) < symbols and not fewer:
        raise InputError(
            f"{name} has {len(distinct)} distinct rows, some of them so near "
            f"to each other that {symbols} clusters are {len(told)}"
        )
    return Centers(model.cluster_centers_[told] * scale, origin)


def _scale(offsets: np.ndarray) -> float:
    """Returns a power of 2 by which offsets are of order 1.

    Squares of very small or large numbers are no numbers; nothing else changes
    by a division by it.
    """
    largest = float(np.abs(offsets).max(initial=0))
    if not 0 < largest < math.inf:
        return largest or 1.0
    return 2.0 ** (math.frexp(largest)[1] - 1)


def _middle(rows: np.ndarray) -> np.ndarray:
    """Returns the median of each feature, one of its values."""
    half = len(rows) // 2
    return np.partition(rows, half, axis=0)[half]


def _rows(name: str, x: Any) -> np.ndarray:
    rows = inputs.finite(name, x)
    if rows.ndim < 1 or not rows.size:
        what = "features" if rows.ndim and len(rows) else "rows"
        raise InputError(f"{name} has no {what}: shape {rows.shape}")
    return rows.reshape(len(rows), -1)


def _column(x: Any) -> np.ndarray:
    rows = _rows("x", x)
    if rows.shape[1] != 1:
        raise InputError(
            f"x must be one number per sample for quantiles, got "
            f"{rows.shape[1]}"
        )
    return rows[:, 0]


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _MOST_ROWS):
        yield rows[start : start + _MOST_ROWS]


def _times(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
