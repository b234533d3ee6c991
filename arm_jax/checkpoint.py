"""Checkpoints of a run: the latest two, each with the best on validation.

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
    """The folder `checkpoints` of a workdir; close it, or use it in a with."""

    def __init__(self, workdir: Path) -> None:
        # Orbax refuses relative paths, on reading as if there were damage.
        workdir = workdir.absolute()
        self._directory = workdir / "checkpoints"
        self._damaged = workdir / "checkpoints_damaged"
        self._checkpointer = self._open()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._checkpointer.close()

    def save(self, step: int, tree: Any) -> None:
        """Saves a pytree of replicated arrays under the name `step`."""
        self._checkpointer.save_checkpointables(step, {"run": tree}, force=True)

    def restore_latest(
        self, like: Any, *, set_aside: bool = True
    ) -> tuple[int, Any] | None:
        """Restores the newest readable checkpoint.

        Args:
          like: pytree of arrays with the wanted shapes and shardings.
          set_aside: move what cannot be read out of the way of checkpoints to
            come; who only reads leaves everything where it is.

        Returns:
          (step, pytree), or None if there is no checkpoint.

        Raises:
          InputError: there are checkpoints, and none can be read.
        """
        steps = self.steps()
        for step in reversed(steps):
            restored = self._load(step, like)
            if restored is not None:
                return step, restored
            if set_aside:
                self._set_aside(step)
        if steps:
            moved = (
                f"; the damaged ones are now in {self._damaged}; use another "
                "workdir to start anew"
                if set_aside
                else ""
            )
            raise InputError(
                f"no readable checkpoint in {self._directory}{moved}"
            )
        return None

    def steps(self) -> list[int]:
        """Returns the steps that have a checkpoint, ascending."""
        return [c.step for c in self._checkpointer.checkpoints]

    def _open(self) -> ocp.training.Checkpointer:
        return ocp.training.Checkpointer(
            self._directory,
            preservation_policy=(ocp.training.preservation_policies.LatestN(2)),
        )

    def _load(self, step: int, like: Any) -> Any:
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(
                x.shape, x.dtype, sharding=x.sharding
            ),
            like,
        )
        try:
            return self._checkpointer.load_checkpointables(
                step, {"run": abstract}
            )["run"]
        # Damage shows as any of a dozen exceptions of several libraries. The
        # configuration is known to be the same, so damage is what it is.
        except Exception as error:  # noqa: BLE001
            _log.warning(
                "checkpoint %s cannot be read (%s: %s)",
                self._directory / str(step),
                type(error).__name__,
                # Some go on for pages in a single line.
                str(error).partition("\n")[0][:200],
            )
            return None

    def _set_aside(self, step: int) -> None:
        self._damaged.mkdir(exist_ok=True)
        number = len(list(self._damaged.iterdir()))
        target = self._damaged / f"{step}_{number}"
        (self._directory / str(step)).rename(target)
        _log.warning("moved it to %s", target)
        self._checkpointer.close()
        self._checkpointer = self._open()
