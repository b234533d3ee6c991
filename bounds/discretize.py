"""From continuous samples to discrete symbols.

A discretiser is fitted on one set of samples and applied to another; it is a
NamedTuple of arrays that maps samples `[n, ...]` to symbols `[n]`. Fitted on
the samples it is applied to, it may adapt to them: fit it on others when the
labels took part in the choice, as they do in `Posteriors`.
"""

from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans

from bounds.errors import InputError

# Rows that clusters are fitted on at most, and that are assigned at a time:
# more change little and cost much.
_MOST_ROWS = 20_000
# Starts of k-means; the best one is kept.
_STARTS = 4


class Centers(NamedTuple):
    """Symbols are the nearest centres.

    Attributes:
      centers: `[symbols, features]`.
    """

    centers: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Returns the symbols of the rows of `x`, `[n, ...]` to int `[n]`."""
        rows = _rows(x)
        if rows.shape[1] != self.centers.shape[1]:
            raise InputError(
                f"x has {rows.shape[1]} features, fitted were "
                f"{self.centers.shape[1]}"
            )
        # |x|^2 is the same for all centres.
        offset = (self.centers**2).sum(1) / 2
        return np.concatenate(
            [np.zeros(0, np.int64)]
            + [
                np.argmin(offset - part @ self.centers.T, axis=1)
                for part in _parts(rows)
            ]
        )


class Edges(NamedTuple):
    """Symbols are intervals of one number.

    Attributes:
      edges: increasing, `[symbols - 1]`; an edge belongs to the right.
    """

    edges: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Returns the symbols of the numbers `x`, `[n]` or `[n, 1]`."""
        return np.searchsorted(self.edges, _column(x), side="right")


class Posteriors(NamedTuple):
    """Symbols are clusters of a classifier's outputs.

    The posterior is all that a sample says about the label, so a few clusters
    of it lose little. Distance is Hellinger's, between square roots.

    Attributes:
      centers: `[symbols, y]`, in square roots of probabilities.
    """

    centers: np.ndarray

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns the symbols of p(y|x), `[n, y]` to int `[n]`."""
        return Centers(self.centers)(np.sqrt(probabilities))


def fit_kmeans(x: np.ndarray, symbols: int, *, seed: int = 0) -> Centers:
    """Clusters the rows of `x`.

    Args:
      x: `[n, ...]`, flattened to `[n, features]`; the caller chooses the scale.
      symbols: number of clusters.
      seed: of the initial centres, and of the rows that are taken if `x` has
        more than 20,000.

    Raises:
      InputError: NaN or infinite features; fewer distinct rows than clusters.
    """
    _check_symbols(symbols)
    rows = _rows(x)
    if len(rows) > _MOST_ROWS:
        rng = np.random.default_rng(seed)
        rows = rows[rng.choice(len(rows), _MOST_ROWS, replace=False)]
    distinct = len(np.unique(rows, axis=0))
    if distinct < symbols:
        what = (
            "is constant" if distinct == 1 else f"has {distinct} distinct rows"
        )
        raise InputError(f"x {what}, too few for {symbols} clusters")
    model = KMeans(symbols, n_init=_STARTS, random_state=seed).fit(rows)
    return Centers(model.cluster_centers_)


def fit_quantiles(x: np.ndarray, symbols: int) -> Edges:
    """Cuts numbers into intervals that hold about equally many.

    Args:
      x: `[n]` or `[n, 1]`.
      symbols: number of intervals.

    Raises:
      InputError: more than one feature; NaN or infinite values; or values so
        often repeated that an interval would be empty.
    """
    _check_symbols(symbols)
    column = _column(x)
    edges = np.quantile(column, np.arange(1, symbols) / symbols)
    found = Edges(edges)
    used = len(np.unique(found(column)))
    if used < symbols:
        raise InputError(
            f"x has {len(np.unique(column))} distinct values, repeated so "
            f"often that {symbols} quantiles give {used} intervals"
        )
    return found


def fit_posteriors(
    probabilities: np.ndarray, symbols: int, *, seed: int = 0
) -> Posteriors:
    """Clusters the outputs of a classifier.

    Args:
      probabilities: p(y|x), `[n, y]`, of samples that the classifier was not
        trained on.
      symbols: number of clusters.
      seed: see `fit_kmeans`.

    Raises:
      InputError: negative probabilities, or as `fit_kmeans`.
    """
    p = np.asarray(probabilities)
    if (p < 0).any():
        index = np.argwhere(p < 0)[0].tolist()
        raise InputError(f"probabilities{index} is {p[tuple(index)]}")
    return Posteriors(fit_kmeans(np.sqrt(p), symbols, seed=seed).centers)


def _check_symbols(symbols: int) -> None:
    if symbols < 1:
        raise InputError(f"symbols must be at least 1, got {symbols}")


def _rows(x: np.ndarray) -> np.ndarray:
    rows = np.asarray(x)
    if rows.ndim < 1 or not len(rows):
        raise InputError(f"x has no rows: shape {rows.shape}")
    rows = rows.reshape(len(rows), -1)
    # The sum is not finite if an entry is not, and makes no array.
    if not np.isfinite(rows.sum(dtype=np.float64)):
        bad = ~np.isfinite(rows)
        if bad.any():
            index = np.argwhere(bad)[0].tolist()
            raise InputError(f"x{index} is {rows[tuple(index)]}")
    return rows


def _column(x: np.ndarray) -> np.ndarray:
    rows = _rows(x)
    if rows.shape[1] != 1:
        raise InputError(
            f"quantiles are of one number a sample, got {rows.shape[1]}"
        )
    return rows[:, 0]


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [
        rows[start : start + _MOST_ROWS]
        for start in range(0, len(rows), _MOST_ROWS)
    ]
