"""Small problems of the papers on interactions, solved exactly.

    python -m docs.checks.paper_examples [FOLDER]   (runs/paper_examples)
    python -m docs.tables --collect=runs

Gates of two coins; the tables of the ICLR paper's notebook whose modalities
disagree; its exclusive or of three bits each, some of them dropped; and the
NeurIPS paper's mixture of two normal laws, in Cartesian and in polar
coordinates. Takes half a minute.
"""

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

import bounds
from arm_jax.workdir import write_json

# bounds/bounds_synthetic.ipynb of pliang279/PID, p[x1, x2, y].
DISAGREEING = (
    (0.23148881, 0.00941881, 0.07064852, 0.00650789,
     0.01758162, 0.42417211, 0.22418906, 0.01599317),
    (0.00941881, 0.23148881, 0.07064852, 0.00650789,
     0.42417211, 0.01758162, 0.01599317, 0.22418906),
    (0.0, 0.25, 0.15, 0.1, 0.25, 0.0, 0.1, 0.15),
)  # fmt: skip
ANGLES = (0, 15, 30, 45)
# Distance of the two means from 0, in deviations.
RADIUS = 1.0
_BINS, _FINE = 48, 4


def gates() -> dict[str, list[float]]:
    """R, U1, U2 and S of AND, OR and XOR, in bits."""
    table = np.zeros((3, 2, 2, 2))
    for a, b in itertools.product((0, 1), repeat=2):
        for p, y in zip(table, (a & b, a | b, a ^ b), strict=True):
            p[a, b, y] = 0.25
    found = np.stack(bounds.pid(table)[:4], axis=1)
    return dict(zip(("AND", "OR", "XOR"), found.tolist(), strict=True))


def dropped_bits() -> np.ndarray:
    """The law of x1, x2 (three bits each) and their parity, `[8, 8, 2]`.

    The third bits are equal, the others independent coins. When the label has
    been made, the first bit of x2 is kept with probability 0.3 and its third
    with 0.5, and is 0 otherwise.
    """
    p = np.zeros((8, 8, 2))
    for a, b, c, d, e in itertools.product((0, 1), repeat=5):
        y = (a + b + d + e + 2 * c) % 2
        for kept1, kept3 in itertools.product((0, 1), repeat=2):
            mass = (0.3 if kept1 else 0.7) * 0.5 / 32
            x1 = a + 2 * b + 4 * c
            x2 = d * kept1 + 2 * e + 4 * c * kept3
            p[x1, x2, y] += mass
    return p


def cartesian(angle: float) -> np.ndarray:
    """Normal laws of two classes around +-m, coordinates cut into bins.

    Masses of bins are exact; what bins lose of the information is not counted.
    """
    mean = RADIUS * np.array([np.cos(angle), np.sin(angle)])
    edges = np.linspace(-5, 5, _BINS - 1)
    edges = np.concatenate([[-np.inf], edges, [np.inf]])
    classes = []
    for sign in (-1, 1):
        one, two = (np.diff(norm.cdf(edges, loc=sign * m)) for m in mean)
        classes.append(np.outer(one, two) / 2)
    return np.stack(classes, axis=-1)


def polar(angle: float) -> np.ndarray:
    """The same, by the distance from 0 and the direction."""
    mean = RADIUS * np.array([np.cos(angle), np.sin(angle)])
    count = _BINS * _FINE
    r = (np.arange(count) + 0.5) * 6 / count
    theta = (np.arange(count) + 0.5) * 2 * np.pi / count
    x = r[:, None, None] * np.stack([np.cos(theta), np.sin(theta)], axis=-1)
    density = np.stack(
        [
            norm.pdf(x - sign * mean).prod(axis=-1) * r[:, None]
            for sign in (-1, 1)
        ],
        axis=-1,
    )
    density = density.reshape(_BINS, _FINE, _BINS, _FINE, 2).sum((1, 3))
    return density / density.sum()


def solve() -> dict[str, Any]:
    """All of it: R, U1, U2, S, and for what has one the interval of S."""

    def both(p: np.ndarray) -> dict[str, list[float]]:
        ends = bounds.synergy_interval(p.sum(-1), p.sum(-2), p.sum(-3))
        return {
            "value": [float(x) for x in bounds.pid(p)[:4]],
            "interval": [float(ends.lower), float(ends.upper)],
        }

    mixtures = {}
    for name, law in (("Cartesian", cartesian), ("polar", polar)):
        tables = np.stack([law(np.deg2rad(a)) for a in ANGLES])
        found = np.stack(bounds.pid(tables)[:4], axis=1)
        mixtures[name] = found.tolist()
    return {
        "gates": gates(),
        "disagreeing": [
            both(np.reshape(p, (2, 2, 2)) / np.sum(p)) for p in DISAGREEING
        ],
        "dropped_bits": both(dropped_bits()),
        "angles": ANGLES,
        "radius": RADIUS,
        "mixtures": mixtures,
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/paper_examples")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "results.json", solve())
    print("results:", folder / "results.json")
