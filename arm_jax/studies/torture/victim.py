"""Work that is to be killed, in a forked child with JAX of its own."""

import dataclasses
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from absl import logging as absl_logging

from arm_jax import checkpoint, failures, launch, processes
from arm_jax.errors import InputError, TrainingError
from arm_jax.studies.torture.trials import FORKED
from arm_jax.workdir import write_text


@dataclasses.dataclass(frozen=True)
class Blow:
    """A signal that a child sends itself while it saves a checkpoint.

    Attributes:
      signal: Its number.
      save: The save, from 0.
      after: Seconds since its begin.
    """

    signal: int
    save: int
    after: float


class Child:
    """A child at its work."""

    def __init__(
        self,
        work: Callable[..., Mapping[str, str] | None],
        arguments: tuple[Any, ...],
        errors: Path,
        *,
        limit: Callable[[], None] | None = None,
        blow: Blow | None = None,
        together: tuple[str, int, int] | None = None,
    ) -> None:
        """Starts it.

        Args:
          work: What it does; returns digests of what it left, None if it was
            interrupted.
          arguments: Of `work`.
          errors: File of what it says.
          limit: Called in the child before its work.
          blow: What it does to itself.
          together: Coordinator, number of processes, and number of this one.
        """
        self.errors, self._found = errors, errors.with_suffix(".found")
        self._found.unlink(missing_ok=True)
        self._process = FORKED.Process(
            target=_child,
            args=(
                work, arguments, errors, self._found, limit, blow, together,
            ),
        )  # fmt: skip
        self._process.start()

    def running(self) -> bool:
        """Whether it is still at work."""
        return self._process.is_alive()

    def send(self, number: int) -> None:
        """Sends it a signal."""
        os.kill(self._process.pid or 0, number)

    def wait(self, seconds: float | None = None) -> int | None:
        """Waits; returns its status, negative of a signal, None if it runs."""
        self._process.join(seconds)
        return self._process.exitcode

    def found(self) -> dict[str, str]:
        """The digests of what it left; none if it did not come to its end."""
        if not self._found.exists():
            return {}
        return dict(json.loads(self._found.read_text(encoding="utf-8")))

    def said(self) -> str:
        """What it wrote to stderr."""
        return self.errors.read_text(encoding="utf-8", errors="replace")

    def sentence(self) -> str:
        """The error that it ended with, empty if it is not one sentence."""
        lines = [x for x in self.said().splitlines() if x.startswith("error: ")]
        return (
            lines[0]
            if len(lines) == 1 and "Traceback" not in (self.said())
            else ""
        )


def _child(
    work: Callable[..., Mapping[str, str] | None],
    arguments: tuple[Any, ...],
    errors: Path,
    found: Path,
    limit: Callable[[], None] | None,
    blow: Blow | None,
    together: tuple[str, int, int] | None,
) -> None:
    file = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, 2)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    # As commands have it: libraries report an error before they raise it.
    absl_logging.set_verbosity(absl_logging.FATAL)
    status = 3
    try:
        status = _work(work, arguments, found, limit, blow, together)
    except (InputError, TrainingError) as error:
        status = _fail(str(error), 2)
    except BaseException as error:  # noqa: BLE001
        sentence = failures.explain(error, str(arguments[-1]))
        if sentence is None:
            processes.defect(error)
            traceback.print_exc()
        else:
            status = _fail(sentence, 1)
    sys.stderr.flush()
    # At once, as commands of several processes end.
    os._exit(status)


def _work(
    work: Callable[..., Mapping[str, str] | None],
    arguments: tuple[Any, ...],
    found: Path,
    limit: Callable[[], None] | None,
    blow: Blow | None,
    together: tuple[str, int, int] | None,
) -> int:
    if limit is not None:
        limit()
    if together is not None:
        launch.start(*together)
    if blow is not None:
        _strike(blow)
    left = work(*arguments)
    if left is not None:
        write_text(found, json.dumps(dict(left)))
    processes.finish()
    if together is not None:
        # As where the interpreter ends: process 0 takes with it what the others
        # may still be connected to.
        jax.distributed.shutdown()
    return 130 if left is None else 0


def _fail(sentence: str, status: int) -> int:
    sys.stderr.write(f"error: {sentence}\n")
    processes.fail(sentence)
    return status


def _strike(blow: Blow) -> None:
    """Lets a thread deal the blow."""
    begun, count, save = threading.Event(), [0], checkpoint.Checkpoints.save

    def saved(*arguments: Any, **named: Any) -> None:
        if count[0] == blow.save:
            begun.set()
        count[0] += 1
        save(*arguments, **named)

    def strike() -> None:
        begun.wait()
        time.sleep(blow.after)
        os.kill(os.getpid(), blow.signal)

    checkpoint.Checkpoints.save = saved  # type: ignore[method-assign]
    threading.Thread(target=strike, daemon=True).start()
