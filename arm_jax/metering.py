"""Means of the metrics of several steps, and what is wrong with one."""

import jax
import numpy as np

from arm_jax import parallel
from arm_jax.errors import TrainingError


class Meter:
    """Means of step metrics, fetched late so that devices never wait."""

    def __init__(self, seeds: range, step: int) -> None:
        self._seeds = seeds
        self._step = step
        self._pending: list[dict[str, jax.Array]] = []

    def add(self, metrics: dict[str, jax.Array]) -> None:
        """Takes the metrics of one step of all runs; numbers are logged."""
        # No more than two steps in flight: a deeper queue gains nothing, and
        # can deadlock the collectives of virtual CPU devices.
        if self._pending:
            jax.block_until_ready(self._pending[-1])
        self._pending.append(parallel.scalars(metrics))

    def means(self) -> list[dict[str, float]]:
        """Means of each run since the last call.

        Raises:
          TrainingError: a metric of a step is not finite.
        """
        steps = jax.device_get(self._pending)
        self._pending = []
        for metrics in steps:
            self._step += 1
            runs = zip(self._seeds, parallel.by_run(metrics), strict=True)
            for seed, of_run in runs:
                self._check(of_run, seed)
        means = jax.tree.map(
            lambda *x: np.stack(x).mean(axis=0, dtype=np.float64), *steps
        )
        return [
            {name: float(x) for name, x in of_run.items()}
            for of_run in parallel.by_run(means)
        ]

    def _check(self, metrics: dict[str, np.ndarray], seed: int) -> None:
        """Raises TrainingError for what is not finite, the loss first."""
        for name in sorted(metrics, key=lambda name: name != "loss"):
            if np.isfinite(metrics[name]):
                continue
            what = name
            if name.startswith("state_norm_"):
                modality = name.removeprefix("state_norm_")
                what = (
                    f"config model.encoders.{modality}: the norm of the "
                    "encoder's running statistics"
                )
            raise TrainingError(
                f"{what} is {metrics[name]} at step {self._step} (seed {seed});"
                " the checkpoints before it are kept"
            )
