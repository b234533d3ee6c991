"""What happens between two epochs: the hook of the method, for each run."""

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from arm_jax import evaluation, parallel
from arm_jax.data import pipeline
from arm_jax.errors import InputError
from arm_jax.methods import Copies, Epoch, Survey
from arm_jax.run import Run, Snapshot
from arm_jax.training import TrainState, Variables
from arm_jax.valuation import Subsets, modalities_first


def begin(run: Run, snapshot: Snapshot, number: int) -> Snapshot:
    """Lets the method act before an epoch.

    Args:
      run: What is trained.
      snapshot: The runs' state after the epoch before.
      number: Number of the epoch.

    Returns:
      The snapshot, with what the method replaced and its copies.

    Raises:
      InputError: The method replaces a variable by one of another shape, or
        its copies are not what it announced.
    """
    if number < run.method.starts():
        return snapshot
    before = _Before(run, snapshot)
    epochs = [_Epoch(before, index, number) for index in range(len(run.seeds))]
    copies = [run.method.begin_epoch(epoch) for epoch in epochs]
    parts = {part for epoch in epochs for part in epoch.replaced}
    if parts:
        variables = snapshot.state.variables.replace(
            **{
                part: parallel.put([getattr(e.variables, part) for e in epochs])
                for part in parts
            }
        )
        renewed = [epoch.renewed for epoch in epochs]
        state = _put(run, snapshot.state, variables, renewed)
        snapshot = snapshot._replace(state=state)
    # A method whose share of copies rounds to 0 may return none of them.
    if run.schedule.copies or any(c is not None and len(c.row) for c in copies):
        checked = [_checked_copies(run, c) for c in copies]
        snapshot = snapshot._replace(copies=parallel.put(checked))
    return snapshot


class _Before:
    """The runs before an epoch, fetched when a method asks for it."""

    def __init__(self, run: Run, snapshot: Snapshot) -> None:
        self.run = run
        self.state = snapshot.state
        self._surveys: dict[str, Any] = {}

    @functools.cached_property
    def variables(self) -> list[Variables]:
        return parallel.fetch(self.state.variables)

    @functools.cached_property
    def initial(self) -> list[Variables]:
        return parallel.fetch(self.run.initial().state.variables)

    def survey(self, split: str) -> list[Any]:
        if split not in self._surveys:
            self._surveys[split] = self.outputs(self.state.variables, split)
        return self._surveys[split]

    def outputs(self, variables: Variables, split: str) -> list[Any]:
        return evaluation.outputs(
            self.run.survey_step,
            variables,
            self.run.dataset.splits[split],
            self.run.config.train.eval_batch_size,
        )


