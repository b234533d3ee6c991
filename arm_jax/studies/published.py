"""The published table of real modalities, looked at again.

The workdir holds config.json, record.jsonl and results.json:

  rows         what follows from the published numbers alone
  null         the same statistic where the label is independent of the clusters
  constant     how often the released lower bound is none, on random tables
  bounds       our upper bounds on tables of that kind, beside the trivial one
  selection    the companion's selection of models, and one at random
  companion    its synthetic sets: published, by the same recipe, and exact
"""

import dataclasses
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from tqdm import tqdm

import bounds
from arm_jax import data, lock, record
from arm_jax.analysis import published as numbers
from arm_jax.config import from_mapping
from arm_jax.workdir import open_workdir, read_results, to_json, write_results
from bounds import companion, inputs
from bounds.estimation import estimators
from bounds.estimation.samples import count

# As the released code has it: of the real sets, and of the synthetic ones.
_COMPONENTS, _SYNTHETIC_COMPONENTS = 5, 2
_SYNTHETIC_SAMPLES = 1800
_QUANTITIES = ("redundancy", "unique1", "unique2", "synergy")


@dataclasses.dataclass(frozen=True)
class PublishedConfig:
    """One re-analysis."""

    # Tables of an independent label per data set and kind of clusters.
    draws: int = 200
    # Random 2x2x2 tables on which the constants of S_U are tried.
    tables: int = 20_000
    # Data sets of ours that tables like the published ones are made of; none
    # leaves them out.
    datasets: tuple[str, ...] = ("mosi", "mfeat")
    # Samples of such a table at most.
    samples: int = 700
    # Of branch and bound, for each table.
    seconds: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        for name, least in (("draws", 2), ("tables", 1), ("samples", 2)):
            inputs.integer(f"config.{name}", getattr(self, name), least)
        inputs.real("config.seconds", self.seconds, above=0)
        inputs.seed("config.seed", self.seed)
        for name in self.datasets:
            inputs.choice("config.datasets", name, ("mosi", "mfeat"))


def published(
    config: Mapping[str, Any], workdir: str | Path, *, progress: bool = True
) -> dict[str, Any]:
    """Makes the numbers of docs/published.md, if they are not there.

    Args:
      config: Mapping for `PublishedConfig`.
      workdir: Folder of the study, held by a lock meanwhile.
      progress: Whether to show a progress bar.

    Returns:
      The results, as in results.json.

    Raises:
      InputError: Wrong configuration or workdir; a data set whose file is not
        there.
    """
    checked = from_mapping(PublishedConfig, config)
    with lock.hold(workdir) as folder:
        open_workdir(folder, config)
        file = folder / "results.json"
        if not file.exists():
            made_with = record.current()
            parts = {
                "rows": rows,
                "null": null,
                "constant": constant,
                "bounds": upper_bounds,
                "selection": selection,
                "companion": synthetic_sets,
            }
            results = {}
            bar = tqdm(parts.items(), disable=not progress)
            for name, part in bar:
                bar.set_description(name)
                results[name] = part(checked)
            write_results(file, to_json(results))
            record.append(folder, "finish", made_with)
        return read_results(file)


def rows(config: PublishedConfig) -> list[dict[str, Any]]:
    """What follows from each published row."""
    del config
    found = []
    for row in numbers.ROWS:
        total = row.t_min + row.upper
        split = numbers.COUNTED[row.data]
        found.append(
            row._asdict()
            | {
                "t_min_and_upper": total,
                "label_entropy": _nearest_entropy(total, split),
                "valid_paper": row.valid_paper,
                "valid_disagreement": row.valid_disagreement,
            }
        )
    return found


def _nearest_entropy(value: float, split: numbers.Counted) -> float | None:
    """The nearest entropy that two classes in so many samples can have."""
    if split.classes != 2:
        return None
    p = np.arange(1, split.size) / split.size
    entropies = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    return float(entropies[np.abs(entropies - value).argmin()])


