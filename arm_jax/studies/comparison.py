"""A comparison of methods on one data set, with several seeds each.

Every method is one run (all its seeds side by side) in a folder of its own;
finished runs are skipped, an interrupted one is resumed, so that the work can
be stopped and repeated at any time. The workdir gets results.jsonl, table.md
and figures/. The test split is looked at once, at the end of each run.
"""

import dataclasses
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from arm_jax import (
    data,
    lock,
    loop,
    methods,
    processes,
    programs,
    record,
)
from arm_jax.config import NO_NUMBERS, Config, MethodConfig, from_mapping
from arm_jax.data import pipeline
from arm_jax.errors import InputError, check_choice, shortened
from arm_jax.models import weights
from arm_jax.reports import comparison as comparison_report
from arm_jax.reports.comparison_figures import slug
from arm_jax.studies import tuning
from arm_jax.studies.training import fit
from arm_jax.workdir import JsonLines, open_workdir, to_json

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ComparisonConfig:
    """One comparison."""

    # Config of one run, without a method.
    training: Mapping[str, Any]
    # By label: a method's `name` and `options`.
    runs: Mapping[str, MethodConfig]
    # Names of tables, and the labels of their rows, the baseline first.
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    # By name: options of the data set that every method is run with.
    variants: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=lambda: {"all": {}}
    )
    # What the report is on: "test", or "validation" where options are chosen.
    split: str = "test"
    # Whether each method of the first group is tuned, see
    # arm_jax.studies.tuning; the other groups, about options as they are, are
    # left out then.
    tuned: bool = False
    # Whether rows are sorted by accuracy, behind the baseline.
    in_order: bool = False

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        check_choice("config split", self.split, comparison_report.SPLITS)
        if self.tuned and not self.groups:
            raise InputError(
                "config tuned: the methods of the first of config groups are "
                "tuned, and there are no groups"
            )
        for name in (*self.runs, *self.variants, *dict(self.groups)):
            # They name folders and figures.
            if name in ("", ".", "..") or set(name) & set("/\\\0"):
                raise InputError(
                    "names of config runs, variants and groups must be names "
                    f"of folders, got '{shortened(name)}'"
                )
        names = [slug(group) for group, _ in self.groups]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    "config groups: the figures of two of them would have the "
                    f"same names, {name}_..."
                )
        for group, labels in self.groups:
            for label in labels:
                if label not in self.runs:
                    raise InputError(
                        f"group '{group}' names the run '{label}'; there are: "
                        + ", ".join(self.runs)
                    )


