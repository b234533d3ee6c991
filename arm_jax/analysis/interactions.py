"""Interaction numbers of each pair of modalities with the label."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

import bounds
from arm_jax.data import Dataset
from arm_jax.errors import InputError
from bounds.estimation import discretize, samples

CLUSTERS = 20
TERMS = ("redundancy", "unique1", "unique2", "synergy")


def of_split(
    dataset: Dataset, split_name: str, *, clusters: int = CLUSTERS
) -> dict[str, dict[str, Any]]:
    """PID (bits) of every pair of modalities on one split.

    Each modality is discretised by k-means on its features as the data set
    gives them (standardised by channel); one with no more distinct rows than
    clusters keeps them as its symbols. The joint table is the plug-in one, so
    that the sum of the four is biased upwards.

    Args:
      dataset: The data.
      split_name: The split whose examples are counted.
      clusters: Most symbols per modality; no more than a tenth of the examples.

    Returns:
      "first + second" to R, U1, U2, S, their certified numerical error, the
      most clusters (`clusters`) and those of each modality (`clusters1`,
      `clusters2`); or to a `reason` why the pair has no numbers.
    """
    split = dataset.splits[split_name]
    clusters = max(2, min(clusters, len(split) // 10))
    pairs = list(itertools.combinations(dataset.modalities, 2))
    if len(split) < 2:
        reason = f"{len(split)} {split_name} example is too few to count"
        return {f"{a} + {b}": {"reason": reason} for a, b in pairs}
    if dataset.label_names or dataset.target is not None:
        has = "a number" if dataset.target is not None else "several labels"
        reason = f"examples have {has} and no class"
        return {f"{a} + {b}": {"reason": reason} for a, b in pairs}
    if split.present is not None:
        reason = f"{split_name} examples lack modalities"
        return {f"{a} + {b}": {"reason": reason} for a, b in pairs}
    symbols: dict[str, np.ndarray] = {}
    reasons: dict[str, str] = {}
    for name in dataset.modalities:
        try:
            symbols[name] = _symbols(split.arrays(name), clusters)
        except InputError as error:
            # Some messages name it themselves.
            own = "" if f"'{name}'" in str(error) else f"modality '{name}': "
            reasons[name] = f"{own}{error}"
    # One shape for all pairs, of which one program is compiled.
    shape = (clusters, clusters, len(dataset.class_names))
    interactions: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        missing = [reasons[name] for name in pair if name in reasons]
        if missing:
            interactions[" + ".join(pair)] = {"reason": "; ".join(missing)}
            continue
        first, second = (symbols[name] for name in pair)
        table = samples.count([first, second, split.label], shape)
        pid = bounds.pid(table.counts, normalize=True)
        interactions[" + ".join(pair)] = {
            **{term: float(getattr(pid, term)) for term in TERMS},
            "gap": float(pid.gap),
            "clusters": clusters,
            "clusters1": len(np.unique(first)),
            "clusters2": len(np.unique(second)),
            "samples": len(split),
        }
    return interactions


def computed(
    interactions: Mapping[str, Mapping[str, Any]],
) -> dict[str, Mapping[str, Any]]:
    """Returns the pairs that have numbers."""
    return {
        pair: found
        for pair, found in interactions.items()
        if "reason" not in found
    }


def _symbols(x: np.ndarray, clusters: int) -> np.ndarray:
    """Returns at most `clusters` symbols `[n]` of the rows of `x`."""
    distinct, symbols = np.unique(
        x.reshape(len(x), -1), axis=0, return_inverse=True
    )
    if len(distinct) <= clusters:
        return symbols.ravel()
    return discretize.fit_kmeans(x, clusters)(x)
