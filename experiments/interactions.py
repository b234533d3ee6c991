"""Interaction numbers of each pair of modalities with the label."""

import itertools
from typing import Any

import bounds
from arm_jax.data import Dataset
from bounds import discretize, samples

CLUSTERS = 20


def of_split(
    dataset: Dataset, split_name: str, *, clusters: int = CLUSTERS
) -> dict[str, dict[str, Any]]:
    """PID (bits) of every pair of modalities on one split.

    Each modality is discretised by k-means on its features as the data set
    gives them (standardised by channel); the joint table is the plug-in one,
    so that the sum of the four is biased upwards.

    Args:
      dataset: the data.
      split_name: the split whose examples are counted.
      clusters: symbols a modality; no more than a tenth of the examples.

    Returns:
      "first + second" to R, U1, U2, S and their certified numerical error.
    """
    split = dataset.splits[split_name]
    clusters = max(2, min(clusters, len(split) // 10))
    symbols = {
        name: discretize.fit_kmeans(split.inputs[name], clusters)(
            split.inputs[name]
        )
        for name in dataset.shapes
    }
    shape = (clusters, clusters, len(dataset.class_names))
    found = {}
    for first, second in itertools.combinations(symbols, 2):
        table = samples.count(
            [symbols[first], symbols[second], split.label], shape
        )
        pid = bounds.pid(table.counts, normalize=True)
        found[f"{first} + {second}"] = {
            "redundancy": float(pid.redundancy),
            "unique1": float(pid.unique1),
            "unique2": float(pid.unique2),
            "synergy": float(pid.synergy),
            "gap": float(pid.gap),
            "clusters": clusters,
            "samples": len(split),
        }
    return found
