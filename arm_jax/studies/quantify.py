"""The interactions of a data set's modalities, with error bars, in a folder.

It holds config.json, record.jsonl, results.json, report.md and report.html, one
file that needs no network. It is made when the data have been checked;
results.json is the first to hold a result, and the same call again makes the
reports from it.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
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
from bounds import inputs as checks
from bounds.estimation import classifiers
from bounds.estimation.frames import class_codes, of_frame
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
        return _reported(
            folder,
            dataset.digest,
            lambda: (
                study(rows, checked, progress=progress)
                | {"units": checked.units or None}
            ),
        )


def quantify_arrays(
    inputs: Mapping[str, Any],
    labels: Any,
    workdir: str | Path,
    *,
    frame: Any = None,
    groups: Any = None,
    weights: Any = None,
    name: str = "arrays",
    progress: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Writes the report of arrays, or of a data frame, into `workdir`.

    Args:
      inputs: Features `[n, ...]` by name of the modality, two or more; of a
        frame the names of each modality's columns.
      labels: Classes 0 to K-1, or names, `[n]`; of a frame the column's name.
      workdir: Folder of the report, held by a lock meanwhile.
      frame: Of pandas, or what has `columns` and gives one by `frame[name]`.
      groups: Codes or names, `[n]`, equal for samples that are not
        independent; of a frame the column's name. None if all are.
      weights: Of the samples, `[n]`; of a frame the column's name.
      name: What the data are called.
      progress: Whether to show progress bars.
      **options: Of `bounds.estimation.options.StudyOptions`; five folds, and
        symbols where they are needed, by default.

    Returns:
      The results, as in results.json.

    Raises:
      InputError: Wrong arrays, columns or options; a workdir in use, or of
        other data.
    """
    chosen = {"folds": 5, "symbols": {"when": "needed"}} | options
    checked = from_mapping(StudyOptions, chosen)
    others = {"label": labels, "groups": groups, "weights": weights}
    if frame is not None:
        inputs, found = of_frame(frame, inputs, others)
        others |= found
    label, classes = class_codes(others["label"])
    units = others["groups"]
    arrays = {
        key: classifiers.flat(checks.finite(key, x))
        for key, x in sorted(inputs.items())
    }
    if len(arrays) < 2:
        raise InputError(f"inputs must hold two modalities, got {len(arrays)}")
    if units is not None:
        units = checks.codes("groups", units)
    for key, x in arrays.items():
        if len(x) != len(label):
            raise InputError(
                f"{key} has {len(x)} samples, labels has {len(label)}"
            )
    rows = divide(
        arrays, label, checked, units=units, weights=others["weights"],
        classes=classes, name=name,
    )  # fmt: skip
    sha = hashlib.sha256(repr((name, classes, list(arrays))).encode())
    for x in (*arrays.values(), label, units, others["weights"]):
        sha.update(b"" if x is None else np.ascontiguousarray(x).tobytes())
    with lock.hold(workdir) as folder:
        open_workdir(folder, to_json(dataclasses.asdict(checked)))
        return _reported(
            folder,
            sha.hexdigest()[:12],
            lambda: (
                study(rows, checked, progress=progress)
                | {"units": None if units is None else "groups"}
            ),
        )


def _reported(
    folder: Path, digest: str, work: Callable[[], Mapping[str, Any]]
) -> dict[str, Any]:
    """Returns the results, computed if they are not there; makes reports."""
    made_with = record.current(digest)
    if (folder / "results.json").exists():
        record.check(folder, made_with, record.ALLOWED)
        record.warn(folder, made_with)
        results = read_json(folder / "results.json")
    else:
        results = to_json(work())
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
