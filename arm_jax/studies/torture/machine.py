"""What a machine may do to work: refuse room, rights and memory, and worse.

Right is one sentence; and that, once things are as they should be, the same
work goes on to the end of what nothing disturbed.
"""

import contextlib
import functools
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.studies.torture import kills
from arm_jax.studies.torture.trials import Outcome, Part
from arm_jax.studies.torture.victim import Blow, Child

_KINDS = ("training", "preparation", "study")
_PAGE = 2**12
Rng = np.random.Generator
Trial = Callable[[Path, str, str, Rng], Outcome]


def _start(
    kind: str, folder: Path, name: str, workdir: Path, **how: Any
) -> Child:
    (child,) = kills.start(
        kills.KINDS[kind], folder, name, workdir=workdir, **how
    )
    return child


def _ends(
    kind: str, folder: Path, name: str, workdir: Path, **how: Any
) -> list[str]:
    """Lets work go on to its end; returns what is wrong with that."""
    child = _start(kind, folder, name, workdir, **how)
    if status := child.wait():
        return [f"{name}: then status {status}: {child.said()[-800:]}"]
    told, found = kills.told(kind, folder)["found"], child.found()
    if found != told:
        return [f"{name}: other {kills.differing(told, found)}"]
    return []


def _refused(
    child: Child, name: str, patience: float, *words: str
) -> tuple[list[str], str]:
    """Waits for a sentence with one of these words, unless all went well."""
    status = child.wait(patience)
    if status is None:
        child.send(signal.SIGKILL)
        child.wait()
        return [f"{name}: it hangs"], "hung"
    if status == 0:
        return [], "not hindered"
    sentence = child.sentence()
    if status in (1, 2) and any(word in sentence.lower() for word in words):
        return [], "one sentence"
    return [f"{name}: status {status}: {child.said()[-1500:]}"], "no sentence"


def mounts() -> bool:
    """Whether file systems can be mounted here."""
    return os.geteuid() == 0 and bool(shutil.which("mount"))


@contextlib.contextmanager
def _disk(place: Path, size: int) -> Iterator[Path]:
    """Mounts a file system of so many bytes in memory."""
    place.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={max(size, _PAGE)}", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def full(folder: Path, name: str, kind: str, rng: Rng) -> Outcome:
    """A disk is full: a small file system, or one that takes small files only.

    The second where nothing can be mounted.
    """
    used = kills.told(kind, folder)["bytes"]
    if not mounts():
        return _short(folder, name, kind, rng)
    with _disk(folder / f"{name}_disk", int(used * rng.uniform(0.02, 1))) as at:
        child = _start(kind, folder, name, at / "run")
        patience = kills.patience(kind, folder)
        wrong, what = _refused(child, name, patience, "no space left")
        _mount("-o", f"remount,size={8 * used + 2**24}", str(at))
        wrong += _ends(kind, folder, name, at / "run")
    return Outcome(1, wrong, {f"full disk: {what}": 1})


def _short(folder: Path, name: str, kind: str, rng: Rng) -> Outcome:
    """No file may be longer than some bytes."""
    # Room for the sentence itself, which goes to a file, too.
    most = int(10 ** rng.uniform(2.5, 4.5))
    limit = functools.partial(
        resource.setrlimit,
        resource.RLIMIT_FSIZE,
        (most, resource.RLIM_INFINITY),
    )
    at = folder / f"{name}_short"
    child = _start(kind, folder, name, at, limit=limit)
    patience = kills.patience(kind, folder)
    wrong, what = _refused(child, name, patience, "file too large", "error: ")
    return Outcome(
        1, wrong + _ends(kind, folder, name, at), {f"file limit: {what}": 1}
    )


def read_only(folder: Path, name: str, kind: str, rng: Rng) -> Outcome:
    """A folder lets nobody write, from the beginning or after a kill."""
    if not mounts():
        return Outcome(1, [], {"read-only: left out": 1})
    with _disk(folder / f"{name}_disk", 2**28) as at:
        if rng.random() < 0.5:
            child = _start(kind, folder, name, at / "run")
            child.wait(float(rng.uniform(0, 6)))
            child.send(signal.SIGKILL)
            child.wait()
        _mount("-o", "remount,ro", str(at))
        child = _start(kind, folder, name, at / "run")
        patience = kills.patience(kind, folder)
        wrong, what = _refused(child, name, patience, "read-only")
        _mount("-o", "remount,rw", str(at))
        wrong += _ends(kind, folder, name, at / "run")
    return Outcome(1, wrong, {f"read-only: {what}": 1})


