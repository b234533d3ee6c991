"""Training from a configuration to finished, resumable runs."""

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
import jax.numpy as jnp
import numpy as np
import optax
from tqdm.auto import tqdm

from arm_jax import data, evaluation, methods, parallel, shapley, training
from arm_jax.checkpoint import Checkpoints
from arm_jax.config import Config
from arm_jax.data import Dataset, pipeline
from arm_jax.data.dataset import with_workers
from arm_jax.errors import InputError, TrainingError
from arm_jax.evaluation import Predictions
from arm_jax.methods import Copies, Method, Survey
from arm_jax.models import Model, create_model
from arm_jax.training import TrainState, Variables
from arm_jax.valuation import Array, Subsets
from arm_jax.workdir import JsonLines

_log = logging.getLogger(__name__)

Measure = Callable[[list[Predictions]], list[dict[str, float]]]


class Best(NamedTuple):
    """The best epoch of each run on validation, the earliest of equal ones.

    Attributes:
      variables: with a leading axis of runs, as all of these.
      accuracy: fused, on validation, `[runs]`; negative before the first epoch.
      step: `[runs]`.
    """

    variables: Variables
    accuracy: Array
    step: Array


class Snapshot(NamedTuple):
    """All that a checkpoint holds: where the runs are, and what is next.

    Attributes:
      state: of all runs.
      best: so far.
      copies: of the epoch under way; unused while its method makes none.
    """

    state: TrainState
    best: Best
    copies: Copies


class Schedule(NamedTuple):
    """How many steps the epochs of a run have.

    Attributes:
      epochs: of the run.
      warmup: epochs before the method first shows copies.
      copies: examples that an epoch after it shows once more.
      plain: steps of an epoch of the warm-up.
      copying: steps of an epoch after it.
    """

    epochs: int
    warmup: int
    copies: int
    plain: int
    copying: int

    def steps_before(self, epoch: int) -> int:
        """Steps of all epochs before `epoch`."""
        plain = min(epoch, self.warmup)
        return plain * self.plain + (epoch - plain) * self.copying

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.steps_before(self.epochs)

    def epoch_of(self, step: int) -> int:
        """The epoch that the step after `step` steps belongs to."""
        epochs = range(1, self.epochs + 1)
        return sum(self.steps_before(epoch) <= step for epoch in epochs)


class Run(NamedTuple):
    """A configuration made concrete: data, model and steps on all devices."""

    config: Config
    schedule: Schedule
    dataset: Dataset
    model: Model
    method: Method
    optimizer: optax.GradientTransformation
    train_step: Callable[..., Any]
    predict_step: Callable[..., Any]
    survey_step: Callable[..., Any]
    correct_step: Callable[..., Any]

    @property
    def seeds(self) -> range:
        """Seeds of the runs that are trained side by side."""
        first = self.config.train.seed
        return range(first, first + self.config.train.seeds)

    def initial(self) -> Snapshot:
        """The state before the first step, on all devices."""

        def create(seed: jax.Array) -> TrainState:
            return training.create_state(
                self.model, self.method, self.optimizer, seed
            )

        # Under jit: eagerly each small operation would be compiled by itself.
        state = jax.jit(jax.vmap(create))(jnp.asarray(self.seeds))
        runs, modalities = len(self.seeds), len(self.model.modalities)
        best = Best(
            variables=jax.tree.map(jnp.copy, state.variables),
            accuracy=jnp.full(runs, -1.0),
            step=jnp.zeros(runs, jnp.int32),
        )
        # At least one row: checkpoints cannot hold empty arrays.
        rows = max(self.schedule.copies, 1)
        copies = Copies(
            jnp.zeros((runs, rows), jnp.int32),
            jnp.ones((runs, rows, modalities)),
        )
        return parallel.replicate(Snapshot(state, best, copies))

    def predict(self, variables: Variables, split: str) -> list[Predictions]:
        """Predictions of each run on a split."""
        examples = self.dataset.splits[split]
        log_probs = evaluation.outputs(
            self.predict_step,
            variables,
            examples,
            self.config.train.eval_batch_size,
        )
        return evaluation.predictions(log_probs, examples)

    def score(self, variables: Variables, split: str) -> list[dict[str, float]]:
        """Accuracy, loss and contributions of each run on a split."""
        return self.summarize(self.predict(variables, split))

    def summarize(
        self, predictions: list[Predictions]
    ) -> list[dict[str, float]]:
        """Accuracy, loss and contributions of each run."""
        return [
            evaluation.summarize(
                p, self.model.modalities, self.dataset.log_prior
            )
            for p in predictions
        ]

    def shapley(
        self, variables: Variables, split: str
    ) -> list[dict[str, float]]:
        """Share of each modality in the accuracy of each run on a split.

        Shapley values of the accuracy over all subsets of modalities; they
        sum to the accuracy of all less that of none.
        """
        correct = evaluation.outputs(
            self.correct_step,
            variables,
            self.dataset.splits[split],
            self.config.train.eval_batch_size,
        )
        accuracy = correct.mean(axis=1, dtype=np.float64)
        shares = accuracy @ shapley.weights(len(self.model.modalities)).T
        return [
            dict(zip(self.model.modalities, of_run.tolist(), strict=True))
            for of_run in shares
        ]


