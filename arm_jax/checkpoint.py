"""Checkpoints of a run: the latest two, each with the best on validation.

Orbax writes into a temporary folder and renames it, so a checkpoint that has
a name is complete. Beside its files lie their digests. One whose files are not
those that were written is damaged: it is moved aside, and the one before it is
used. One that is whole but does not fit the run is not damaged, and stays.

Of several processes, which all have the whole state, the first saves it alone
and restores it for all. Orbax can let all of them take part, but then all need
the same folder, and there are barriers at which a process that died is waited
for; there is nothing to gain from either as long as the state is replicated.
"""

import contextlib
import hashlib
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from arm_jax import parallel, processes
from arm_jax.errors import InputError, TrainingError
from arm_jax.workdir import read_json, sync, write_json

_log = logging.getLogger(__name__)

DIGESTS = "digests.json"
# Digest of the lines of metrics up to a checkpoint, in its folder.
METRICS = "metrics.json"
_TREE, _FOLDER = "run", "checkpoints"
# What is said of writes that end, or were to begin, when others have failed.
_LATE, _MISSED = "Event loop is closed", "coroutine .* was never awaited"
# Arrays that a message lists.
_MOST_MISFITS = 3


class Checkpoints:
    """The folder `checkpoints` of a workdir; close it, or use it in a with."""

    def __init__(self, workdir: Path) -> None:
        # Orbax refuses relative paths, on reading as if there were damage.
        workdir = workdir.absolute()
        self._directory = workdir / _FOLDER
        self._damaged = workdir / "checkpoints_damaged"
        self._checkpointer: Any = self._open() if processes.leads() else None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        if self._checkpointer is not None:
            with _as_one_process(), _errors_told_once():
                self._checkpointer.close()

    def save(self, step: int, tree: Any, metrics: Path | None = None) -> None:
        """Saves a pytree of replicated arrays under the name `step`.

        Args:
          step: Number of steps that it is behind.
          tree: The arrays.
          metrics: File of the lines up to this step, which `check_metrics`
            recognises.

        Raises:
          TrainingError: The arrays are not the same in all processes.
        """
        _check_equal(step, tree)
        if self._checkpointer is None:
            return
        with _as_one_process(), _errors_told_once():
            # From the host, or Orbax cuts each array by programs of its own.
            self._checkpointer.save_checkpointables(
                step, {_TREE: jax.tree.map(_on_host, tree)}, force=True
            )
        folder = self._directory / str(step)
        if metrics is not None:
            # Or a digest outlives a failing power, and its lines do not.
            if metrics.exists():
                sync(metrics)
            write_json(folder / METRICS, _digest(metrics))
        write_json(folder / DIGESTS, _digests(folder))

    def restore_latest(
        self, like: Any, *, set_aside: bool = True
    ) -> tuple[int, Any] | None:
        """Restores the newest checkpoint that is not damaged.

        Args:
          like: Pytree of arrays with the wanted shapes and shardings.
          set_aside: Move damaged checkpoints out of the way of those to come;
            False, for reading only, leaves everything where it is.

        Returns:
          (step, pytree), or None if there is no checkpoint.

        Raises:
          InputError: Every checkpoint is damaged; or the newest whole one has
            other arrays than `like`: then nothing is moved.
        """
        found = None
        if processes.leads():
            with _as_one_process():
                found = self._restore(like, set_aside)
        if processes.alone():
            return found
        step = processes.tell(None if found is None else found[0])
        if step is None:
            return None
        return step, parallel.share(like if found is None else found[1])

    def _restore(self, like: Any, set_aside: bool) -> tuple[int, Any] | None:
        steps = self.steps()
        for step in reversed(steps):
            damage = self._damage_of(step, like)
            if damage is None:
                self._check_fit(step, like)
                if set_aside:
                    self._complete(step)
                return step, self._load(step, like)
            _log.warning(
                "checkpoint %s is damaged: %s",
                self._directory / str(step),
                damage,
            )
            if set_aside:
                self._set_aside(step)
        if steps:
            moved = f"; they are now in {self._damaged}" if set_aside else ""
            raise InputError(
                f"every checkpoint in {self._directory} is damaged{moved}: "
                "restore them from a copy, or use another workdir"
            )
        return None

    def steps(self) -> list[int]:
        """Returns the steps that have a checkpoint, ascending."""
        return [c.step for c in self._checkpointer.checkpoints]

    def set_aside(self) -> list[Path]:
        """Returns the damaged checkpoints that were moved aside."""
        if not self._damaged.is_dir():
            return []
        return sorted(self._damaged.iterdir())

    def _open(self) -> ocp.training.Checkpointer:
        with _as_one_process():
            return ocp.training.Checkpointer(
                self._directory,
                preservation_policy=(
                    ocp.training.preservation_policies.LatestN(2)
                ),
            )

    def _damage_of(self, step: int, like: Any) -> str | None:
        """Says what is wrong with the files of a checkpoint, None if nothing.

        The digests are missing if the process was killed between the last
        file and them. Then the files are all there, but nothing shows it.
        """
        folder = self._directory / str(step)
        try:
            written = read_json(folder / DIGESTS)
        except (FileNotFoundError, InputError):
            written = None
        if not isinstance(written, dict):
            readable = self._readable(step, like)
            return None if readable else "no part of it can be read"
        present = _digests(folder)
        for name, digest in written.items():
            if name not in present:
                return f"{name} is missing"
            if present[name] != digest:
                return f"{name} is not as it was written"
        return None

    def _complete(self, step: int) -> None:
        """Writes the digests that a killed process did not come to."""
        folder = self._directory / str(step)
        for begun in folder.glob("*.tmp"):
            begun.unlink()
        if not (folder / DIGESTS).exists():
            write_json(folder / DIGESTS, _digests(folder))

    def _readable(self, step: int, like: Any) -> bool:
        try:
            metadata = self._checkpointer.checkpointables_metadata(step)
            if metadata.metadata[_TREE] is None:
                return False
            # One that does not fit is not damaged, as far as this goes.
            if not self._misfits(step, like):
                self._load(step, like)
        # Damage shows as any of a dozen exceptions of several libraries.
        except Exception:  # noqa: BLE001
            return False
        return True

    def _check_fit(self, step: int, like: Any) -> None:
        """Raises InputError if a checkpoint's arrays are others than `like`."""
        misfits = self._misfits(step, like)
        if misfits:
            more = len(misfits) - _MOST_MISFITS
            shown = "; ".join(misfits[:_MOST_MISFITS])
            shown += f"; and {more} more" if more > 0 else ""
            raise InputError(
                f"checkpoint {self._directory / str(step)} is whole but does "
                f"not fit this run ({shown}): restore the data, the settings "
                "and the sources it was made with, or use another workdir"
            )

    def _misfits(self, step: int, like: Any) -> list[str]:
        """Says which arrays of a checkpoint are others than in `like`."""
        metadata = self._checkpointer.checkpointables_metadata(step)
        there = _arrays(metadata.metadata[_TREE])
        wanted = _arrays(jax.eval_shape(_without_keys, like))
        return [
            f"{name} is {there.get(name, 'missing')} there, "
            f"{wanted.get(name, 'missing')} now"
            for name in sorted(there.keys() | wanted.keys())
            if there.get(name) != wanted.get(name)
        ]

    def _load(self, step: int, like: Any) -> Any:
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(
                x.shape, x.dtype, sharding=x.sharding
            ),
            like,
        )
        return self._checkpointer.load_checkpointables(step, {_TREE: abstract})[
            _TREE
        ]

    def _set_aside(self, step: int) -> None:
        self._damaged.mkdir(exist_ok=True)
        number = len(list(self._damaged.iterdir()))
        target = self._damaged / f"{step}_{number}"
        (self._directory / str(step)).rename(target)
        _log.warning("moved it to %s", target)
        self._checkpointer.close()
        self._checkpointer = self._open()