def two(folder: Path, name: str, kind: str, rng: Rng) -> Outcome:
    """Two processes want one folder; then the one that has it is killed."""
    at = folder / f"{name}_two"
    children = [_start(kind, folder, f"{name}_{i}", at) for i in range(2)]
    wrong, refusals = [], 0
    for _ in range(600):
        ended = [c for c in children if not c.running()]
        if ended:
            break
        time.sleep(0.1)
    for child in ended:
        status = child.wait()
        refusals += status == 2
        if status and "in use" not in child.sentence():
            wrong.append(f"{name}: status {status}: {child.said()[-800:]}")
    for child in children:
        if child not in ended:
            child.wait(float(rng.uniform(0, 2)))
            child.send(signal.SIGKILL)
            child.wait()
    if rng.random() < 0.5:
        (at / "lock").write_bytes(rng.bytes(50))
    wrong += _ends(kind, folder, name, at)
    return Outcome(1, wrong, {"two at once: one refused": refusals})


def changed(folder: Path, name: str, kind: str, rng: Rng) -> Outcome:
    """The data are others when a training goes on; then they are back."""
    del kind
    own = folder / f"{name}_data"
    own.mkdir()
    file, at = own / "data.npz", own / "run"
    shutil.copy(kills.references(folder) / "data.npz", file)
    blow = Blow(signal.SIGKILL, int(rng.integers(2, 8)), 0.01)
    _start("training", folder, name, at, file=file, blow=blow).wait()
    content = file.read_bytes()
    with np.load(file) as there:
        arrays = dict(there)
    arrays["loud"].flat[int(rng.integers(arrays["loud"].size))] += 1e-3
    np.savez(file, **arrays)
    child = _start("training", folder, name, at, file=file)
    patience = kills.patience("training", folder)
    wrong, what = _refused(child, name, patience, "other data")
    if what != "one sentence":
        wrong.append(f"{name}: changed data were {what}")
    file.write_bytes(content)
    wrong += _ends("training", folder, name, at, file=file)
    return Outcome(1, wrong, {f"changed data: {what}": 1})


def clocks(folder: Path, name: str, kind: str, rng: Rng) -> Outcome:
    """Clocks go backwards, and files are from the future, or very old."""
    at = folder / f"{name}_clock"
    back = functools.partial(_backwards, float(10 ** rng.uniform(-3, 6)))
    child = _start(kind, folder, name, at, limit=back)
    child.wait(float(rng.uniform(0, 8)))
    child.send(signal.SIGKILL)
    child.wait()
    when = time.time() + float(rng.choice([-1, 1])) * 10 ** rng.uniform(3, 8.5)
    for file in at.rglob("*"):
        os.utime(file, (when, when))
    return Outcome(1, _ends(kind, folder, name, at), {"clocks": 1})


def _backwards(seconds: float) -> None:
    """Lets the clock of a child go back by so much at each look."""
    now = time.time
    looks = iter(range(2**62))

    def earlier() -> float:
        return now() - seconds * next(looks)

    time.time = earlier
    time.time_ns = lambda: int(1e9 * earlier())


def memory(folder: Path, name: str, kind: str, rng: Rng) -> Outcome:
    """The system gives no more memory, from some moment on."""
    at = folder / f"{name}_memory"
    more = int(2 ** rng.uniform(22, 31.5))
    child = _start(
        kind, folder, name, at, limit=functools.partial(_no_more_than, more)
    )
    patience = kills.patience(kind, folder)
    status = child.wait(patience)
    wrong, what = [], "not hindered"
    if status is None:
        child.send(signal.SIGKILL)
        child.wait()
        wrong, what = [f"{name}: it hangs"], "hung"
    elif status < 0:
        # Libraries written in C++ end a process that gets none.
        what = "ended by a library"
    elif status:
        wrong, what = _refused(child, name, patience, "memory", "thread")
    return Outcome(
        1, wrong + _ends(kind, folder, name, at), {f"memory: {what}": 1}
    )


def _no_more_than(more: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


TRIALS: tuple[Trial, ...] = (
    full, two, memory, clocks, changed, read_only, full, _short, clocks, memory,
)  # fmt: skip


def tried(folder: Path, number: int, rng: Rng) -> Outcome:
    """One of the trials, in turns, of one kind of work."""
    trial = TRIALS[number % len(TRIALS)]
    kind = _KINDS[(number // len(TRIALS)) % len(_KINDS)]
    return trial(folder, f"{number}_{trial.__name__.strip('_')}", kind, rng)


PARTS = {
    "machine": Part(
        "the machine refuses, or changes",
        tried,
        kinds=_KINDS,
    ),
}
