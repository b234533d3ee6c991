"""Diagnosing and re-learning: encoders that memorise start over, in part.

Wei, Li, Feng and Hu, Diagnosing and Re-learning for Balanced Multimodal
Learning, ECCV 2024. Every `every` epochs, `times` times, each modality is
diagnosed: its features on the training and on the validation split are each
scaled to [0, 1] and clustered by k-means into as many clusters as there are
classes. With P the purity, the share of examples whose class is the commonest
of their cluster, and theta_m(0) the encoder's parameters before the first step,

    w_m     = tanh(strength * |P_train - P_validation|)
    theta_m <- w_m * theta_m(0) + (1 - w_m) * theta_m.

A modality that separates the training split much better than others it has not
learned from is re-initialised most; one that has learned little either way
keeps what it has. The loss is that of joint training.

Departures: the optimiser's moments of an encoder start anew with it; in the
released code, as under `keep_moments`, they stay, and with them the direction
that was left. What an encoder keeps, such as the statistics of batch
normalisation, stays. Validation labels take part in the diagnosis, as in the
paper: accuracy on that split is no longer that of unseen data.
"""

import dataclasses
import logging
import warnings
from typing import Any

import jax
import numpy as np
from scipy.cluster.vq import kmeans2

from arm_jax.methods import (
    Batch,
    Copies,
    Epoch,
    Forward,
    Loss,
    Method,
    joint,
    terms,
)

_log = logging.getLogger(__name__)

# Of k-means: starts, the best of which counts, and iterations of each.
_STARTS, _ITERATIONS = 5, 30
TUNED = {"strength": (3.0, 1.0, 10.0), "learning_rate": (1.0, 3.0)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Relearning(Method):
    """Joint training, and encoders that are re-initialised in part.

    Attributes:
      every: Epochs between two diagnoses, and before the first.
      times: Number of diagnoses.
      strength: Strength of the re-initialisation, lambda in the paper.
      keep_moments: Keep the optimiser's moments of re-initialised encoders.
    """

    every: int = 20
    times: int = 3
    strength: float = 3.0
    keep_moments: bool = False

    def check(self) -> None:
        """Raises InputError for a number below 1 or a negative strength."""
        terms.check_counts("relearning", every=self.every, times=self.times)
        terms.check_weights("relearning", strength=self.strength)

    def loss(self, forward: Forward, batch: Batch) -> Loss:
        """That of joint training."""
        return joint.loss(forward, batch)

    def starts(self) -> int:
        """The epoch before which the first diagnosis is."""
        return self.every

    def begin_epoch(self, epoch: Epoch) -> Copies | None:
        """Diagnoses and re-initialises, if it is time."""
        if epoch.number % self.every or epoch.number > self.every * self.times:
            return None
        seed = int(epoch.rng.integers(2**31))
        purities = [
            {
                name: purity(features, survey.label, epoch.num_classes, seed)
                for name, features in survey.features.items()
            }
            for survey in (epoch.survey("train"), epoch.survey("validation"))
        ]
        params, first = epoch.variables.params, epoch.initial.params
        encoders = dict(params["encoders"])
        for name in epoch.modalities:
            gap = abs(purities[0][name] - purities[1][name])
            weight = float(np.tanh(self.strength * gap))
            encoders[name] = towards(
                first["encoders"][name], encoders[name], weight
            )
            _log.info(
                "epoch %d: %s has purity %.3f on training, %.3f on validation; "
                "re-initialised by %.3f",
                epoch.number,
                name,
                purities[0][name],
                purities[1][name],
                weight,
            )
        epoch.replace(
            params={**params, "encoders": encoders},
            keep_moments=self.keep_moments,
        )
        return None


def towards(first: Any, now: Any, weight: float) -> Any:
    """Returns `weight * first + (1 - weight) * now`, pytrees like `now`."""

    def mean(a: Any, b: Any) -> np.ndarray:
        a, b = np.asarray(a), np.asarray(b)
        return (weight * a + (1 - weight) * b).astype(b.dtype)

    return jax.tree.map(mean, first, now)


def purity(
    features: np.ndarray, label: np.ndarray, clusters: int, seed: int
) -> float:
    """Returns the share of examples whose class is the commonest of a cluster.

    Args:
      features: `[n, width]`; scaled here.
      label: `[n]`.
      clusters: Number of clusters, at most n of which are made.
      seed: Seed of the starts of k-means.
    """
    cluster = _clusters(
        _scaled(features),
        min(clusters, len(label)),
        np.random.default_rng(seed),
    )
    counts = np.zeros((cluster.max() + 1, label.max() + 1))
    np.add.at(counts, (cluster, label), 1)
    return float(counts.max(axis=1).sum() / len(label))


def _scaled(x: np.ndarray) -> np.ndarray:
    """Each column from its smallest to its largest value, on [0, 1]."""
    x = np.asarray(x, np.float64)
    low, high = x.min(axis=0), x.max(axis=0)
    return (x - low) / np.where(high > low, high - low, 1)


def _clusters(
    x: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Cluster of each row `[n]`; SciPy's k-means, which has one thread.

    Sums over several threads would have another order on each day, and resumed
    runs would differ from those that nothing interrupted.
    """
    best, least = np.zeros(len(x), int), np.inf
    for _ in range(_STARTS):
        start = x[rng.choice(len(x), count, replace=False)]
        with warnings.catch_warnings():
            # Fewer clusters will do where features are few.
            warnings.filterwarnings("ignore", message="One of the clusters")
            centers, cluster = kmeans2(
                x, start, iter=_ITERATIONS, minit="matrix"
            )
        inertia = ((x - centers[cluster]) ** 2).sum()
        if inertia < least:
            best, least = cluster, inertia
    return best