def check_metrics(workdir: Path, step: int) -> None:
    """Checks the lines of metrics up to a checkpoint, as they are kept.

    Raises:
      InputError: They are not those that were written.
    """
    metrics = workdir / "metrics.jsonl"
    file = workdir / _FOLDER / str(step) / METRICS
    if file.exists() and read_json(file) != _digest(metrics):
        raise InputError(
            f"{metrics} is not as it was written up to step {step}: "
            "restore the file from a copy, or use another workdir"
        )


@contextlib.contextmanager
def _errors_told_once() -> Iterator[None]:
    """Hides what Orbax still prints after an error that the caller gets.

    When a write fails, on a full disk, Orbax closes its loop and raises. Other
    writes under way then end, and find it closed, each with a traceback ahead
    of the one sentence; what was not begun yet is missed. They may come after
    the block, so this stays if that raised; all else is told as before.
    """
    tell = sys.unraisablehook

    def but_late_ones(told: Any) -> None:
        error = told.exc_value
        if not (isinstance(error, RuntimeError) and str(error) == _LATE):
            tell(told)

    sys.unraisablehook = but_late_ones
    try:
        yield
    except Exception:
        warnings.filterwarnings("ignore", _MISSED, RuntimeWarning)
        raise
    except BaseException:
        sys.unraisablehook = tell
        raise
    sys.unraisablehook = tell