def null(config: PublishedConfig) -> list[dict[str, Any]]:
    """S + min(U1, U2) of clusters that know nothing of the label.

    That is I(X1,X2;Y) - max(I(X1;Y), I(X2;Y)), which needs no solver. Clusters
    are of equal or of random size (uniform on the simplex).
    """
    found = []
    for name, split in numbers.COUNTED.items():
        rng = np.random.default_rng((config.seed, split.size))
        label = np.array(numbers.label_of(name))
        one: dict[str, Any] = {"data": name, **split._asdict()}
        for kind in ("even", "skewed"):
            values = []
            for _ in range(config.draws):
                even = np.full(numbers.CLUSTERS, 1 / numbers.CLUSTERS)
                sides = [
                    even
                    if kind == "even"
                    else rng.dirichlet(np.ones(len(even)))
                    for _ in range(2)
                ]
                p = np.einsum("i,j,k->ijk", *sides, label)
                table = rng.multinomial(split.size, p.ravel()).reshape(p.shape)
                values.append(excess(table))
            one[kind] = {
                "mean": np.mean(values),
                "interval": np.quantile(values, [0.025, 0.975]),
            }
        one["rows"] = [
            {
                "pair": row.pair,
                "excess": row.excess,
                **{
                    kind: row.excess > one[kind]["interval"][1]
                    for kind in ("even", "skewed")
                },
            }
            for row in numbers.ROWS
            if row.data == name
        ]
        found.append(one)
    return found


def excess(table: np.ndarray) -> float:
    """I(X1,X2;Y) - max(I(X1;Y), I(X2;Y)) of counts `[x1, x2, y]`, bits."""
    both = estimators.plug_in(table.reshape(-1, table.shape[-1]))
    one, two = (
        estimators.plug_in(table.sum(1)),
        estimators.plug_in(table.sum(0)),
    )
    return float(both - max(one, two))


def constant(config: PublishedConfig) -> dict[str, Any]:
    """How often c alpha - max(U1, U2) is above S, on random 2x2x2 tables."""
    rng = np.random.default_rng(config.seed)
    p = rng.dirichlet(np.ones(8), config.tables).reshape(-1, 2, 2, 2)
    pid = bounds.pid(p)
    p1y, p2y = p.sum(2), p.sum(1)
    first = p1y / p1y.sum(-1, keepdims=True)
    second = p2y / p2y.sum(-1, keepdims=True)
    distance = ((first[:, :, None] - second[:, None]) ** 2).sum(-1)
    alpha = (p.sum(-1) * distance).sum((1, 2))
    most = np.maximum(pid.unique1, pid.unique2)
    out: dict[str, Any] = {"tables": config.tables}
    for name, c in (("released", 1.0), ("paper", 0.25)):
        over = c * alpha - most - pid.synergy
        out[name] = {
            "constant": c,
            "violated": np.mean(over > 1e-6),
            "worst": over.max(),
        }
    return out


def upper_bounds(config: PublishedConfig) -> list[dict[str, Any]]:
    """Our upper bounds on S of 20 x 20 clusters beside H(Y) - T_min."""
    found = []
    for name in config.datasets:
        for pair, table in _tables(name, config):
            p = table / table.sum()
            start = time.perf_counter()
            interval = bounds.synergy_interval(
                p.sum(2), p.sum(1), p.sum(0),
                effort="exact", seconds=config.seconds,
            )  # fmt: skip
            seconds = time.perf_counter() - start
            pid = bounds.pid(p)
            label = p.sum((0, 1))
            entropy = float(-np.sum(label * np.log2(label)))
            found.append(
                {
                    "data": name,
                    "pair": pair,
                    "samples": int(table.sum()),
                    "shape": table.shape,
                    "trivial": entropy - float(pid.t_min),
                    "bounds": interval.by_bound["upper"],
                    "upper": interval.upper,
                    "lower": interval.lower,
                    "achieved": interval.achieved,
                    "synergy": pid.synergy,
                    "t_min": pid.t_min,
                    "label_entropy": entropy,
                    "conditional_entropy": _least_entropy(p, entropy),
                    "seconds": seconds,
                }
            )
    return found


def _least_entropy(p: np.ndarray, label_entropy: float) -> float:
    """H(Y|X1,X2), which the trivial bound takes to be 0."""
    flat = p.reshape(-1, p.shape[-1])
    return label_entropy - float(estimators.plug_in(flat))