class Outcome(NamedTuple):
    """What finished runs leave, with a leading axis of runs."""

    last: Variables
    best: Best


def prepare(config: Config) -> Run:
    """Loads the data and builds model and steps; nothing is written.

    Raises:
      InputError: something in the configuration or the data is wrong.
    """
    method = methods.create(config.method.name, config.method.options)
    dataset = with_workers(
        data.load(config.data.name, config.data.options),
        config.data.threads,
        config.data.processes,
    )
    model = model_for(config, method, dataset)
    for name, size in (
        ("data.batch_size", config.data.batch_size // jax.process_count()),
        ("train.eval_batch_size", config.train.eval_batch_size),
    ):
        parallel.check_divisible(name, size)
    train, size = dataset.splits["train"], config.data.batch_size
    copies = round(method.replay * len(train))
    schedule = Schedule(
        epochs=config.train.epochs,
        warmup=method.warmup,
        copies=copies,
        plain=pipeline.steps_per_epoch(train, size),
        copying=pipeline.steps_per_epoch(train, size, copies),
    )
    optimizer = training.create_optimizer(
        config.optimizer,
        schedule.total * method.turns(len(model.modalities)),
    )
    train_step = training.make_train_step(
        model,
        method,
        optimizer,
        dataset.log_prior.astype(np.float32),
        axis_name=parallel.AXIS,
    )
    predict_step = training.make_predict_step(model, method)
    survey_step = training.make_predict_step(model, method, features=True)
    correct_step = training.make_correct_step(model, method)
    return Run(
        config=config,
        schedule=schedule,
        dataset=dataset,
        model=model,
        method=method,
        optimizer=optimizer,
        train_step=parallel.update(train_step),
        predict_step=parallel.predict(predict_step),
        survey_step=parallel.predict(survey_step),
        correct_step=parallel.predict(correct_step),
    )


def model_for(config: Config, method: Method, dataset: Dataset) -> Model:
    """Builds the model and checks the method against all that it meets.

    Raises:
      InputError: The method is not defined for so many modalities, or for the
        model, or its warm-up is no shorter than the training; or see
        `create_model`.
    """
    name, modalities = config.method.name, len(dataset.modalities)
    if not method.allows(modalities):
        allowed = " or ".join(map(str, method.modality_counts))
        raise InputError(
            f"method '{name}' is defined for {allowed} modalities; "
            f"{config.data.name} has {modalities}"
        )
    if method.begin_epoch and method.warmup >= config.train.epochs:
        raise InputError(
            f"method '{name}': a warm-up of {method.warmup} epochs is no "
            f"shorter than the training of {config.train.epochs}"
        )
    model = create_model(
        config.model, dataset.specs, len(dataset.class_names), method.fusion
    )
    methods.check_head(name, method, model.additive)
    return model


def train(
    run: Run,
    workdir: Path,
    *,
    stop_after: int | None = None,
    progress: bool = True,
    measure: Measure | None = None,
) -> Outcome | None:
    """Trains, or goes on where the runs in `workdir` were interrupted.

    `workdir/metrics.jsonl` gets, for each seed, a line every `log_every` steps
    with the means over these steps (`split` "train"), and one at each epoch's
    end on the validation split, where a checkpoint is written too. An interrupt
    (SIGINT, SIGTERM or `stop_after`) is honoured at the next line, after a
    checkpoint. Resumed runs take the same steps and leave the same lines as
    ones that were never interrupted.

    Args:
      run: what to train.
      workdir: the runs' folder, see arm_jax.workdir.
      stop_after: interrupt once this many steps were taken by this call.
      progress: show a progress bar.
      measure: what else to read off each run's predictions of the validation
        split at each epoch's end, for its line in metrics.jsonl.

    Returns:
      The outcome, or None if the runs were interrupted.

    Raises:
      TrainingError: a metric stopped being finite; the message names the step.
      InputError: the folder has metrics or damaged checkpoints of a run, and
        nothing to go on from; or a checkpoint that does not fit.
    """
    log = JsonLines(workdir / "metrics.jsonl")
    snapshot = run.initial()
    with Checkpoints(workdir) as checkpoints, _interrupts() as interrupted:
        restored = checkpoints.restore_latest(snapshot)
        if restored is None:
            _check_unused(log, checkpoints)
            # From the first step on there is a checkpoint: a folder that has
            # metrics and none has lost it.
            checkpoints.save(0, snapshot)
            step = 0
        else:
            step, snapshot = restored
            if 0 < step < run.schedule.total:
                _log.info("resuming at step %d of %d", step, run.schedule.total)
            log.keep(_lines_until(log, step))
        stop_at = math.inf if stop_after is None else step + stop_after
        bar = tqdm(
            total=run.schedule.total,
            initial=step,
            desc=run.config.method.name,
            unit="step",
            disable=not progress,
            mininterval=0.5,
        )
        meter = _Meter(run.seeds, step)
        with bar:
            while step < run.schedule.total:
                epoch = run.schedule.epoch_of(step)
                start = step - run.schedule.steps_before(epoch)
                if start == 0:
                    snapshot = _begin_epoch(run, snapshot, epoch)
                state = snapshot.state
                for batch in batches_of(run, snapshot.copies, epoch, start):
                    state, metrics = run.train_step(
                        state, parallel.split(batch, axis=1)
                    )
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
                    stop = interrupted.is_set() or step >= stop_at
                    if epoch_ends or stop:
                        checkpoints.save(step, snapshot)
                    if stop and step < run.schedule.total:
                        return None
    return Outcome(last=snapshot.state.variables, best=snapshot.best)


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
    scores = run.summarize(predictions)
    if measure is None:
        return scores
    more = measure(predictions)
    return [a | b for a, b in zip(scores, more, strict=True)]


def _begin_epoch(run: Run, snapshot: Snapshot, epoch: int) -> Snapshot:
    """Lets the method look at the training split before an epoch."""
    hook = run.method.begin_epoch
    if hook is None or epoch < run.method.warmup:
        return snapshot
    variables = snapshot.state.variables
    train = run.dataset.splits["train"]
    log_probs, features = evaluation.outputs(
        run.survey_step, variables, train, run.config.train.eval_batch_size
    )
    memory = jax.device_get(variables.memory)
    memories, copies = [], []
    for number, seed in enumerate(run.seeds):
        of_run = lambda x, number=number: x[number]
        new_memory, new_copies = hook(
            Survey(
                features=jax.tree.map(of_run, features),
                log_probs=Subsets(*map(of_run, log_probs)),
                label=train.label,
                log_prior=run.dataset.log_prior,
            ),
            jax.tree.map(of_run, memory),
            np.random.default_rng([seed, epoch]),
        )
        memories.append(new_memory)
        if new_copies is not None:
            copies.append(_checked_copies(run, new_copies))
    stack = lambda *x: np.stack(x)
    variables = variables.replace(memory=jax.tree.map(stack, *memories))
    snapshot = snapshot._replace(
        state=snapshot.state.replace(variables=variables)
    )
    if copies:
        snapshot = snapshot._replace(copies=jax.tree.map(stack, *copies))
    return parallel.replicate(snapshot)


def _checked_copies(run: Run, copies: Copies) -> Copies:
    """Returns copies as the checkpoint holds them.

    Raises:
      InputError: another number of them than the method announced, a row that
        there is not, or a copy of which every modality is masked.
    """
    name, modalities = run.config.method.name, len(run.model.modalities)
    row = np.asarray(copies.row, np.int32)
    mask = np.asarray(copies.mask, np.float32)
    count, rows = run.schedule.copies, len(run.dataset.splits["train"])
    if row.shape != (count,) or mask.shape != (count, modalities):
        raise InputError(
            f"method '{name}': copies have shapes {row.shape} and {mask.shape};"
            f" {count} copies of {modalities} modalities were announced"
        )
    for bad, what in (
        ((row < 0) | (row >= rows), f"is of a row outside 0..{rows - 1}"),
        (~np.isin(mask, (0, 1)).all(1), "has a mask other than 0 and 1"),
        (~mask.any(axis=1), "has every modality masked"),
    ):
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"method '{name}': copy {at}, row {row[at]}, mask "
                f"{mask[at].tolist()}, {what}"
            )
    return Copies(row, mask)