@contextlib.contextmanager
def _as_one_process() -> Iterator[None]:
    """Lets Orbax see a single process, and so wait for no other.

    It has an option for that, `active_processes`, which its checkpointer
    refuses and its functions forget when they save.
    """
    counted = jax.process_count
    jax.process_count = lambda backend=None: 1
    try:
        yield
    finally:
        jax.process_count = counted


def _check_equal(step: int, tree: Any) -> None:
    """Raises TrainingError unless all processes have the same arrays.

    JAX takes it for granted, see arm_jax.parallel.
    """
    if processes.alone():
        return
    sha = hashlib.sha256()
    for x in jax.tree.leaves(jax.device_get(_without_keys(tree))):
        sha.update(np.ascontiguousarray(x).tobytes())
    digests = processes.gather(sha.hexdigest())
    odd = [i for i, digest in enumerate(digests) if digest != digests[0]]
    if odd:
        raise TrainingError(
            f"at step {step} the state of process {odd[0]} is not that of "
            "process 0: are machines and packages the same? The checkpoints "
            "before it are kept"
        )


def _on_host(x: Any) -> Any:
    if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
        return x
    return np.asarray(x)


def _digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file of a checkpoint, by relative path."""
    digests = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name not in (DIGESTS, DIGESTS + ".tmp"):
            digests[file.relative_to(folder).as_posix()] = _digest(file)
    return digests


def _digest(file: Path) -> str:
    """Returns the SHA-256 of a file, of nothing if it is not there."""
    if not file.exists():
        return hashlib.sha256().hexdigest()
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _without_keys(tree: Any) -> Any:
    """Replaces random keys by their bits, as checkpoints hold them."""
    return jax.tree.map(
        lambda x: (
            jax.random.key_data(x)
            if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
            else x
        ),
        tree,
    )


def _arrays(tree: Any) -> Mapping[str, str]:
    """Returns "dtype[shape]" of each array of a pytree, by its path."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        "/".join(_entry(part) for part in path): (
            f"{leaf.dtype}[{', '.join(map(str, leaf.shape))}]"
        )
        for path, leaf in leaves
        if hasattr(leaf, "shape")
    }


def _entry(part: Any) -> str:
    """Returns one step of a path, whatever kind of container it is in."""
    for name in ("name", "key", "idx"):
        if hasattr(part, name):
            return str(getattr(part, name))
    return str(part)
