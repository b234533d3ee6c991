"""What a run computes on its devices, and what of it runs can have in common.

A program is traced and compiled for the functions that it is made of. These do
not hold what differs between the folds of a data set and the points of a grid:
log p(y), the learning rate and the deviations that noise is scaled by are
given to them. So runs that differ in nothing else can have the same ones.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from arm_jax import optimizers, parallel, probing, training
from arm_jax.config import Config
from arm_jax.data import Dataset
from arm_jax.methods import Copies, Method
from arm_jax.models import Model
from arm_jax.training import TrainState, Variables
from arm_jax.valuation import Array


class Best(NamedTuple):
    """The best epoch of a run on validation, the earliest of equal ones.

    Attributes:
      variables: Variables at its end.
      accuracy: fused, on validation; negative before the first epoch.
      step: Steps taken by then.
    """

    variables: Variables
    accuracy: Array
    step: Array


class Snapshot(NamedTuple):
    """All that a checkpoint holds: where a run is, and what is next.

    On the devices it is that of all runs, see arm_jax.parallel.

    Attributes:
      state: Training state.
      best: so far.
      copies: Copies of the epoch under way; unused while the method makes none.
    """

    state: TrainState
    best: Best
    copies: Copies


class Steps(NamedTuple):
    """Functions of all runs' arrays, mapped over runs and devices.

    Attributes:
      create: `create(seeds)`, the snapshot before the first step.
      update: `update((log_prior, learning_rate), state, batch, phase=None)`,
        the state after a step, and metrics.
      predict: `predict((), variables, batch)`, logarithms of probabilities.
      survey: the same, with the features.
      probe: `probe((deviations,), variables, batch)`, see arm_jax.probing.
      renew_moments: see `optimizers.renewed_moments`.
    """

    create: Callable[..., Snapshot]
    update: Callable[..., Any]
    predict: Callable[..., Any]
    survey: Callable[..., Any]
    probe: Callable[..., Any]
    renew_moments: Callable[..., Any]


def make(
    config: Config,
    model: Model,
    method: Method,
    total: int,
    copies: int,
    missing: bool,
) -> Steps:
    """Makes the steps of a run; nothing is traced yet.

    Args:
      config: of the run; its learning rate does not count.
      model: Model.
      method: Method.
      total: Number of steps of the run.
      copies: Number of examples that an epoch shows once more.
      missing: Whether examples lack modalities.
    """
    create_optimizer = functools.partial(
        optimizers.create,
        config.optimizer,
        total * method.turns(len(model.modalities)),
        tuning=model.tuning,
        scales=method.scales(model.modalities),
    )
    optimizer = create_optimizer()

    def update(
        log_prior: jax.Array, learning_rate: jax.Array, *arguments: Any
    ) -> tuple[TrainState, dict]:
        step = training.make_train_step(
            model,
            method,
            create_optimizer(learning_rate=learning_rate),
            log_prior,
            axis_name=parallel.AXIS,
            missing=missing,
        )
        return step(*arguments)

    def create(seed: jax.Array) -> Snapshot:
        state = training.create_state(model, method, optimizer, seed)
        best = Best(
            variables=jax.tree.map(jnp.copy, state.variables),
            # Below all; the share of a variance may be any negative number.
            accuracy=jnp.full((), -jnp.inf if model.regression else -1.0),
            step=jnp.zeros((), jnp.int32),
        )
        # At least one row: checkpoints cannot hold empty arrays.
        rows = max(copies, 1)
        none = Copies(
            jnp.zeros(rows, jnp.int32), jnp.ones((rows, len(model.modalities)))
        )
        return Snapshot(state, best, none)

    return Steps(
        create=parallel.start(create),
        update=parallel.update(update),
        predict=parallel.predict(training.make_predict_step(model, method)),
        survey=parallel.predict(
            training.make_predict_step(model, method, features=True)
        ),
        probe=parallel.predict(probing.make_step(model, method)),
        renew_moments=parallel.each(
            functools.partial(optimizers.renewed_moments, optimizer)
        ),
    )


def fingerprint(config: Config, dataset: Dataset, *facts: Any) -> str:
    """Returns what runs of the same steps have in common.

    More than that, rather than less: all of the config but what steps are
    given, or do not depend on.

    Args:
      config: of the run.
      dataset: its data, whose values do not count.
      *facts: further arguments of `make`.
    """
    common = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, options={}),
        optimizer=dataclasses.replace(config.optimizer, learning_rate=1.0),
    )
    of_data = (dataset.specs, len(dataset.class_names), dataset.label_names)
    return repr((common, of_data, facts))