def plan(config: ComparisonConfig) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns the training config of each run, by label and variant."""
    data = config.training["data"]
    labels = config.groups[0][1] if config.tuned else config.runs
    return {
        label: {
            variant: {
                **config.training,
                "method": {
                    "name": method.name,
                    "options": dict(method.options),
                },
                "data": {**data, "options": {**data["options"], **options}},
            }
            for variant, options in config.variants.items()
        }
        for label, method in config.runs.items()
        if label in labels
    }


def compare(
    config: Mapping[str, Any],
    workdir: str | Path,
    *,
    only: Sequence[str] | None = None,
    progress: bool = True,
    allow: Collection[str] = (),
) -> dict[str, dict[str, Any]] | None:
    """Does the runs that are not done yet, and writes the report.

    Args:
      config: Mapping for `ComparisonConfig`.
      workdir: Folder of the comparison, held by a lock meanwhile.
      only: Labels of the runs to do now; the report is also on the others that
        are done already.
      progress: Whether to show progress bars.
      allow: What may differ between runs that are there and now, see
        `arm_jax.record.ALLOWED`.

    Returns:
      The results of each finished run by label, or None if interrupted.

    Raises:
      InputError: Wrong configuration or data, a workdir in use or of another
        configuration, or runs, finished or not, that were made with something
        else than is there now.
    """
    with lock.hold(workdir) as folder:
        checked = from_mapping(ComparisonConfig, config)
        runs = plan(checked)
        for label in only or ():
            if label not in runs:
                raise InputError(
                    f"--only names '{label}'; there are: {', '.join(runs)}"
                )
        processes.agree({"config": to_json(config), "only": only})
        apart = [f"training.{key}" for key in NO_NUMBERS]
        open_workdir(folder, config, apart)
        with programs.shared():
            return _compare(checked, runs, folder, only, progress, allow)


def _compare(
    config: ComparisonConfig,
    runs: Mapping[str, Mapping[str, Mapping[str, Any]]],
    folder: Path,
    only: Sequence[str] | None,
    progress: bool,
    allow: Collection[str],
) -> dict[str, dict[str, Any]] | None:
    wanted = processes.tell(
        [k for k in runs if k in only or _finished(folder, config, runs, k)]
        if only is not None and processes.leads()
        else list(runs)
    )
    chosen = [(label, variant) for label in wanted for variant in runs[label]]
    digests = _check_runs(folder, config, runs, chosen, allow)
    results: dict[str, dict[str, Any]] = {}
    curves: dict[str, list[Path]] = {}
    choices: dict[str, list[dict[str, Any]]] = {}
    # Folds, and points that differ in the learning rate, have the same.
    pool: dict[str, loop.Steps] = {}
    for number, (label, variant) in enumerate(chosen, start=1):
        if progress:
            where = f"run {number} of {len(chosen)}"
            _log.info("%s: %s (%s)", where, label, variant)
        own = run_folder(folder, label, variant)
        found: dict[str, dict[str, Any]] = {}
        folders: dict[str, Path] = {}
        for point, training, at in _trainings(
            config, runs[label][variant], own
        ):
            if progress and config.tuned:
                _log.info("%s", point)
            one = fit(
                training,
                at,
                progress=progress,
                describe=False,
                # Of the points of a grid nobody reads each.
                report=not config.tuned,
                allow=allow,
                data_digest=digests[variant],
                pool=pool,
            )
            if one is None:
                return None
            found[point], folders[point] = one, at
        first = next(iter(found.values()))
        of_label, files = first["runs"], [own / "metrics.jsonl"]
        if config.tuned:
            # The folders are those of process 0.
            of_label, chosen_from = processes.tell(
                tuning.gather(found, folders) if processes.leads() else None
            )
            files = [tuning.chosen(own, run["seed"]) for run in of_label]
            choices.setdefault(label, []).extend(chosen_from)
        for run in of_label:
            run["variant"] = variant
        pooled = results.setdefault(label, first | {"runs": []})
        pooled["runs"] += of_label
        curves.setdefault(label, []).extend(files)
    log = JsonLines(folder / "results.jsonl")
    log.keep(
        [
            {"label": label, "method": found["method"]} | run
            for label, found in results.items()
            for run in found["runs"]
        ]
    )
    if not processes.leads():
        return results
    comparison_report.write(
        folder,
        config.split,
        config.groups[:1] if config.tuned else config.groups,
        results,
        {k: comparison_report.Curves(files) for k, files in curves.items()},
        choices,
        in_order=config.in_order,
    )
    return results


def _trainings(
    config: ComparisonConfig, run: Mapping[str, Any], folder: Path
) -> list[tuple[str, Mapping[str, Any], Path]]:
    """What is to be trained for a run: a name, the config and the folder."""
    if not config.tuned:
        return [("", run, folder)]
    return [
        (point, training, folder / f"point_{number}")
        for number, (point, training) in enumerate(tuning.points(run).items())
    ]


def _finished(
    folder: Path,
    config: ComparisonConfig,
    runs: Mapping[str, Mapping[str, Mapping[str, Any]]],
    label: str,
) -> bool:
    """Whether there is nothing left to do for a label."""
    return all(
        (at / "results.json").exists()
        for variant, run in runs[label].items()
        for _, _, at in _trainings(
            config, run, run_folder(folder, label, variant)
        )
    )


def run_folder(workdir: Path, label: str, variant: str) -> Path:
    """Returns the folder of one run of a comparison."""
    return workdir / "runs" / label / variant


def _check_runs(
    folder: Path,
    config: ComparisonConfig,
    runs: Mapping[str, Mapping[str, Mapping[str, Any]]],
    chosen: Sequence[tuple[str, str]],
    allow: Collection[str],
) -> dict[str, str]:
    """Checks all chosen runs before the first one, and not hours later.

    Returns:
      The digest of each variant's data.

    Raises:
      InputError: A method that cannot be trained as planned; or a run that is
        there, finished or not, and was made with something else.
    """
    digests: dict[str, str] = {}
    # Each variant's data are loaded once, and its runs checked with them.
    order = list(dict.fromkeys(variant for _, variant in chosen))
    for label, variant in sorted(chosen, key=lambda run: order.index(run[1])):
        for _, mapping, there in _trainings(
            config, runs[label][variant], run_folder(folder, label, variant)
        ):
            one = from_mapping(Config, mapping)
            if variant not in digests:
                dataset = data.load(one.data.name, one.data.options)
                digests[variant] = dataset.digest
            method = methods.create(one.method.name, one.method.options)
            loop.model_for(one, method, dataset)
            pipeline.steps_per_epoch(
                dataset.splits["train"], one.data.batch_size
            )
            now = record.current(
                digests[variant],
                weights.digests(one.model.encoders),
                one.modules,
            )
            record.check(there, now, allow)
            record.warn(there, now)
    return digests
