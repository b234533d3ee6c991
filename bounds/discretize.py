"""From continuous samples to discrete symbols and tables of counts."""

import numpy as np
from sklearn.cluster import KMeans


def kmeans(x: np.ndarray, clusters: int, *, seed: int = 0) -> np.ndarray:
    """Clusters the rows of `x`.

    Args:
      x: `[n, ...]`, flattened to `[n, features]`; the caller chooses the scale.
      clusters: number of symbols.
      seed: of the initial centres; the best of 4 starts is kept.

    Returns:
      int `[n]`, symbols 0 to clusters-1.

    Raises:
      ValueError: fewer distinct rows than clusters.
    """
    rows = np.asarray(x).reshape(len(x), -1)
    distinct = len(np.unique(rows, axis=0))
    if distinct < clusters:
        raise ValueError(
            f"x has {distinct} distinct rows, fewer than {clusters} clusters"
        )
    model = KMeans(clusters, n_init=4, random_state=seed)
    return model.fit_predict(rows)


def joint_counts(
    x1: np.ndarray, x2: np.ndarray, y: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Counts how often each (x1, x2, y) occurs.

    Args:
      x1: symbols of modality 1, `[n]`.
      x2: symbols of modality 2, `[n]`.
      y: labels, `[n]`.
      shape: sizes of the three alphabets.

    Returns:
      int64 `[n1, n2, ny]`.

    Raises:
      ValueError: a symbol outside its alphabet, or lengths that differ.
    """
    if not len(x1) == len(x2) == len(y):
        raise ValueError(
            "x1, x2 and y must be paired, got lengths "
            f"{len(x1)}, {len(x2)}, {len(y)}"
        )
    for name, symbols, size in zip(
        ("x1", "x2", "y"), (x1, x2, y), shape, strict=True
    ):
        bad = np.flatnonzero((symbols < 0) | (symbols >= size))
        if len(bad):
            raise ValueError(
                f"{name}[{bad[0]}] is {symbols[bad[0]]}, outside 0..{size - 1}"
            )
    flat = np.ravel_multi_index((x1, x2, y), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
