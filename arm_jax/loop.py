"""Training from a prepared run to a finished one, resumable at any line."""

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm.auto import tqdm

from arm_jax import epochs, parallel, processes
from arm_jax.checkpoint import Checkpoints, check_metrics
from arm_jax.errors import InputError
from arm_jax.evaluation import Predictions
from arm_jax.events import EventLines
from arm_jax.interrupts import interrupts
from arm_jax.metering import Meter
from arm_jax.run import Best as Best
from arm_jax.run import Run as Run
from arm_jax.run import Schedule as Schedule
from arm_jax.run import Snapshot as Snapshot
from arm_jax.run import Steps as Steps
from arm_jax.run import batches_of as batches_of
from arm_jax.run import model_for as model_for
from arm_jax.run import prepare as prepare
from arm_jax.training import Variables
from arm_jax.workdir import JsonLines

_log = logging.getLogger(__name__)

# Seconds after which even the middle of an epoch has a checkpoint.
_LONG = 600.0

Measure = Callable[[list[Predictions]], list[dict[str, float]]]


class Outcome(NamedTuple):
    """What finished runs leave: all of them, on the devices."""

    last: Variables
    best: Best


def train(
    run: Run,
    workdir: Path,
    *,
    stop_after: int | None = None,
    progress: bool = True,
    measure: Measure | None = None,
    events: bool = False,
) -> Outcome | None:
    """Trains, or goes on where the runs in `workdir` were interrupted.

    `workdir/metrics.jsonl` gets, for each seed, a line every `log_every` steps
    with the means over these steps (`split` "train"), and one at each epoch's
    end on the validation split, where a checkpoint is written too if the last
    one is old (`train.checkpoint_seconds`) or training ends; one that is ten
    minutes old is followed by the next at any line. An interrupt
    (SIGINT, SIGTERM or `stop_after`) is honoured at the next line, after a
    checkpoint; one of several processes that gets it stops all of them. Resumed
    runs take the same steps and leave the same lines as ones that were never
    interrupted.

    Args:
      run: what to train.
      workdir: the runs' folder, see arm_jax.workdir.
      stop_after: interrupt once this many steps were taken by this call.
      progress: show a progress bar.
      measure: what else to read off each run's predictions of the validation
        split at each epoch's end, for its line in metrics.jsonl.
      events: write TensorBoard's event files, too.

    Returns:
      The outcome, or None if the runs were interrupted.

    Raises:
      TrainingError: a metric stopped being finite; the message names the step.
      InputError: the folder has metrics or damaged checkpoints of a run, and
        nothing to go on from; or a checkpoint that does not fit.
    """
    lines = EventLines if events else JsonLines
    log = lines(workdir / "metrics.jsonl")
    snapshot = run.initial()
    with Checkpoints(workdir) as checkpoints, interrupts() as interrupted:
        restored = checkpoints.restore_latest(snapshot)
        if restored is None:
            if processes.leads():
                _check_unused(log, checkpoints)
            # From the first step on there is a checkpoint: a folder that has
            # metrics and none has lost it.
            checkpoints.save(0, snapshot)
            step = 0
        else:
            step, snapshot = restored
            if 0 < step < run.schedule.total:
                _log.info("resuming at step %d of %d", step, run.schedule.total)
            if processes.leads():
                log.keep(_lines_until(log, step))
                check_metrics(workdir, step)
        stop_at = math.inf if stop_after is None else step + stop_after
        saved = time.monotonic()
        bar = tqdm(
            total=run.schedule.total,
            initial=step,
            desc=run.config.method.name,
            unit="step",
            disable=not (progress and processes.leads()),
            mininterval=0.5,
        )
        meter = Meter(run.seeds, step)
        with bar:
            while step < run.schedule.total:
                epoch = run.schedule.epoch_of(step)
                start = step - run.schedule.steps_before(epoch)
                if start == 0:
                    snapshot = epochs.begin(run, snapshot, epoch)
                state, phase = snapshot.state, _phase(run, epoch)
                for batch in batches_of(run, snapshot.copies, epoch, start):
                    state, metrics = run.train_step(state, batch, phase)
                    step += 1
                    meter.add(metrics)
                    bar.update()
                    epoch_ends = step == run.schedule.steps_before(epoch + 1)
                    if not (
                        epoch_ends or step % run.config.train.log_every == 0
                    ):
                        continue
                    means = meter.means()
                    _append(log, run, step, "train", means)
                    bar.set_postfix(_shown(means), refresh=False)
                    snapshot = snapshot._replace(state=state)
                    if epoch_ends:
                        scores = _validate(run, state.variables, measure)
                        _append(log, run, step, "validation", scores)
                        snapshot = _keep_better(snapshot, scores)
                    # Asked for at any process, all stop at this step.
                    stop = processes.anyone(interrupted.is_set())
                    stop = stop or step >= min(stop_at, run.schedule.total)
                    if stop or _is_due(run, epoch_ends, saved):
                        checkpoints.save(step, snapshot, log.path)
                        saved = time.monotonic()
                    if stop and step < run.schedule.total:
                        return None
    return Outcome(last=snapshot.state.variables, best=snapshot.best)


