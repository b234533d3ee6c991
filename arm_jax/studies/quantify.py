"""The interactions of a data set's modalities, with error bars, in a folder.

It holds config.json, record.jsonl, results.json, report.md and report.html, one
file that needs no network. It is made when the data have been checked. Until
there are results, parts of the resamples are lines of parts.jsonl: several
processes share them out, and who is interrupted goes on behind the last. With
results, the same call makes the reports anew.
"""

import base64
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax import data, lock, processes, record
from arm_jax.config import SourceConfig, from_mapping
from arm_jax.data import Dataset, Split
from arm_jax.errors import InputError
from arm_jax.reports import quantify as quantify_report
from arm_jax.reports import quantify_html
from arm_jax.studies import lines
from arm_jax.workdir import open_workdir, read_results, to_json, write_results
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
    config: Mapping[str, Any],
    workdir: str | Path,
    *,
    progress: bool = True,
    allow: Collection[str] = (),
) -> dict[str, Any]:
    """Writes the report of one data set into `workdir`.

    Results that are there already are not computed again, if they are of the
    same data; the reports are made of them anew.

    Args:
      config: Mapping for `QuantifyConfig`.
      workdir: Folder of the report, held by a lock meanwhile.
      progress: Whether to show progress bars.
      allow: What may differ from the beginning of what goes on, see
        `arm_jax.record.ALLOWED`.

    Returns:
      The results, as in results.json.

    Raises:
      InputError: Wrong configuration, data or workdir; a workdir in use, or
        of other data, or begun with something else.
    """
    checked = from_mapping(QuantifyConfig, config)
    leads = processes.leads()
    with lock.hold(workdir) as folder:
        dataset, rows = prepare(checked)
        if processes.tell(leads and (folder / "results.json").exists()):
            open_workdir(folder, config)
            results = processes.tell(leads and _read_back(folder, dataset))
        else:
            parts = _Parts(folder, config, allow, dataset.digest)
            results = to_json(
                study(
                    rows,
                    checked,
                    progress=progress and leads,
                    share=parts.share,
                )
                | {"units": checked.units or None}
            )
            # Before anything is made of them: they took the time.
            write_results(folder / "results.json", results)
            record.append(folder, "finish", record.current(dataset.digest))
            if leads:
                parts.log.path.unlink(missing_ok=True)
        if not leads:
            return results
        for name, make in (
            ("report.md", quantify_report.markdown),
            ("report.html", quantify_html.html),
        ):
            (folder / name).write_text(make(results), encoding="utf-8")
        return results


class _Parts:
    """Parts of resamples by number, as several processes evaluate them."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        allow: Collection[str],
        digest: str,
    ) -> None:
        self.log, lines_ = lines.resume(
            folder, config, "parts.jsonl", allow, digest
        )
        self._there = [line["values"] for line in lines_]
        self._next = 0

    def share(
        self, evaluate: Callable[[int], Mapping[str, np.ndarray]], count: int
    ) -> list[dict[str, np.ndarray]]:
        """Evaluates parts, those that are not there yet; see `bounds.quantify`.

        All processes ask for the same ones in the same order.
        """
        first, self._next = self._next, self._next + count
        missing = range(max(first, len(self._there)), self._next)
        for line in lines.do(
            self.log,
            missing,
            lambda number: {
                "part": number,
                "values": _as_text(evaluate(number - first)),
            },
        ):
            self._there.append(line["values"])
        return [
            {
                name: np.frombuffer(base64.b64decode(x), "<f8")
                for name, x in values.items()
            }
            for values in self._there[first : self._next]
        ]


def _as_text(found: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Bit by bit, and numbers that JSON does not have, too."""
    return {
        name: base64.b64encode(np.asarray(x, "<f8").tobytes()).decode()
        for name, x in found.items()
    }


def _read_back(folder: Path, dataset: Dataset) -> dict[str, Any]:
    made_with = record.current(dataset.digest)
    record.check(folder, made_with, record.ALLOWED)
    record.warn(folder, made_with)
    return read_results(folder / "results.json")


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