class _Epoch(Epoch):
    """One run before an epoch.

    Attributes:
      replaced: Names of the fields of `Variables` that were replaced.
      renewed: For each array of parameters, whether its moments start anew.
    """

    def __init__(self, before: _Before, index: int, number: int) -> None:
        run = before.run
        seed = run.seeds[index]
        self.number = number
        self.rng = np.random.default_rng([seed, number])
        self.modalities = run.model.modalities
        self.num_classes = run.model.num_classes
        self.steps = run.schedule.plain
        self.epochs = run.schedule.epochs
        self.replaced: set[str] = set()
        self._before, self._index, self._seed = before, index, seed
        self._run = run
        self._variables: Variables | None = None
        self._renewed: Any = None

    @property
    def variables(self) -> Variables:
        if self._variables is None:
            self._variables = self._before.variables[self._index]
        return self._variables

    @property
    def initial(self) -> Variables:
        return self._before.initial[self._index]

    @property
    def renewed(self) -> Any:
        if self._renewed is None:
            params = self._before.state.variables.params
            return jax.tree.map(lambda _: False, params)
        return self._renewed

    def survey(self, split: str = "train", variables: Any = None) -> Survey:
        splits = self._run.dataset.splits
        if split not in splits:
            raise ValueError(
                f"no split '{split}'; there are {', '.join(sorted(splits))}"
            )
        if variables is None and not self.replaced:
            found = self._before.survey(split)[self._index]
        else:
            other = self.variables if variables is None else variables
            (found,) = self._before.outputs(parallel.put([other]), split)
        log_probs, features = found
        return Survey(
            features=features,
            log_probs=modalities_first(Subsets(*log_probs)),
            label=splits[split].label,
            log_prior=self._run.dataset.log_prior,
            present=splits[split].present,
        )

    def replace(
        self,
        *,
        params: Any = None,
        state: Any = None,
        memory: Any = None,
        keep_moments: bool = False,
    ) -> None:
        given = {"params": params, "state": state, "memory": memory}
        parts = {k: part for k, part in given.items() if part is not None}
        fitted = {
            name: self._fitted(name, part, getattr(self.variables, name))
            for name, part in parts.items()
        }
        if params is not None and not keep_moments:
            changed = _changed(self.variables.params, fitted["params"])
            self._renewed = jax.tree.map(
                lambda a, b: a or b, self.renewed, changed
            )
        self._variables = self.variables.replace(**fitted)
        self.replaced |= parts.keys()

    def fork(
        self,
        steps: int,
        *,
        variables: Any = None,
        mask: Sequence[float] | None = None,
        phase: Any = None,
        rows: np.ndarray | None = None,
    ) -> Variables:
        start, renewed = self.variables, self.renewed
        if variables is not None:
            changed = _changed(start.params, variables.params)
            renewed = jax.tree.map(lambda a, b: a or b, renewed, changed)
            start = variables
        state = _put(
            self._run,
            parallel.alone(self._before.state, self._index),
            parallel.put([start]),
            [renewed],
        )
        batches = self._batches(mask, rows)
        for batch, own in itertools.islice(batches, steps):
            state, metrics = self._run.train_step(
                state, batch, own if phase is None else phase
            )
            # See `metering.Meter.add`.
            jax.block_until_ready(metrics)
        (variables,) = parallel.fetch(state.variables)
        return variables

    def _batches(
        self, mask: Sequence[float] | None, rows: np.ndarray | None
    ) -> Iterator[tuple[Any, Any]]:
        """Batches of this epoch and those after it, and their phases."""
        run, count = self._run, len(self.modalities)
        kept = np.ones(count) if mask is None else np.asarray(mask)
        if kept.shape != (count,) or not np.isin(kept, (0, 1)).all():
            raise ValueError(
                f"mask must be {count} numbers 0 or 1, got {mask!r}"
            )
        split = run.dataset.splits["train"]
        if rows is not None:
            split = split.where(np.isin(np.arange(len(split)), rows))
            pipeline.steps_per_epoch(split, run.config.data.batch_size)
        for number in itertools.count(self.number):
            count, make = pipeline.epoch_batches(
                split,
                run.config.data.batch_size,
                seed=self._seed,
                epoch=number,
            )

            def masked(number: int, make: Any = make) -> dict:
                batch = make(number)
                seen = batch["mask"] * kept.astype(np.float32)
                return batch | {"mask": seen}

            batches = pipeline.Batches(count, parallel.side_by_side([masked]))
            for batch in pipeline.stream(split, batches):
                yield batch, run.method.phase(number, len(self.modalities))

    def _fitted(self, name: str, new: Any, old: Any) -> Any:
        """Returns `new` as NumPy arrays.

        Raises:
          InputError: It is another tree than `old`, or has an array of another
            shape or dtype.
        """
        where = f"method '{self._run.config.method.name}': {name}"
        if len({jax.tree.structure(tree) for tree in (new, old)}) > 1:
            raise InputError(f"{where} were replaced by another tree")

        def fitted(path: Any, x: Any, y: np.ndarray) -> np.ndarray:
            x = np.asarray(x)
            if (x.shape, x.dtype) != (y.shape, y.dtype):
                raise InputError(
                    f"{where}{jax.tree_util.keystr(path)} are {y.dtype}"
                    f"{list(y.shape)}, and were replaced by {x.dtype}"
                    f"{list(x.shape)}"
                )
            return x

        return jax.tree_util.tree_map_with_path(fitted, new, old)


def _changed(old: Any, new: Any) -> Any:
    return jax.tree.map(lambda a, b: not np.array_equal(a, b), old, new)


def _put(
    run: Run, state: TrainState, variables: Variables, renewed: list[Any]
) -> TrainState:
    """Returns the runs' state with other variables.

    Args:
      run: What is trained.
      state: Training state, on the devices as are `variables`.
      variables: Those to put in place.
      renewed: For each run, which parameters' moments start anew.
    """
    opt_state = state.opt_state
    if any(jax.tree.leaves(renewed)):
        opt_state = run.renew_moments(
            opt_state, variables.params, parallel.put(renewed)
        )
    return parallel.replicate(
        state.replace(variables=variables, opt_state=opt_state)
    )


def _checked_copies(run: Run, copies: Copies | None) -> Copies:
    """Returns copies as the checkpoint holds them.

    Raises:
      InputError: Another number of them than the method announced, a row that
        there is not, or a copy of which every modality is masked.
    """
    name, modalities = run.config.method.name, len(run.model.modalities)
    train = run.dataset.splits["train"]
    count, rows = run.schedule.copies, len(train)
    if copies is None:
        raise InputError(
            f"method '{name}': no copies; {count} copies were announced"
        )
    row = np.asarray(copies.row, np.int32)
    mask = np.asarray(copies.mask, np.float32)
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
    if train.present is not None:
        none = ~(mask * train.present[row]).any(axis=1)
        if none.any():
            at = int(np.flatnonzero(none)[0])
            raise InputError(
                f"method '{name}': copy {at} is of modalities that its row, "
                f"{row[at]}, lacks"
            )
    return Copies(row, mask)
