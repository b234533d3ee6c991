"""Tables, golden values and independent references of the synergy tests."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"


def golden(name):
    path = GOLDEN / name
    if not path.exists():
        pytest.skip(f"optional golden values ../shared/golden/{name} absent")
    if path.suffix == ".json":
        return json.loads(path.read_text())
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def golden_tables(largest):
    """Golden tables up to the shape `largest`, and the values of each."""
    z = golden("pid.npz")
    fits = np.all(z["shape"] <= largest, axis=1)
    tables = [
        z["P_flat"][o : o + np.prod(s)].reshape(s)
        for o, s in zip(z["offset"][fits], z["shape"][fits], strict=True)
    ]
    keys = ("S_lower_exact", "S_upper_exact_222", "ref", "shape")
    return tables, {k: z[k][fits] for k in keys}


def marginals(p):
    return p.sum(-1), p.sum(-2), p.sum(-3)


def random_tables(rng, shape, count, concentration=1.0):
    cells = np.full(int(np.prod(shape)), concentration)
    return rng.dirichlet(cells, count).reshape(-1, *shape)


def entropy(p):
    """Bits, over the last three axes."""
    return -np.sum(p * np.log2(np.where(p > 0, p, 1)), (-3, -2, -1))


def sums(shape):
    """Matrix of the three pairwise marginals of a flat joint."""
    cells = np.arange(int(np.prod(shape))).reshape(shape)
    rows = []
    for axis in (2, 1, 0):
        for line in np.moveaxis(cells, axis, -1).reshape(-1, shape[axis]):
            row = np.zeros(cells.size)
            row[line] = 1
            rows.append(row)
    return np.array(rows)


def least_entropy(p):
    """Minimum over all vertices of the joints with p's pairwise marginals.

    Brute force: a vertex has as many zeros as the polytope has dimensions.
    """
    matrix = sums(p.shape)
    _, singular, right = np.linalg.svd(matrix)
    null = right[np.sum(singular > 1e-9) :].T
    start = p.ravel()
    each = itertools.combinations(range(p.size), null.shape[1])
    zeros = np.array(list(each))
    zeros = zeros[np.abs(np.linalg.det(null[zeros])) >= 1e-9]
    solved = np.linalg.solve(null[zeros], start[zeros][..., None])[..., 0]
    r = start - solved @ null.T
    r = np.maximum(r[r.min(1) > -1e-12], 0)
    return entropy(r.reshape(-1, *p.shape)).min()
