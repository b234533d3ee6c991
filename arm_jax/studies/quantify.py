"""The interactions of a data set's modalities, with error bars, in a folder.

It holds config.json, record.jsonl, results.json, report.md and report.html, one
file that needs no network. It is made when the data have been checked;
results.json is the first to hold a result, and the same call again makes the
reports from it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax import data, lock, processes, record
from arm_jax.config import SourceConfig, from_mapping
from arm_jax.data import Dataset, Split
from arm_jax.errors import InputError
from arm_jax.reports import quantify as quantify_report
from arm_jax.reports import quantify_html
from arm_jax.workdir import open_workdir, read_json, to_json, write_json
from bounds.estimation import classifiers
from bounds.estimation.options import StudyOptions
from bounds.estimation.rows import Rows, divide
from bounds.estimation.study import study


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantifyConfig(StudyOptions):
    """One report: a data set, and how its interactions are found."""

    data: SourceConfig
    # Modalities to take, all if empty.
    modalities: tuple[str, ...] = ()
    # Group of samples that are not independent; empty if all are.
    units: str = ""


def quantify(
    config: Mapping[str, Any], workdir: str | Path, *, progress: bool = True
) -> dict[str, Any]:
    """Writes the report of one data set into `workdir`.

    Results that are there already are not computed again, if they are of the
    same data; the reports are made of them anew.

    Args:
      config: Mapping for `QuantifyConfig`.
      workdir: Folder of the report, held by a lock meanwhile.
      progress: Whether to show progress bars.

    Returns:
      The results, as in results.json.

    Raises:
      InputError: Wrong configuration, data or workdir; a workdir in use; or
        results of other data.
    """
    checked = from_mapping(QuantifyConfig, config)
    if not processes.alone():
        raise InputError(
            "quantify runs in one process: start it without --processes, or "
            "with --processes=1 under a launcher"
        )
    with lock.hold(workdir) as folder:
        dataset, rows = prepare(checked)
        open_workdir(folder, config)
        made_with = record.current(dataset.digest)
        if (folder / "results.json").exists():
            record.check(folder, made_with, record.ALLOWED)
            record.warn(folder, made_with)
            results = read_json(folder / "results.json")
        else:
            results = to_json(
                study(rows, checked, progress=progress)
                | {"units": checked.units or None}
            )
            # Before anything is made of them: they took the time.
            write_json(folder / "results.json", results)
            record.append(folder, "finish", made_with)
        for name, make in (
            ("report.md", quantify_report.markdown),
            ("report.html", quantify_html.html),
        ):
            (folder / name).write_text(make(results), encoding="utf-8")
        return results


def prepare(config: QuantifyConfig) -> tuple[Dataset, Rows]:
    """Loads the data of a report and checks all that can be checked of them.

    Raises:
      InputError: What a classifier, a table or an estimate could not be made
        of, in the modalities, the labels or their division.
    """
    dataset = data.load(config.data.name, config.data.options)
    names = config.modalities or dataset.modalities
    for modality in (*names, *config.models.series):
        if modality not in dataset.modalities:
            raise InputError(
                f"{dataset.name} has no modality '{modality}'; it has: "
                + ", ".join(dataset.modalities)
            )
    if len(set(names)) < max(2, len(names)):
        raise InputError(
            f"{dataset.name}: two modalities or more are needed, each once, "
            f"got {', '.join(names)}"
        )
    splits = list(dataset.splits.values())
    if any(split.present is not None for split in splits):
        raise InputError(
            f"{dataset.name}: rows lack modalities, and interactions are of "
            "rows that have all: keep these only"
        )
    count = len(dataset.splits["train"])
    label = np.concatenate([s.label for s in splits])
    rows = divide(
        {name: _features(dataset, splits, name, config) for name in names},
        label,
        config,
        training=np.arange(len(label)) < count,
        units=_units(dataset.name, splits, config.units),
        weights=None
        if splits[0].weights is None
        else np.concatenate([s.weights for s in splits]),
        classes=dataset.class_names,
        name=dataset.name,
    )
    return dataset, rows


def _features(
    dataset: Dataset, splits: Sequence[Split], name: str, config: QuantifyConfig
) -> np.ndarray:
    x = np.concatenate([s.arrays(name) for s in splits])
    if name in config.models.series:
        if x.ndim != 3:
            raise InputError(
                f"{dataset.name}: '{name}' is no series, its samples have "
                f"shape {x.shape[1:]}"
            )
        x = classifiers.summary(x)
    return classifiers.flat(x)


def _units(name: str, splits: Sequence[Split], key: str) -> np.ndarray | None:
    if not key:
        return None
    if key not in splits[0].groups:
        raise InputError(
            f"{name} has no group '{key}'; it has: "
            + (", ".join(splits[0].groups) or "none")
        )
    return np.concatenate([s.groups[key] for s in splits])