def batches_of(
    run: Run, copies: Copies, epoch: int, start: int
) -> Iterator[dict]:
    """The batches of an epoch, `[runs, batch, ...]`."""
    row, mask = jax.device_get(copies)
    copying = run.schedule.copies > 0 and epoch >= run.method.warmup
    return pipeline.epoch_batches(
        run.dataset.splits["train"],
        run.config.data.batch_size,
        seeds=run.seeds,
        epoch=epoch,
        copy_row=row if copying else None,
        copy_mask=mask if copying else None,
        start=start,
    )


@jax.jit
def _where_better(
    better: jax.Array, new: Variables, old: Variables
) -> Variables:
    return jax.tree.map(
        lambda n, o: jnp.where(better.reshape(-1, *([1] * (n.ndim - 1))), n, o),
        new,
        old,
    )


def _keep_better(
    snapshot: Snapshot, scores: list[dict[str, float]]
) -> Snapshot:
    accuracy = np.asarray([s["accuracy"] for s in scores], np.float32)
    best, state = snapshot.best, snapshot.state
    better = accuracy > np.asarray(best.accuracy)
    best = Best(
        variables=_where_better(better, state.variables, best.variables),
        accuracy=np.where(better, accuracy, best.accuracy),
        step=np.where(better, state.step, best.step),
    )
    return snapshot._replace(best=parallel.replicate(best))


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


