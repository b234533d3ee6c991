"""A configuration made concrete: data, model, method and steps."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from arm_jax import (
    data,
    evaluation,
    methods,
    optimizers,
    parallel,
    shapley,
    training,
    vocabulary,
)
from arm_jax.config import Config
from arm_jax.data import Dataset, pipeline
from arm_jax.data.dataset import with_workers
from arm_jax.errors import InputError
from arm_jax.evaluation import Predictions
from arm_jax.methods import Copies, Method
from arm_jax.models import Model, create_model
from arm_jax.training import TrainState, Variables
from arm_jax.valuation import Array


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
      state: Training state of all runs.
      best: so far.
      copies: Copies of the epoch under way; unused while the method makes none.
    """

    state: TrainState
    best: Best
    copies: Copies


class Schedule(NamedTuple):
    """How many steps the epochs of a run have.

    Attributes:
      epochs: Number of epochs of the run.
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
        variables = state.variables
        params, kept = self.model.load(variables.params, variables.state)
        state = state.replace(
            variables=variables.replace(params=params, state=kept)
        )
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
    for name, size in model.vocabularies.items():
        path = f"the encoder of config model.encoders.{name}"
        vocabulary.check(dataset, name, size, path)
    for name, size in (
        ("data.batch_size", config.data.batch_size // jax.process_count()),
        ("train.eval_batch_size", config.train.eval_batch_size),
    ):
        parallel.check_divisible(name, size)
    train, size = dataset.splits["train"], config.data.batch_size
    copies = method.copies(len(train))
    schedule = Schedule(
        epochs=config.train.epochs,
        warmup=method.starts(),
        copies=copies,
        plain=pipeline.steps_per_epoch(train, size),
        copying=pipeline.steps_per_epoch(train, size, copies),
    )
    optimizer = optimizers.create(
        config.optimizer,
        schedule.total * method.turns(len(model.modalities)),
        model.tuning,
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
    if method.starts() >= config.train.epochs:
        raise InputError(
            f"method '{name}' has a warm-up of {method.starts()} epochs, no "
            f"less than config train.epochs, {config.train.epochs}; set it or "
            "the method's options"
        )
    model = create_model(
        config.model,
        dataset.specs,
        len(dataset.class_names),
        method.needs_fusion,
    )
    methods.check_head(name, method, model.additive)
    return model


def batches_of(
    run: Run, copies: Copies, epoch: int, start: int
) -> Iterator[dict]:
    """The batches of an epoch, `[runs, batch, ...]`."""
    row, mask = jax.device_get(copies)
    copying = run.schedule.copies > 0 and epoch >= run.schedule.warmup
    return pipeline.epoch_batches(
        run.dataset.splits["train"],
        run.config.data.batch_size,
        seeds=run.seeds,
        epoch=epoch,
        copy_row=row if copying else None,
        copy_mask=mask if copying else None,
        start=start,
    )
