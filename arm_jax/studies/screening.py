"""Which pairs of a data set's modalities interact: a screening, in a folder.

The workdir holds config.json, record.jsonl, results.json and map.svg.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax import data, lock, record, tasks
from arm_jax.config import SourceConfig, from_mapping
from arm_jax.errors import InputError
from arm_jax.reports import screening as report
from arm_jax.workdir import open_workdir, read_results, to_json, write_results
from bounds import inputs
from bounds.estimation import classifiers, discovery, discretize
from bounds.estimation.screening import check_quantity, screen


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScreeningConfig:
    """One screening."""

    data: SourceConfig
    # Modalities to take, all if empty.
    modalities: tuple[str, ...] = ()
    # Take every feature of the modalities as a candidate of its own.
    features: bool = False
    quantity: str = "synergy"
    # Symbols of a candidate: quantiles of one number, clusters of several.
    symbols: int = 3
    # Share of false discoveries that is allowed, and how it is controlled.
    level: float = 0.05
    method: str = "by"
    # At most, of each pair; 0 for as many as one discovery needs.
    permutations: int = 0
    # Group of samples that are not independent: one of each is taken. Empty if
    # all are.
    units: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        check_quantity("config.quantity", self.quantity)
        inputs.choice("config.method", self.method, discovery.METHODS)
        inputs.integer("config.symbols", self.symbols, 2)
        inputs.integer("config.permutations", self.permutations, 0)
        inputs.real("config.level", self.level, above=0, below=1)
        inputs.seed("config.seed", self.seed)


def screening(
    config: Mapping[str, Any], workdir: str | Path, *, progress: bool = True
) -> dict[str, Any]:
    """Writes the screening of one data set into `workdir`.

    Args:
      config: Mapping for `ScreeningConfig`.
      workdir: Folder of the screening, held by a lock meanwhile.
      progress: Whether to show a progress bar.

    Returns:
      The results, as in results.json: the fields of
      `bounds.estimation.screening.Screening`, and the data set's name.

    Raises:
      InputError: Wrong configuration, data or workdir; samples with weights.
    """
    checked = from_mapping(ScreeningConfig, config)
    with lock.hold(workdir) as folder:
        dataset = data.load(checked.data.name, checked.data.options)
        symbols, label = _candidates(dataset, checked)
        open_workdir(folder, config)
        made_with = record.current(dataset.digest)
        file = folder / "results.json"
        if file.exists():
            record.check(folder, made_with, record.ALLOWED)
        else:
            found = screen(
                symbols,
                label,
                quantity=checked.quantity,
                level=checked.level,
                method=checked.method,
                permutations=checked.permutations,
                seed=checked.seed,
                progress=progress,
            )
            write_results(
                file,
                to_json(found._asdict() | {"dataset": dataset.name}),
            )
            record.append(folder, "finish", made_with)
        results = read_results(file)
        report.map_figure(results, folder / "map.svg")
        return results


def _candidates(
    dataset: data.Dataset, config: ScreeningConfig
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Symbols of each candidate, of independent samples, and their labels."""
    tasks.need_classes(dataset, "a screening")
    names = config.modalities or dataset.modalities
    splits = list(dataset.splits.values())
    if any(split.weights is not None for split in splits):
        raise InputError(
            f"{dataset.name} has weights, which a permutation would part from "
            "their samples: screen without them (option weights='')"
        )
    for name in names:
        if name not in dataset.modalities:
            raise InputError(
                f"{dataset.name} has no modality '{name}'; it has: "
                + ", ".join(dataset.modalities)
            )
    label = np.concatenate([split.label for split in splits])
    rows = np.arange(len(label))
    if config.units:
        if config.units not in splits[0].groups:
            raise InputError(
                f"{dataset.name} has no group '{config.units}'; it has: "
                + (", ".join(splits[0].groups) or "none")
            )
        units = np.concatenate([s.groups[config.units] for s in splits])
        # A random one of each.
        rng = np.random.default_rng(config.seed)
        order = rng.permutation(len(label))
        rows = np.sort(order[np.unique(units[order], return_index=True)[1]])
    symbols: dict[str, np.ndarray] = {}
    for name in names:
        x = classifiers.flat(
            np.concatenate([split.arrays(name) for split in splits])
        )[rows]
        if not config.features:
            symbols[name] = _symbols(x, config)
            continue
        for i, column in enumerate(x.T):
            symbols[f"{name}[{i}]"] = _symbols(column[:, None], config)
    telling = {k: s for k, s in symbols.items() if s.max() > 0}
    return telling, label[rows]


def _symbols(x: np.ndarray, config: ScreeningConfig) -> np.ndarray:
    """At most so many symbols; one if there is nothing to tell apart."""
    if x.shape[1] > 1:
        fitted = discretize.fit_kmeans(
            x, config.symbols, seed=config.seed, fewer=True
        )
        return fitted(x)
    for number in range(config.symbols, 1, -1):
        try:
            return discretize.fit_quantiles(x, number)(x)
        except InputError:
            continue
    values, code = np.unique(x[:, 0], return_inverse=True)
    return np.minimum(code, 1) if len(values) > 1 else code * 0
