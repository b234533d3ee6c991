"""One training in a folder: trained into it, or read back from it."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax import checkpoint, data, lock, loop, parallel, processes, record
from arm_jax import config as config_lib
from arm_jax.analysis import bridge, interactions, scores
from arm_jax.data import Dataset
from arm_jax.evaluation import Predictions
from arm_jax.models import weights
from arm_jax.reports import training as training_report
from arm_jax.reports.pieces import part
from arm_jax.training import Variables
from arm_jax.workdir import (
    JsonLines,
    open_workdir,
    read_results,
    to_json,
    write_results,
)

_log = logging.getLogger(__name__)


def fit(
    config: Mapping[str, Any],
    workdir: str | Path,
    *,
    progress: bool = True,
    describe: bool = True,
    report: bool = True,
    allow: Collection[str] = (),
    data_digest: str | None = None,
    stop_after: int | None = None,
    tensorboard: bool = False,
    pool: dict[str, loop.Steps] | None = None,
) -> dict[str, Any] | None:
    """Trains one model into `workdir`, or returns to a run that is there.

    Args:
      config: Mapping for `arm_jax.config.Config`.
      workdir: Folder of the run, held by a lock meanwhile.
      progress: Whether to show a progress bar.
      describe: Whether to say how the modalities interact in the model's
        predictions (`arm_jax.analysis.interactions`), which takes some seconds.
      report: Whether to write the run's own report, which takes a second. The
        same call with it writes it later.
      allow: What may differ from the run's beginning, see
        `arm_jax.record.ALLOWED`.
      data_digest: Digest of the data, if it is known: a finished run is then
        read without loading them.
      stop_after: Interrupt the run once this call has taken so many steps.
      tensorboard: Write TensorBoard's event files beside metrics.jsonl.
      pool: Steps of trainings before, see `arm_jax.run.prepare`.

    Returns:
      The results (as in results.json), or None if the run was interrupted.

    Raises:
      InputError: Wrong configuration, data or workdir; a workdir in use, or of
        a run that was made with something else.
      TrainingError: The loss stopped being finite.
    """
    with lock.hold(workdir) as folder:
        run_config = config_lib.from_mapping(config_lib.Config, config)
        processes.agree({"config": to_json(config)})
        leads = processes.leads()
        if processes.tell(leads and (folder / "results.json").exists()):
            open_workdir(folder, config, config_lib.NO_NUMBERS)
            return processes.tell(
                leads
                and _read_back(
                    folder, run_config, describe, report, data_digest
                )
            )
        run = loop.prepare(run_config, pool)
        open_workdir(folder, config, config_lib.NO_NUMBERS)
        made_with = record.current(
            run.dataset.digest,
            weights.digests(run_config.model.encoders),
            run_config.modules,
        )
        processes.agree(record.of_numbers(made_with))
        record.enter(folder, made_with, allow)
        trained = _trained(
            run,
            folder,
            progress=progress,
            stop_after=stop_after,
            events=tensorboard,
        )
        if trained is None:
            return None
        results, predictions = trained
        # The presence of results says that the run is finished: what comes
        # behind can be made again from them.
        write_results(folder / "results.json", results)
        record.append(folder, "finish", made_with)
        if not leads:
            return results
        return _reported(
            folder, results, (lambda: predictions) if describe else None, report
        )


def _trained(
    run: loop.Run,
    folder: Path,
    *,
    progress: bool,
    stop_after: int | None,
    events: bool,
) -> tuple[dict[str, Any], Predictions] | None:
    """The results, and the first seed's predictions of the test split."""
    start = time.monotonic()
    outcome = loop.train(
        run,
        folder,
        progress=progress,
        stop_after=stop_after,
        events=events,
        measure=lambda predictions: bridge.of_predictions(
            predictions, run.model.modalities
        ),
    )
    timings = JsonLines(folder / "timings.jsonl")
    timings.append({"seconds": time.monotonic() - start})
    if outcome is None:
        return None
    best = parallel.fetch(outcome.best)
    predictions = run.predict(outcome.last, "test")
    last = list(map(run.summarize, predictions))
    selected = run.score(outcome.best.variables, "test")
    more = _analysed(run, outcome.last, predictions, last)
    results = {
        "method": run.config.method.name,
        "dataset": run.dataset.name,
        "modalities": list(run.model.modalities),
        "examples": {k: len(v) for k, v in run.dataset.splits.items()},
        "steps": run.schedule.total,
        "class_names": list(run.dataset.class_names),
        **_task(run.dataset),
        "training_seconds": sum(r["seconds"] for r in timings.read()),
        "runs": [
            {
                "seed": seed,
                "selected_step": int(best[number].step),
                "test": {"last": last[number], "selected": selected[number]},
                **more[number],
            }
            for number, seed in enumerate(run.seeds)
        ],
    }
    return results, predictions[0]


