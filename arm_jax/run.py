"""A configuration made concrete: data, model, method and steps."""

import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from arm_jax import (
    data,
    evaluation,
    methods,
    parallel,
    probing,
    programs,
    steps,
    tasks,
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
from arm_jax.steps import Best as Best
from arm_jax.steps import Snapshot as Snapshot
from arm_jax.steps import Steps as Steps
from arm_jax.training import Variables

_log = logging.getLogger(__name__)


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
    create: Callable[..., Snapshot]
    train_step: Callable[..., Any]
    predict_step: Callable[..., Any]
    survey_step: Callable[..., Any]
    probe_step: Callable[..., Any]
    renew_moments: Callable[..., Any]

    @property
    def seeds(self) -> range:
        """Seeds of the runs that are trained side by side."""
        first = self.config.train.seed
        return range(first, first + self.config.train.seeds)

    def initial(self) -> Snapshot:
        """The state of all runs before the first step, on all devices."""
        first = self.create(self.seeds)
        variables = first.state.variables
        params, kept = self.model.load(variables.params, variables.state)
        loaded = variables.replace(params=params, state=kept)
        leaves = zip(
            jax.tree.leaves(loaded), jax.tree.leaves(variables), strict=True
        )
        if all(a is b for a, b in leaves):
            return first
        return parallel.replicate(
            first._replace(
                state=first.state.replace(variables=loaded),
                # Of its own, for a step gives the state's arrays away.
                best=first.best._replace(variables=parallel.copied(loaded)),
            )
        )

    def predict(self, variables: Variables, split: str) -> list[Predictions]:
        """Predictions of each run on a split."""
        examples = self.dataset.splits[split]
        return [
            evaluation.predictions(log_probs, examples)
            for log_probs in evaluation.outputs(
                self.predict_step,
                variables,
                examples,
                self.config.train.eval_batch_size,
            )
        ]

    def score(self, variables: Variables, split: str) -> list[dict[str, float]]:
        """Accuracy, loss and contributions of each run on a split."""
        return list(map(self.summarize, self.predict(variables, split)))

    def summarize(self, predictions: Predictions) -> dict[str, float]:
        """Accuracy, loss and contributions of a run."""
        return evaluation.summarize(
            predictions,
            self.model.modalities,
            self.dataset.log_prior,
            self.dataset.unit,
        )

    def probe(
        self, variables: Variables, split: str
    ) -> tuple[list[str], list[probing.Probe]]:
        """What each run makes of all subsets of a split, and of noise.

        Returns:
          The modalities that have noise; and the probe of each run.
        """
        scales = probing.deviations(self.dataset.splits["train"])
        found = evaluation.outputs(
            functools.partial(self.probe_step, parallel.replicate((scales,))),
            variables,
            self.dataset.splits[split],
            self.config.train.eval_batch_size,
        )
        return list(scales), found


def prepare(config: Config, pool: dict[str, Steps] | None = None) -> Run:
    """Loads the data and builds model and steps; nothing is written.

    Args:
      config: of the run.
      pool: Steps of runs before, by their fingerprints: of equal ones the run
        has the same, which are traced and compiled already. Its own are added.

    Raises:
      InputError: something in the configuration or the data is wrong.
    """
    pool = {} if pool is None else pool
    if programs.make_room():
        pool.clear()
    method = methods.create(config.method.name, config.method.options)
    dataset = with_workers(
        data.load(config.data.name, config.data.options),
        config.data.threads,
        config.data.processes,
    )
    if dataset.splits["train"].weights is not None:
        _log.warning(
            "%s has weights, which training does without", dataset.name
        )
    model = model_for(config, method, dataset)
    for name, size in model.vocabularies.items():
        path = f"the encoder of config model.encoders.{name}"
        vocabulary.check(dataset, name, size, path)
    for name, size in (
        ("data.batch_size", config.data.batch_size),
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
    facts = (schedule.total, copies, train.present is not None)
    fingerprint = steps.fingerprint(config, dataset, *facts, model.regression)
    if fingerprint not in pool:
        pool[fingerprint] = steps.make(config, model, method, *facts)
    shared = pool[fingerprint]
    given = (dataset.log_prior, config.optimizer.learning_rate)
    given = parallel.replicate(tuple(np.asarray(x, np.float32) for x in given))
    return Run(
        config=config,
        schedule=schedule,
        dataset=dataset,
        model=model,
        method=method,
        create=shared.create,
        train_step=functools.partial(shared.update, given),
        predict_step=functools.partial(shared.predict, ()),
        survey_step=functools.partial(shared.survey, ()),
        probe_step=shared.probe,
        renew_moments=shared.renew_moments,
    )


def model_for(config: Config, method: Method, dataset: Dataset) -> Model:
    """Builds the model and checks the method against all that it meets.

    Raises:
      InputError: The method is not defined for so many modalities, for
        examples that lack some, for several labels, or for the
        model, or not for so few epochs, or its warm-up is no shorter than
        the training, or its copies see less than a batch, or it has options
        for another number of modalities, or needs features of one width; or
        see `create_model`.
    """
    name, modalities = config.method.name, len(dataset.modalities)
    if not method.allows(modalities):
        allowed = " or ".join(map(str, method.modality_counts))
        raise InputError(
            f"method '{name}' is defined for {allowed} modalities; "
            f"{config.data.name} has {modalities}"
        )
    lacking = any(x.present is not None for x in dataset.splits.values())
    if lacking and not methods.takes_missing(name):
        takes = [x for x in methods.names() if methods.takes_missing(x)]
        raise InputError(
            f"config method.name: '{name}' is not defined for examples that "
            f"lack modalities, as those of {dataset.name} do; defined are "
            + ", ".join(takes)
        )
    task = tasks.of(dataset)
    if task not in methods.tasks(name):
        takes = [x for x in methods.names() if task in methods.tasks(x)]
        raise InputError(
            f"config method.name: '{name}' is not defined for "
            f"{tasks.NAMES[task]}, as {dataset.name} has; defined are "
            + ", ".join(takes)
        )
    if method.starts() >= config.train.epochs:
        raise InputError(
            f"method '{name}' has a warm-up of {method.starts()} epochs, no "
            f"less than config train.epochs, {config.train.epochs}; set it or "
            "the method's options"
        )
    least = method.least_epochs(modalities)
    if least > config.train.epochs:
        raise InputError(
            f"method '{name}' needs {least} epochs, more than config "
            f"train.epochs, {config.train.epochs}; set it or the method's "
            "options"
        )
    examples, size = len(dataset.splits["train"]), config.data.batch_size
    rows = method.least_rows(examples)
    if rows < size <= examples:
        raise InputError(
            f"method '{name}' trains copies on {rows} of the {examples} "
            f"training examples, fewer than config data.batch_size, {size}; "
            "set it or the method's options"
        )
    method.scales(tuple(sorted(dataset.modalities)))
    model = create_model(
        config.model,
        dataset.specs,
        2 if task == tasks.REGRESSION else len(dataset.class_names),
        method.needs_fusion,
        labels=len(dataset.label_names),
        regression=task == tasks.REGRESSION,
    )
    methods.check_head(name, method, model.additive)
    if len(set(model.widths.values())) > 1:
        # What the method keeps may need one width. Nothing is computed.
        create = functools.partial(
            training.create_state, model, method, optax.identity()
        )
        jax.eval_shape(create, 0)
    return model


def batches_of(
    run: Run, copies: Copies, epoch: int, start: int
) -> Iterator[Any]:
    """The batches of an epoch, of all runs, as `Run.train_step` takes them."""
    split = run.dataset.splits["train"]
    copying = run.schedule.copies > 0 and epoch >= run.schedule.warmup
    batches = [
        pipeline.epoch_batches(
            split,
            run.config.data.batch_size,
            seed=seed,
            epoch=epoch,
            copy_row=of_run.row if copying else None,
            copy_mask=of_run.mask if copying else None,
        )
        for seed, of_run in zip(run.seeds, parallel.fetch(copies), strict=True)
    ]
    together = pipeline.Batches(
        batches[0].number, parallel.side_by_side([b.make for b in batches])
    )
    return pipeline.stream(split, together, start)