class _Meter:
    """Means of step metrics, fetched late so that devices never wait."""

    def __init__(self, seeds: range, step: int) -> None:
        self._seeds = seeds
        self._step = step
        self._pending: list[dict[str, jax.Array]] = []

    def add(self, metrics: dict[str, jax.Array]) -> None:
        # No more than two steps in flight: a deeper queue gains nothing, and
        # can deadlock the collectives of virtual CPU devices.
        if self._pending:
            jax.block_until_ready(self._pending[-1])
        # What has more axes than that of runs is for the method, not the log.
        self._pending.append({k: v for k, v in metrics.items() if v.ndim == 1})

    def means(self) -> list[dict[str, float]]:
        """Means of each run since the last call.

        Raises:
          TrainingError: a metric of a step is not finite.
        """
        fetched = jax.device_get(self._pending)
        self._pending = []
        for metrics in fetched:
            self._step += 1
            for name in sorted(metrics, key=lambda name: name != "loss"):
                bad = np.flatnonzero(~np.isfinite(metrics[name]))
                if len(bad):
                    what = name
                    if name.startswith("state_norm_"):
                        modality = name.removeprefix("state_norm_")
                        what = (
                            f"config model.encoders.{modality}: the norm of "
                            "the encoder's running statistics"
                        )
                    raise TrainingError(
                        f"{what} is {metrics[name][bad[0]]} at step "
                        f"{self._step} (seed {self._seeds[bad[0]]}); the "
                        "checkpoints before it are kept"
                    )
        means = {
            name: np.stack([m[name] for m in fetched]).mean(0, np.float64)
            for name in fetched[0]
        }
        return [
            {name: float(x[number]) for name, x in means.items()}
            for number in range(len(self._seeds))
        ]


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