def _task(dataset: Dataset) -> dict[str, Any]:
    """What is predicted, where it is no class."""
    task: dict[str, Any] = {}
    if dataset.target is not None:
        task["target"] = {
            key: np.asarray(x).tolist()
            for key, x in dataset.target._asdict().items()
        }
    if dataset.label_names:
        task["label_names"] = list(dataset.label_names)
    return task


def _analysed(
    run: loop.Run,
    variables: Variables,
    predictions: list[Predictions],
    summaries: Sequence[Mapping[str, float]],
) -> list[dict[str, Any]]:
    """What else the results say of each run, on the test split."""
    split = run.dataset.splits["test"]
    modalities = run.model.modalities
    noisy, probes = run.probe(variables, "test")
    terms = bridge.of_predictions(predictions, modalities)
    return [
        scores.of_run(
            probe,
            split.label,
            modalities,
            noisy,
            split.present,
            run.dataset.unit,
        )
        | {
            "contribution_gap": scores.contribution_gap(summary),
            "predictions": of_pairs,
        }
        for probe, summary, of_pairs in zip(
            probes, summaries, terms, strict=True
        )
    ]


def _read_back(
    folder: Path,
    config: config_lib.Config,
    describe: bool,
    report: bool,
    data_digest: str | None,
) -> dict[str, Any]:
    """Returns the results of a finished run, if they are of the same data."""
    results = read_results(folder / "results.json")
    # Of several processes this one is alone here, and cannot predict.
    describe = describe and processes.alone()
    describe = describe and "interactions" not in results
    # The data are read once, if at all.
    run = loop.prepare(config) if describe else None
    if run is not None:
        data_digest = run.dataset.digest
    elif data_digest is None:
        data_digest = data.load(config.data.name, config.data.options).digest
    now = record.current(
        data_digest, weights.digests(config.model.encoders), config.modules
    )
    record.check(folder, now, record.ALLOWED)
    checkpoint.check_metrics(folder, results["steps"])
    time_of_end = record.finished(folder)
    _log.info(
        "%s finished on %s; nothing was trained",
        folder,
        time_of_end or "an unknown day",
    )
    record.warn(folder, now)
    if run is None:
        return _reported(folder, results, None, report)

    def predictions(run: loop.Run = run) -> Predictions:
        return run.predict(loop.last_variables(run, folder), "test")[0]

    return _reported(folder, results, predictions, report)


def _reported(
    folder: Path,
    results: dict[str, Any],
    predictions: Callable[[], Predictions] | None,
    report: bool,
) -> dict[str, Any]:
    """Adds the interactions and writes a report that is missing, if asked."""
    trouble: list[str] = []
    if predictions is not None:
        described = {}

        def describe() -> list[str]:
            described["interactions"] = interactions.of_predictions(
                predictions(), results["modalities"]
            )
            return []

        trouble = part("The interactions of the modalities", describe)
        if described:
            results = results | described
            write_results(folder / "results.json", results)
    reports = [folder / f"report.{kind}" for kind in ("md", "html")]
    made = predictions is None and all(file.exists() for file in reports)
    if report and not made:
        training_report.write(folder, results, trouble)
    return results
