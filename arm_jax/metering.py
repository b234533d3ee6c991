"""Means of the metrics of several steps, and what is wrong with one."""

import jax
import numpy as np

from arm_jax.errors import TrainingError


class Meter:
    """Means of step metrics, fetched late so that devices never wait."""

    def __init__(self, seeds: range, step: int) -> None:
        self._seeds = seeds
        self._step = step
        self._pending: list[dict[str, jax.Array]] = []

    def add(self, metrics: dict[str, jax.Array]) -> None:
        """Takes the metrics of one step, with an axis of runs.

        What has more axes than that is not logged.
        """
        # No more than two steps in flight: a deeper queue gains nothing, and
        # can deadlock the collectives of virtual CPU devices.
        if self._pending:
            jax.block_until_ready(self._pending[-1])
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
