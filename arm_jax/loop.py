"""Training from a configuration to a finished, resumable run."""

import logging
import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from tqdm.auto import tqdm

from arm_jax import data, evaluation, methods, parallel, training
from arm_jax.checkpoint import Checkpoints
from arm_jax.config import Config
from arm_jax.data import Dataset, pipeline
from arm_jax.errors import TrainingError
from arm_jax.evaluation import Predictions
from arm_jax.models import Model, Params, create_model
from arm_jax.training import TrainState
from arm_jax.workdir import JsonLines

_log = logging.getLogger(__name__)


class Run(NamedTuple):
    """A configuration made concrete: data, model and steps on all devices."""

    config: Config
    dataset: Dataset
    model: Model
    optimizer: optax.GradientTransformation
    train_step: Callable[..., Any]
    predict_step: Callable[..., Any]
    steps_per_epoch: int

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.config.train.epochs

    def initial_state(self) -> TrainState:
        """The state before the first step, on all devices."""
        seed = self.config.train.seed
        return parallel.replicate(
            training.create_state(self.model, self.optimizer, seed)
        )

    def predict(self, params: Params, split: str) -> Predictions:
        """Predicts a split with replicated `params`."""
        return evaluation.predict(
            self.predict_step,
            params,
            self.dataset.splits[split],
            self.config.train.eval_batch_size,
        )

    def score(self, params: Params, split: str) -> dict[str, float]:
        """Accuracy, loss and contributions on a split."""
        return evaluation.summarize(
            self.predict(params, split),
            self.model.modalities,
            np.log(self.dataset.class_frequencies),
        )


class Outcome(NamedTuple):
    """The states that a finished run leaves."""

    last: TrainState
    # Of the best epoch on validation, the earliest of equal ones.
    best: TrainState


def prepare(config: Config) -> Run:
    """Loads the data and builds model and steps; nothing is written.

    Raises:
      InputError: something in the configuration or the data is wrong.
    """
    loss = methods.create(config.method.name, config.method.options)
    dataset = data.load(config.data.name, config.data.options)
    model = create_model(config.model, dataset.shapes, len(dataset.class_names))
    steps_per_epoch = pipeline.steps_per_epoch(
        dataset.splits["train"], config.data.batch_size
    )
    for name, size in (
        ("data.batch_size", config.data.batch_size // jax.process_count()),
        ("train.eval_batch_size", config.train.eval_batch_size),
    ):
        parallel.check_divisible(name, size)
    optimizer = training.create_optimizer(
        config.optimizer, steps_per_epoch * config.train.epochs
    )
    train_step = training.make_train_step(
        model,
        loss,
        optimizer,
        np.log(dataset.class_frequencies).astype(np.float32),
        dropout=config.model.dropout > 0,
        axis_name=parallel.AXIS,
    )
    return Run(
        config=config,
        dataset=dataset,
        model=model,
        optimizer=optimizer,
        train_step=parallel.update(train_step),
        predict_step=parallel.mapped(training.make_predict_step(model)),
        steps_per_epoch=steps_per_epoch,
    )


def train(
    run: Run,
    workdir: Path,
    *,
    stop_after: int | None = None,
    progress: bool = True,
) -> Outcome | None:
    """Trains, or goes on where the run in `workdir` was interrupted.

    `workdir/metrics.jsonl` gets a line every `log_every` steps with the means
    over these steps (`split` "train"), and one at each epoch's end on the
    validation split, where a checkpoint is written too. An interrupt (SIGINT,
    SIGTERM or `stop_after`) is honoured at the next line, after a checkpoint.
    A resumed run takes the same steps and leaves the same lines as one that
    was never interrupted.

    Args:
      run: what to train.
      workdir: the run's folder, see arm_jax.workdir.
      stop_after: interrupt once this many steps were taken by this call.
      progress: show a progress bar.

    Returns:
      The outcome, or None if the run was interrupted.

    Raises:
      TrainingError: a metric stopped being finite; the message names the step.
    """
    log = JsonLines(workdir / "metrics.jsonl")
    batches = pipeline.train_batches(
        run.dataset.splits["train"],
        run.config.data.batch_size,
        seed=run.config.train.seed,
    )
    state = run.initial_state()
    with Checkpoints(workdir) as checkpoints, _interrupts() as interrupted:
        start = 0
        restored = checkpoints.restore_latest(state, batches)
        if restored is not None:
            start, state = restored
            _log.info("resuming at step %d of %d", start, run.total_steps)
        log.keep([r for r in log.read() if r["step"] <= start])
        stop_at = math.inf if stop_after is None else start + stop_after
        meter = _Meter(start)
        bar = tqdm(
            total=run.total_steps,
            initial=start,
            desc=f"{run.config.method.name} seed {run.config.train.seed}",
            unit="step",
            disable=not progress,
            mininterval=0.5,
        )
        with bar:
            for step in range(start + 1, run.total_steps + 1):
                batch = parallel.split(next(batches))
                state, metrics = run.train_step(state, batch)
                meter.add(metrics)
                bar.update()
                epoch_ends = step % run.steps_per_epoch == 0
                if not (epoch_ends or step % run.config.train.log_every == 0):
                    continue
                means = meter.means()
                log.append({"step": step, "split": "train"} | means)
                bar.set_postfix(
                    loss=f"{means['loss']:.3f}",
                    accuracy=f"{means['accuracy']:.3f}",
                )
                stop = interrupted.is_set() or step >= stop_at
                if epoch_ends:
                    scores = run.score(state.params, "validation")
                    log.append({"step": step, "split": "validation"} | scores)
                    checkpoints.save(step, state, batches, scores["accuracy"])
                elif stop:
                    checkpoints.save(step, state, batches, None)
                if stop and step < run.total_steps:
                    return None
        _, best = checkpoints.restore_best(state)
    return Outcome(last=state, best=best)


class _Meter:
    """Means of step metrics, fetched late so that devices never wait."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._pending: list[dict[str, jax.Array]] = []

    def add(self, metrics: dict[str, jax.Array]) -> None:
        # No more than two steps in flight: a deeper queue gains nothing, and
        # can deadlock the collectives of virtual CPU devices.
        if self._pending:
            jax.block_until_ready(self._pending[-1])
        self._pending.append(metrics)

    def means(self) -> dict[str, float]:
        """Means since the last call.

        Raises:
          TrainingError: a metric of a step is not finite.
        """
        fetched = jax.device_get(self._pending)
        self._pending = []
        for metrics in fetched:
            self._step += 1
            for name in sorted(metrics, key=lambda name: name != "loss"):
                if not np.isfinite(metrics[name]):
                    raise TrainingError(
                        f"{name} is {metrics[name]} at step {self._step}; the "
                        "checkpoints before it are kept"
                    )
        return {
            name: float(np.mean([m[name] for m in fetched], dtype=np.float64))
            for name in fetched[0]
        }


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Turns the first SIGINT or SIGTERM into an event; the second one kills."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        event.set()
        restore()
        _log.warning("stopping at the next line of metrics")

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, handle)
    try:
        yield event
    finally:
        restore()