def _tables(name: str, config: PublishedConfig) -> list[tuple[str, np.ndarray]]:
    """Counts of 20 x 20 clusters and two classes, of every pair.

    mosi: the 752 utterances of the part that leaks no labels. mfeat: whether a
    numeral is odd, by its three weakest descriptors.
    """
    dataset = data.load(name, {})
    splits = list(dataset.splits.values())
    label = np.concatenate([split.label for split in splits])
    chosen = dataset.modalities if name == "mosi" else ("fou", "mor", "zer")
    label = label if name == "mosi" else label % 2
    rng = np.random.default_rng(config.seed)
    rows = rng.permutation(len(label))[: config.samples]
    clusters = {
        key: _clusters(
            _of_unit_length(
                np.concatenate([split.arrays(key) for split in splits])[rows]
            ),
            _COMPONENTS,
            config.seed,
        )
        for key in chosen
    }
    size = numbers.CLUSTERS
    return [
        (
            f"{a} + {b}",
            count(
                [clusters[a], clusters[b], label[rows]], (size, size, 2)
            ).counts,
        )
        for a, b in itertools.combinations(chosen, 2)
    ]


def _of_unit_length(x: np.ndarray) -> np.ndarray:
    flat = x.reshape(len(x), -1).astype(np.float64)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.where(length > 0, length, 1)


def _clusters(x: np.ndarray, components: int, seed: int) -> np.ndarray:
    """The released recipe: k-means on principal components."""
    low = PCA(min(components, *x.shape), random_state=seed)
    model = KMeans(numbers.CLUSTERS, n_init=4, random_state=seed)
    return model.fit_predict(low.fit_transform(x))


def synthetic_sets(config: PublishedConfig) -> list[dict[str, Any]]:
    """The companion's sets: its numbers, ours by its recipe, and the truth.

    Bits. The recipe is the plug-in value on 20 x 20 clusters of two components
    of 1,800 samples; sets whose ratios were not kept have published numbers
    alone.
    """
    size, found, tables = numbers.CLUSTERS, [], []
    for name in companion.NAMES:
        problem = companion.companion(name)
        drawn = problem.sample(_SYNTHETIC_SAMPLES, config.seed)
        symbols = [
            _clusters(x, _SYNTHETIC_COMPONENTS, config.seed)
            for x in (drawn.x1, drawn.x2)
        ]
        tables.append(count([*symbols, drawn.labels], (size, size, 2)).counts)
        found.append(problem.truth)
    plug_in = bounds.pid(np.stack(tables), normalize=True, tol=1e-6)
    out = []
    for i, (name, nats) in enumerate(companion.PUBLISHED.items()):
        one: dict[str, Any] = {
            "data": name,
            "published": np.array(nats) / math.log(2),
        }
        if i < len(found):
            one["recipe"] = [getattr(plug_in, q)[i] for q in _QUANTITIES]
            one["exact"] = [getattr(found[i], q) for q in _QUANTITIES]
            one["total"] = found[i].total
        out.append(one)
    return out


def selection(config: PublishedConfig) -> list[dict[str, Any]]:
    """The published selection of three models beside three at random."""
    del config
    return [
        {
            "data": one.data,
            "models": len(one.accuracies),
            "published": one.selected,
            **at_random(one.accuracies, one.selected),
        }
        for one in numbers.SELECTIONS
    ]


def at_random(
    accuracies: Sequence[float], published: float, number: int = 3
) -> dict[str, float]:
    """What the best of some models drawn at random reaches, in % of the best.

    Args:
      accuracies: of all models.
      published: what is to be beaten, in % of the best model's.
      number: of models that are drawn.

    Returns:
      `mean` over all draws, and the share of them that is `as_good`.
    """
    best = max(accuracies)
    reached = [
        100 * max(some) / best
        for some in itertools.combinations(accuracies, number)
    ]
    # Published with two decimals, of accuracies with two.
    good = [x >= published - 0.02 for x in reached]
    return {
        "mean": math.fsum(reached) / len(reached),
        "as_good": sum(good) / len(good),
    }
