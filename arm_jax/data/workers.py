"""Processes that read and decode, and what they make of it.

They are begun once, when something is first asked for, and live as long as the
data set that they make batches of: an epoch of some thousand clips takes as
long as beginning a process does. What they make comes by a file in memory,
which is mapped and not copied; a pipe would be slower than the devices.
"""

import dataclasses
import mmap
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cloudpickle
import jax
import numpy as np
from threadpoolctl import threadpool_limits

from arm_jax.errors import InputError

# `make(rows, seeds) -> batch`, see `Source.make`.
Make = Callable[[np.ndarray, np.ndarray | None], Any]
_SHARED = "/dev/shm"
# As JAX wants arrays that it does not copy.
_ALIGNMENT = 64
# Seconds that are left to the process that began this one, where all of them
# are told to end, as schedulers do.
_GRACE = 60.0


class _Process(multiprocessing.context.SpawnProcess):
    """One that is ended at once where the pool is at its end.

    It does not heed a request, see `_end_later`, and would be waited for.
    """

    def terminate(self) -> None:
        self.kill()


class _Context(multiprocessing.context.SpawnContext):
    """Begins processes anew: forked ones would share locks of JAX's threads."""

    Process = _Process


def executor(
    count: int, begin: Callable[..., None] | None = None, *given: Any
) -> ProcessPoolExecutor:
    """Returns processes that end with this one, and not before.

    Args:
      count: How many.
      begin: `begin(*given)`, called in each of them first.
      *given: To be pickled.
    """
    return ProcessPoolExecutor(
        count,
        _Context(),
        initializer=_begin,
        initargs=(begin, *given),
    )


class Pool:
    """Makes batches in processes, by any number of threads at once."""

    def __init__(self, makes: Mapping[str, Make], count: int) -> None:
        """Begins nothing yet.

        Args:
          makes: What makes them, by name.
          count: How many processes.
        """
        self._makes, self._count = dict(makes), count
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None

    def take(
        self, name: str, rows: np.ndarray, seeds: np.ndarray | None
    ) -> Any:
        """Returns what `makes[name](rows, seeds)` does, made elsewhere.

        Raises:
          InputError: As that; or the system ended a process.
        """
        try:
            asked = self._begun().submit(_make, name, rows, seeds)
            path, placed = asked.result()
        except BrokenProcessPool as error:
            raise InputError(
                "a process that makes batches ended: the system ended it, "
                "perhaps for lack of memory (set a smaller config "
                "data.processes, and resume), or it could not begin, and said "
                "why"
            ) from error
        with path.open("rb+") as file:
            memory = mmap.mmap(file.fileno(), 0)
        # It goes with the last array on it.
        path.unlink()
        return jax.tree.map(
            lambda x: np.ndarray(x.shape, x.dtype, memory, x.offset), placed
        )

    def _begun(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._executor is None:
                # Functions of scripts and notebooks, too.
                makes = cloudpickle.dumps(self._makes)
                folders = [
                    Path(tempfile.mkdtemp(prefix="arm-jax-", dir=place))
                    for place in (_SHARED, None)
                    if place is None or os.access(place, os.W_OK)
                ]
                self._executor = executor(
                    self._count, _begin_making, makes, folders
                )
                weakref.finalize(self, _end, self._executor, folders)
            return self._executor


def _end(begun: ProcessPoolExecutor, folders: Sequence[Path]) -> None:
    begun.shutdown(wait=False, cancel_futures=True)
    _remove(folders)


def _remove(folders: Sequence[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class _Placed:
    """Where an array is in a file."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype


# What a process that makes batches makes them by, and where it leaves them.
_makes: dict[str, Make] = {}
_folders: list[Path] = []


def _begin_making(makes: bytes, folders: list[Path]) -> None:
    # Not data: what the process that began this one has just written.
    _makes.update(cloudpickle.loads(makes))
    _folders.extend(folders)


def _make(
    name: str, rows: np.ndarray, seeds: np.ndarray | None
) -> tuple[Path, Any]:
    leaves, tree = jax.tree.flatten(_makes[name](rows, seeds))
    arrays = [np.asarray(x, order="C") for x in leaves]
    sizes = [-(-x.nbytes // _ALIGNMENT) * _ALIGNMENT for x in arrays]
    *offsets, end = np.cumsum([0, *sizes]).tolist()
    path = _written(arrays, offsets, max(end, 1))
    placed = [
        _Placed(offset, x.shape, x.dtype)
        for x, offset in zip(arrays, offsets, strict=True)
    ]
    return path, jax.tree.unflatten(tree, placed)


def _written(
    arrays: Sequence[np.ndarray], offsets: Sequence[int], size: int
) -> Path:
    """Writes a file into the first folder that has room."""
    for last, folder in enumerate(_folders, start=1):
        # Containers give shared memory 64 MB.
        if shutil.disk_usage(folder).free < size and last < len(_folders):
            continue
        number, name = tempfile.mkstemp(dir=folder)
        try:
            with open(number, "wb") as file:
                for x, offset in zip(arrays, offsets, strict=True):
                    file.seek(offset)
                    file.write(x.reshape(-1).view(np.uint8).data)
                file.truncate(size)
        except OSError:
            # Others have filled it meanwhile.
            Path(name).unlink()
            if last == len(_folders):
                raise
        else:
            return Path(name)
    raise ValueError("no folder to write to")


def _begin(begin: Callable[..., None] | None, *given: Any) -> None:
    """Lets the process that began this one decide when to end."""
    # Products of matrices by all processors in each process only wait.
    threadpool_limits(1)
    # Control-C reaches all.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if begin is not None:
        begin(*given)


def _end_later(*_: Any) -> None:
    later = threading.Timer(_GRACE, os._exit, [1])
    later.daemon = True
    later.start()


def _end_with_parent() -> None:
    """Ends with a parent that was killed, before the next one takes over."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        _remove(_folders)
        os._exit(1)
