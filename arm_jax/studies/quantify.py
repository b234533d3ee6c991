"""The interactions of a data set's modalities, with error bars, in a folder.

It holds config.json, record.jsonl, results.json, report.md and report.html, one
file that needs no network. It is made when the data have been checked. Until
there are results, parts of the resamples are lines of parts.jsonl: several
processes share them out, and who is interrupted goes on behind the last. With
results, the same call makes the reports anew.
"""

import base64
import dataclasses
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax import data, lock, processes, record, tasks
from arm_jax.analysis import beside
from arm_jax.config import SourceConfig, from_mapping
from arm_jax.data import Dataset, Split, packed
from arm_jax.data import outputs as outputs_lib
from arm_jax.data.outputs import Outputs
from arm_jax.errors import InputError
from arm_jax.reports import quantify as quantify_report
from arm_jax.reports import quantify_html
from arm_jax.studies import lines
from arm_jax.workdir import open_workdir, read_results, to_json, write_results
from bounds import inputs as checks
from bounds.estimation import classifiers
from bounds.estimation.frames import class_codes, of_frame
from bounds.estimation.options import StudyOptions
from bounds.estimation.rows import Rows, divide
from bounds.estimation.study import study


@dataclasses.dataclass(frozen=True)
class OutputsConfig:
    """What a model predicts from subsets of the modalities."""

    # File, see arm_jax.data.outputs; empty for none.
    path: str = ""
    # What its arrays hold, one of arm_jax.data.outputs.KINDS.
    kind: str = "auto"


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantifyConfig(StudyOptions):
    """One report: a data set, and how its interactions are found."""

    data: SourceConfig
    # Modalities to take, all if empty.
    modalities: tuple[str, ...] = ()
    # Group of samples that are not independent; empty for the data's own if
    # they have one, and for none if they have more.
    units: str = ""
    # A model to be put beside the data.
    outputs: OutputsConfig = OutputsConfig()


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
        theirs = _outputs(checked.outputs, rows)
        digest = _digest(dataset.digest, theirs)
        if processes.tell(leads and (folder / "results.json").exists()):
            open_workdir(folder, config)
            results = processes.tell(leads and _read_back(folder, digest))
        else:
            parts = _Parts(folder, config, allow, digest)
            found = study(
                rows, checked, progress=progress and leads, share=parts.share
            )
            found |= {"units": _group(dataset, checked.units) or None}
            results = to_json(
                found | _beside(theirs, found, checked.outputs.path)
            )
            _keep(folder, results, digest)
            if leads:
                parts.log.path.unlink(missing_ok=True)
        if leads:
            _report(folder, results)
        return results


def quantify_arrays(
    inputs: Mapping[str, Any],
    labels: Any,
    workdir: str | Path,
    *,
    frame: Any = None,
    groups: Any = None,
    weights: Any = None,
    outputs: Mapping[str, Any] | None = None,
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
      outputs: What a model predicts from subsets of the modalities, to be put
        beside the data: arrays, as of `arm_jax.data.outputs.of_arrays`.
      name: What the data are called.
      progress: Whether to show progress bars.
      **options: Of `bounds.estimation.options.StudyOptions`; five folds, and
        symbols where they are needed, by default.

    Returns:
      The results, as in results.json.

    Raises:
      InputError: Wrong arrays, columns, options or outputs; a workdir in use,
        or of other data.
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
    theirs = None
    if outputs is not None:
        with packed.about("outputs"):
            theirs = _matched(outputs_lib.of_arrays(outputs), rows)
    digest = _digest(sha.hexdigest()[:12], theirs)
    with lock.hold(workdir) as folder:
        open_workdir(folder, to_json(dataclasses.asdict(checked)))
        if (folder / "results.json").exists():
            results = _read_back(folder, digest)
        else:
            found = study(rows, checked, progress=progress)
            found |= {"units": None if units is None else "groups"}
            results = to_json(found | _beside(theirs, found, "outputs"))
            _keep(folder, results, digest)
        _report(folder, results)
        return results


def _outputs(config: OutputsConfig, rows: Rows) -> Outputs | None:
    if not config.path:
        return None
    found = outputs_lib.read(config.path, kind=config.kind)
    with packed.about(f"config outputs.path {config.path}"):
        return _matched(found, rows)


def _matched(found: Outputs, rows: Rows) -> Outputs:
    return beside.matched(
        found, list(rows.inputs), len(rows.classes), rows.dataset
    )


def _beside(
    theirs: Outputs | None, found: Mapping[str, Any], file: str
) -> dict[str, Any]:
    """The part of the results that is about a model."""
    if theirs is None:
        return {}
    model = beside.beside(theirs, found["pairs"])
    return {"model": model | {"file": file}}


def _digest(data_digest: str, theirs: Outputs | None) -> str:
    """What tells the data, and a model's outputs, from others."""
    if theirs is None:
        return data_digest
    sha = hashlib.sha256(data_digest.encode())
    for subset in sorted(theirs.log_probs, key=sorted):
        sha.update(repr(sorted(subset)).encode())
        sha.update(theirs.log_probs[subset].tobytes())
    sha.update(theirs.label.tobytes())
    sha.update(theirs.log_prior.tobytes())
    return sha.hexdigest()[:12]


def _keep(folder: Path, results: Mapping[str, Any], digest: str) -> None:
    """Before anything is made of them: they took the time."""
    write_results(folder / "results.json", results)
    record.append(folder, "finish", record.current(digest))


def _read_back(folder: Path, digest: str) -> dict[str, Any]:
    made_with = record.current(digest)
    record.check(folder, made_with, record.ALLOWED)
    record.warn(folder, made_with)
    return read_results(folder / "results.json")


def _report(folder: Path, results: Mapping[str, Any]) -> None:
    for name, make in (
        ("report.md", quantify_report.markdown),
        ("report.html", quantify_html.html),
    ):
        (folder / name).write_text(make(results), encoding="utf-8")


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


def prepare(config: QuantifyConfig) -> tuple[Dataset, Rows]:
    """Loads the data of a report and checks all that can be checked of them.

    Raises:
      InputError: What a classifier, a table or an estimate could not be made
        of, in the modalities, the labels or their division.
    """
    dataset = data.load(config.data.name, config.data.options)
    tasks.need_classes(dataset, "what `quantify` measures")
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
        units=_units(splits, _group(dataset, config.units)),
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


def _group(dataset: Dataset, given: str) -> str:
    """The name of the group of samples that are not independent, or ""."""
    names = tuple(dataset.splits["train"].groups)
    if given and given not in names:
        raise InputError(
            f"{dataset.name} has no group '{given}'; it has: "
            + (", ".join(names) or "none")
        )
    return given or (names[0] if len(names) == 1 else "")


def _units(splits: Sequence[Split], key: str) -> np.ndarray | None:
    return np.concatenate([s.groups[key] for s in splits]) if key else None
