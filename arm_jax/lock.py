"""One process per folder: a lock that names its holder.

The holder keeps the file `lock` of the folder open under a lock of the
operating system, which ends with the process, also by kill -9. Not every
network file system passes such locks on to other machines. The holder's name
in the file and its heartbeat, the time of the file's last change, decide there:
a holder on another machine is gone once its heart stops.

Nothing here loads JAX, so that a second process gets its answer at once.
"""

import contextlib
import datetime
import json
import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from arm_jax import processes
from bounds.errors import InputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_log = logging.getLogger(__name__)

NAME = "lock"
# Seconds between two heartbeats, and without one until a holder on another
# machine counts as gone.
HEARTBEAT = 5.0
PATIENCE = 30.0
# Where Windows, which lets nobody read what is locked, locks a byte.
_FAR = 2**30
_ATTEMPTS = 100
# Of a name that its holder may be about to write.
_READINGS = 10


@contextlib.contextmanager
def hold(
    folder: str | os.PathLike[str], what: str = "workdir"
) -> Iterator[Path]:
    """Holds the lock of a folder, which is made if it is missing.

    Of several processes that work together the one that leads holds it.

    A folder that was made here and is still empty at the end is removed.

    Args:
      folder: The folder; parents are created.
      what: What messages call it, such as the option that names it.

    Yields:
      Its absolute path.

    Raises:
      InputError: Another process holds it, which the message names; or the
        folder is a file.
    """
    path = Path(folder).expanduser().absolute()
    if not processes.leads():
        # Process 0 holds it for all, and does all that is done there.
        yield path
        return
    if path.exists() and not path.is_dir():
        raise InputError(f"{what} {path} is a file")
    made = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = _acquire(path, what)
        stopped = threading.Event()
        beat = threading.Thread(
            target=_beat, args=(path / NAME, stopped), daemon=True
        )
        beat.start()
        try:
            yield path
        finally:
            stopped.set()
            beat.join()
            _release(path / NAME, descriptor)
    finally:
        if made:
            # Not empty: something was done here.
            with contextlib.suppress(OSError):
                path.rmdir()


def check(folder: str | os.PathLike[str]) -> None:
    """Looks whether a folder is free, before anything costs time.

    It takes nothing, so that `hold` may still find the folder taken.

    Raises:
      InputError: A process of this machine holds it.
    """
    path = Path(folder).expanduser().absolute()
    if not (path / NAME).is_file():
        return
    holder = _holder(path / NAME)
    if _is_here(holder) and _runs(holder):
        raise InputError(_in_use(path, holder))


def _acquire(folder: Path, what: str) -> int:
    """Returns the descriptor of the locked file."""
    file = folder / NAME
    for _ in range(_ATTEMPTS):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            locked = _lock(descriptor)
            if locked is not False and not _is(file, descriptor):
                # Its holder removed it between our two calls.
                continue
            # Under the lock nobody is about to write a name.
            holder = _holder(file, attempts=1 if locked else _READINGS)
            if locked is False or (holder and _lives(file, holder)):
                raise InputError(_in_use(folder, holder, what))
            if not _is(file, descriptor):
                continue
            _write(descriptor, _myself())
            if locked is None:
                # Of several who found the file free, the last to write has it.
                time.sleep(0.2)
                holder = _holder(file)
                if holder.get("process") != os.getpid():
                    raise InputError(_in_use(folder, holder, what))
            descriptor, kept = -1, descriptor
            return kept
        finally:
            if descriptor >= 0:
                os.close(descriptor)
    raise InputError(f"{file} comes and goes: several processes want {folder}")


def _release(file: Path, descriptor: int) -> None:
    # Whoever opened the file before it is removed sees that it is another one
    # by then. Windows removes no open file.
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            if _is(file, descriptor):
                file.unlink()
    os.close(descriptor)
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            file.unlink()


def _lock(descriptor: int) -> bool | None:
    """Takes the operating system's lock; false if somebody else has it.

    None on a file system without locks: the holder's name decides alone.
    """
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # ENOLCK, ENOSYS, EOPNOTSUPP and others
        return None
    return True


def _is(file: Path, descriptor: int) -> bool:
    """Whether `file` is the open one, and not a new one of that name."""
    try:
        return os.path.samestat(os.stat(file), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lives(file: Path, holder: Mapping[str, Any]) -> bool:
    """Whether a holder that the operating system does not know of lives."""
    if _is_here(holder):
        return _runs(holder)
    _log.warning(
        "waiting to see whether process %s on %s still holds %s",
        holder.get("process"), holder.get("host"), file.parent,
    )  # fmt: skip
    before = _heart(file)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(min(1.0, HEARTBEAT / 4))
        if _heart(file) != before:
            return True
    return False


def _is_here(holder: Mapping[str, Any]) -> bool:
    """Whether the number of the holder is one of this machine, since boot."""
    me = _myself()
    return all(holder.get(name) == me[name] for name in ("host", "boot"))


def _runs(holder: Mapping[str, Any]) -> bool:
    """Whether a process of this machine runs, and is not another one by now."""
    if sys.platform == "win32":
        return False  # locks always work there
    try:
        os.kill(holder["process"], 0)
    except PermissionError:
        pass
    except (OSError, KeyError, TypeError, OverflowError):
        return False
    started = _started(holder["process"])
    return started is None or started == holder.get("started")


def _heart(file: Path) -> Any:
    # Opening makes a network file system ask its server.
    try:
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _beat(file: Path, stopped: threading.Event) -> None:
    while not stopped.wait(HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(file)


def _holder(file: Path, attempts: int = _READINGS) -> dict[str, Any]:
    """Returns the holder's name, empty if it wrote none yet."""
    for attempt in range(attempts):
        if attempt:
            time.sleep(0.02)
        try:
            holder = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            holder = {}
        if isinstance(holder, dict) and holder:
            return holder
    return {}


def _myself() -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC)
    return {
        "process": os.getpid(),
        "started": _started(os.getpid()),
        "host": platform.node(),
        "boot": _boot(),
        "since": now.isoformat(timespec="seconds"),
        "command": " ".join(sys.argv)[:200],
    }


def _started(process: int) -> str | None:
    """Returns when a process started, where the system says so."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    # Behind the name, which may hold anything, in parentheses.
    return status.rpartition(")")[2].split()[19]


def _boot() -> str:
    """Tells which numbers of processes belong together, as far as known."""
    parts = []
    for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with contextlib.suppress(OSError):
            parts.append(
                os.readlink(file)
                if file.endswith("pid")
                else Path(file).read_text(encoding="utf-8").strip()
            )
    return " ".join(parts)


def _write(descriptor: int, holder: Mapping[str, Any]) -> None:
    content = json.dumps(holder).encode()
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, content)


def _in_use(
    folder: Path, holder: Mapping[str, Any], what: str = "workdir"
) -> str:
    if not holder:
        return f"{what} {folder} is in use by another process"
    return (
        f"{what} {folder} is in use by process {holder.get('process')} on "
        f"{holder.get('host')} since {holder.get('since')} "
        f"({holder.get('command')}): wait for it, stop it, or choose another "
        f"{what}"
    )
