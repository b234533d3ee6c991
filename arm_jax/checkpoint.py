"""Checkpoints of a run: the latest two, and the best on validation.

Orbax writes into a temporary folder and renames it, so a checkpoint that has
a name is complete; one that was damaged afterwards is moved aside and the one
before it is used.
"""

import logging
from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from arm_jax.errors import InputError

_log = logging.getLogger(__name__)


class Checkpoints:
    """The folder `checkpoints` of a workdir; close it, or use it in a with.

    A checkpoint holds the training state and the position in the data.
    """

    def __init__(self, workdir: Path) -> None:
        self._directory = workdir / "checkpoints"
        self._damaged = workdir / "checkpoints_damaged"
        self._checkpointer = self._open()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._checkpointer.close()

    def save(
        self, step: int, state: Any, data: Any, accuracy: float | None
    ) -> None:
        """Saves one checkpoint.

        Args:
          step: its name.
          state: pytree of replicated arrays.
          data: iterator with `get_state` and `set_state`.
          accuracy: on validation; None between validations, then the
            checkpoint is no candidate for the best one.
        """
        metrics = None
        if accuracy is not None:
            metrics = {"accuracy": accuracy, "step": step}
        self._checkpointer.save_checkpointables(
            step, {"state": state, "data": data}, metrics=metrics, force=True
        )

    def restore_latest(self, state: Any, data: Any) -> tuple[int, Any] | None:
        """Restores the newest readable checkpoint; sets `data` to its position.

        Args:
          state: pytree of arrays with the wanted shapes and shardings.
          data: iterator to be positioned.

        Returns:
          (step, state), or None if there is no checkpoint.

        Raises:
          InputError: there are checkpoints, and none can be read.
        """
        steps = self.steps()
        for step in reversed(steps):
            restored = self._load(step, {"state": state, "data": data})
            if restored is not None:
                return step, restored["state"]
            self._set_aside(step)
        if steps:
            raise InputError(
                f"no readable checkpoint in {self._directory}; the damaged "
                f"ones are now in {self._damaged}; use another workdir to "
                "start anew"
            )
        return None

    def restore_best(self, state: Any) -> tuple[int, Any]:
        """Restores (step, state) of the best checkpoint on validation.

        Of equal ones the earliest.

        Raises:
          InputError: there is none, or it cannot be read.
        """
        candidates = [
            c for c in self._checkpointer.checkpoints if c.metrics is not None
        ]
        if not candidates:
            raise InputError(f"no validated checkpoint in {self._directory}")
        step = max(candidates, key=lambda c: _rank(c.metrics)).step
        restored = self._load(step, {"state": state})
        if restored is None:
            raise InputError(
                f"the best checkpoint, {self._directory / str(step)}, cannot "
                "be read"
            )
        return step, restored["state"]

    def steps(self) -> list[int]:
        """Returns the steps that have a checkpoint, ascending."""
        return [c.step for c in self._checkpointer.checkpoints]

    def _open(self) -> ocp.training.Checkpointer:
        policies = ocp.training.preservation_policies
        return ocp.training.Checkpointer(
            self._directory,
            preservation_policy=policies.AnyPreservationPolicy(
                [
                    policies.LatestN(2),
                    policies.BestN(
                        get_metric_fn=_rank,
                        n=1,
                        keep_checkpoints_without_metrics=False,
                    ),
                ]
            ),
        )

    def _load(self, step: int, like: dict[str, Any]) -> dict[str, Any] | None:
        abstract = like | {
            "state": jax.tree.map(
                lambda x: jax.ShapeDtypeStruct(
                    x.shape, x.dtype, sharding=x.sharding
                ),
                like["state"],
            )
        }
        try:
            return self._checkpointer.load_checkpointables(step, abstract)
        # Damage shows as any of a dozen exceptions of several libraries. The
        # configuration is known to be the same, so damage is what it is.
        except Exception as error:  # noqa: BLE001
            _log.warning(
                "checkpoint %s cannot be read (%s: %s)",
                self._directory / str(step),
                type(error).__name__,
                str(error).splitlines()[0] if str(error) else "",
            )
            return None

    def _set_aside(self, step: int) -> None:
        self._damaged.mkdir(exist_ok=True)
        target = self._damaged / str(step)
        (self._directory / str(step)).rename(target)
        _log.warning("moved it to %s", target)
        self._checkpointer.close()
        self._checkpointer = self._open()


def _rank(metrics: dict[str, float]) -> tuple[float, float]:
    return metrics["accuracy"], -metrics["step"]