def _is_due(run: Run, epoch_ends: bool, saved: float) -> bool:
    """Whether it is time for a checkpoint; all processes agree."""
    least = run.config.train.checkpoint_seconds
    if not epoch_ends:
        least = max(least, _LONG)
    return bool(processes.tell(time.monotonic() - saved >= least))


def _phase(run: Run, epoch: int) -> Any:
    return run.method.phase(epoch, len(run.model.modalities))


def _check_unused(log: JsonLines, checkpoints: Checkpoints) -> None:
    """Raises InputError rather than starting anew where a run has been."""
    records, damaged = log.read(), checkpoints.set_aside()
    if not records and not damaged:
        return
    traces = []
    if records:
        traces.append(f"metrics up to step {records[-1].get('step')}")
    if damaged:
        traces.append(f"damaged checkpoints in {damaged[0].parent}")
    raise InputError(
        f"{log.path.parent} has {' and '.join(traces)}, but no checkpoint to "
        "go on from: restore one from a copy, or use another workdir to start "
        "anew"
    )


def _lines_until(log: JsonLines, step: int) -> list[dict[str, Any]]:
    """Returns the metrics up to a step, each line once."""
    lines: dict[tuple[int, str, int], dict[str, Any]] = {}
    for record in log.read():
        try:
            key = record["step"], record["split"], record["seed"]
        except KeyError as error:
            raise InputError(
                f"{log.path} has a line without {error}: restore the file, or "
                "use another workdir"
            ) from error
        if key[0] <= step:
            lines.setdefault(key, record)
    return list(lines.values())


def last_variables(run: Run, workdir: Path) -> Variables:
    """Returns what the runs in `workdir` ended with.

    Raises:
      InputError: they are not finished, or their checkpoint cannot be read.
    """
    with Checkpoints(workdir) as checkpoints:
        restored = checkpoints.restore_latest(run.initial(), set_aside=False)
    if restored is None or restored[0] < run.schedule.total:
        at = 0 if restored is None else restored[0]
        raise InputError(
            f"the run in {workdir} is at step {at} of {run.schedule.total}; "
            "finish it first"
        )
    return restored[1].state.variables


def _validate(
    run: Run, variables: Variables, measure: Measure | None
) -> list[dict[str, float]]:
    predictions = run.predict(variables, "validation")
    scores = list(map(run.summarize, predictions))
    if measure is None or not processes.leads():
        return scores
    more = measure(predictions)
    return [a | b for a, b in zip(scores, more, strict=True)]


def _keep_better(
    snapshot: Snapshot, scores: list[dict[str, float]]
) -> Snapshot:
    accuracy = parallel.put([np.float32(s["accuracy"]) for s in scores])
    state = snapshot.state
    best = _better(snapshot.best, Best(state.variables, accuracy, state.step))
    return snapshot._replace(best=best)


@parallel.each
def _better(best: Best, new: Best) -> Best:
    """The better of two epochs of a run, the earlier of equal ones."""
    better = new.accuracy > best.accuracy
    return jax.tree.map(lambda n, o: jnp.where(better, n, o), new, best)


def _append(
    log: JsonLines, run: Run, step: int, split: str, values: list[dict]
) -> None:
    for seed, of_run in zip(run.seeds, values, strict=True):
        log.append({"step": step, "split": split, "seed": seed} | of_run)


def _shown(means: list[dict[str, float]]) -> dict[str, str]:
    """What the progress bar shows: means over the runs."""
    return {
        key: f"{np.mean([m[key] for m in means]):.3f}"
        for key in ("loss", "accuracy")
    }
