"""Work that is killed at random moments, and goes on.

Half of the signals come at any moment. Where checkpoints are written, the other
half come while one is; a process sends itself those.
"""

import functools
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arm_jax.studies.torture import trials, work
from arm_jax.studies.torture.trials import FORKED, Outcome, Part
from arm_jax.studies.torture.victim import Blow, Child
from arm_jax.workdir import read_json, write_json

# Seconds that whoever is left has to notice.
NOTICE = 60.0
REFERENCES = "references"
# Seconds within which a checkpoint is written.
_SAVE = 0.15
# Signals of one trial.
KILLS = 5
PAIR_KILLS = 2
_EPOCHS = 8


class Kind(NamedTuple):
    """Work of one kind.

    Attributes:
      does: Function of `work`.
      arguments: Its arguments but the last, the folder, from the file of data.
      saves: Checkpoints that it writes.
      together: Number of processes.
    """

    does: Callable[..., Mapping[str, str] | None]
    arguments: Callable[[Path], tuple[Any, ...]]
    saves: int = 0
    together: int = 1


def _trained(file: Path) -> tuple[Any, ...]:
    return (work.training(file, _EPOCHS),)


KINDS = {
    "training": Kind(work.train, _trained, saves=_EPOCHS + 1),
    "pair": Kind(work.train, _trained, together=2),
    "comparison": Kind(work.comparison, lambda file: (file,), saves=8),
    "preparation": Kind(work.preparation, lambda _: (1,)),
    "threads": Kind(work.preparation, lambda _: (3,)),
    "quantify": Kind(work.quantified, lambda file: (file,)),
    "study": Kind(work.study, lambda _: ()),
}


def start(
    kind: Kind,
    folder: Path,
    name: str,
    *,
    workdir: Path | None = None,
    file: Path | None = None,
    **how: Any,
) -> list[Child]:
    """Starts work of a kind, on the data of all parts or in a file.

    Into `folder / name`, or `workdir`; what it says is in `folder`.
    """
    file = file or references(folder) / "data.npz"
    arguments = (*kind.arguments(file), workdir or folder / name)
    if kind.together == 1:
        return [Child(kind.does, arguments, folder / f"{name}.err", **how)]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        coordinator = f"127.0.0.1:{listener.getsockname()[1]}"
    return [
        Child(
            kind.does,
            arguments,
            folder / f"{name}.{index}.err",
            together=(coordinator, kind.together, index),
            **how,
        )
        for index in range(kind.together)
    ]


def references(folder: Path) -> Path:
    """The folder that the parts share, beside that of each."""
    return folder.parent / REFERENCES


def told(name: str, folder: Path) -> Any:
    """What undisturbed work left: `found`, `seconds` and `bytes`."""
    return read_json(references(folder) / f"{name}.json")


def patience(name: str, folder: Path) -> float:
    """Seconds after which work of a kind hangs, on a machine that is busy."""
    return NOTICE + 10 * float(told(name, folder)["seconds"])


def reference(name: str, folder: Path, file: Path) -> None:
    """Does a kind of work undisturbed, and notes what it left, and its time.

    Twice: what is compiled is kept, and others begin with it.
    """
    kind = KINDS[name]
    found: list[dict[str, str]] = []
    for turn in range(2):
        began = time.monotonic()
        shutil.rmtree(folder / f"{name}{turn}", ignore_errors=True)
        children = start(kind, folder, f"{name}{turn}", file=file)
        for child in children:
            if child.wait():
                raise RuntimeError(child.said())
        found.append(children[0].found())
    if found[0] != found[1]:
        raise RuntimeError(f"two undisturbed runs differ: {differing(*found)}")
    length = time.monotonic() - began
    files = list((folder / f"{name}0").rglob("*"))
    size = sum(x.stat().st_size for x in files if x.is_file())
    told = {"found": found[0], "seconds": length, "bytes": size}
    write_json(folder / f"{name}.json", told)


def prepare(names: Iterable[str], folder: Path) -> None:
    """Makes the references of several kinds of work, side by side."""
    trials.compile_well(False)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "data.npz"
    if not file.exists():
        work.data(file)
    work.keep_compiled(folder / work.COMPILED, 0)
    missing = [n for n in names if not (folder / f"{n}.json").exists()]
    made = [
        FORKED.Process(target=reference, args=(name, folder, file))
        for name in missing
    ]
    for process in made:
        process.start()
    for process in made:
        process.join()
    for name in missing:
        if not (folder / f"{name}.json").exists():
            raise RuntimeError(f"undisturbed work fails: {name}, in {folder}")
    # A killed process leaves half of a program: from here on they only read.
    work.keep_compiled(folder / work.COMPILED, 1e9)


def differing(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Says in what two runs differ."""
    names = sorted(
        name
        for name in expected.keys() | found.keys()
        if expected.get(name) != found.get(name)
    )
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def killed(
    kinds: tuple[str, ...],
    signals: tuple[int, ...],
    kills: int,
    folder: Path,
    number: int,
    rng: np.random.Generator,
) -> Outcome:
    """Sends signals, and lets the work go on after each.

    Whenever it comes to its end, what it left is compared with what nothing
    disturbed, and it begins anew.

    Args:
      kinds: Of work, one of which is drawn.
      signals: One of which is drawn each time.
      kills: How many.
      folder: Of the part.
      number: Of the trial.
      rng: Draws.
    """
    name = kinds[number % len(kinds)]
    kind = KINDS[name]
    expected = told(name, folder)
    wrong: list[str] = []
    counts: dict[str, int] = {}
    sent, attempt = 0, 0
    while sent < kills or attempt == 0:
        own = f"{number}_{name}{attempt}"
        while sent < kills:
            blow = signals[int(rng.integers(len(signals)))]
            how = _drawn(kind, blow, rng)
            children = start(kind, folder, own, blow=how)
            place = int(rng.integers(len(children)))
            ended = _struck(
                children[place], blow, how, expected["seconds"], rng
            )
            wrong += _noticed(children, place, blow)
            if not ended:
                break
            sent += 1
            when = "in a save" if how else "at any moment"
            counts[when] = counts.get(when, 0) + 1
        children = start(kind, folder, own)
        for child in children:
            if status := child.wait():
                wrong.append(f"{own}: status {status}: {child.said()[-500:]}")
        found = children[0].found()
        if found != expected["found"]:
            odd = differing(expected["found"], found)
            wrong.append(f"{own}: other {odd}")
        attempt += 1
        if wrong:
            break
    return Outcome(sent, wrong, counts)


def _drawn(kind: Kind, number: int, rng: np.random.Generator) -> Blow | None:
    if not kind.saves or rng.random() < 0.5:
        return None
    # An early one of those to come: work that goes on has fewer.
    save = int(rng.integers(min(kind.saves, 4)))
    return Blow(number, save, float(rng.uniform(0, _SAVE)))


def _struck(
    child: Child,
    number: int,
    how: Blow | None,
    seconds: float,
    rng: np.random.Generator,
) -> bool:
    """Waits for the blow or deals it; false if the child ended before it."""
    if how is None:
        if child.wait(float(rng.uniform(0, seconds))) is not None:
            return False
        child.send(number)
    status = child.wait(NOTICE + 10 * seconds)
    if status is None:
        child.send(signal.SIGKILL)
        child.wait()
    return status != 0


def _noticed(children: list[Child], struck: int, number: int) -> list[str]:
    """Waits for the others; returns what any of them failed to do."""
    wrong = []
    for index, child in enumerate(children):
        status = child.wait(NOTICE)
        if status is None:
            child.send(signal.SIGKILL)
            child.wait()
            wrong.append(f"process {index} did not notice a signal {number}")
        # It may have been done by then, or not have begun to listen.
        elif status not in (0, 1, 2, 130, -number):
            wrong.append(
                f"process {index}: status {status}: {child.said()[-500:]}"
            )
    return wrong


def _part(
    title: str,
    kinds: tuple[str, ...],
    *signals: int,
    kills: int = KILLS,
) -> Part:
    return Part(
        title,
        functools.partial(killed, kinds, signals, kills),
        times=kills,
        kinds=kinds,
    )


PARTS = {
    "train": _part("kill -9 of a training", ("training",), signal.SIGKILL),
    "compare": _part(
        "kill -9 of a comparison", ("comparison",), signal.SIGKILL
    ),
    "prepare": _part(
        "kill -9 of a preparation", ("preparation", "threads"), signal.SIGKILL
    ),
    "quantify": _part("kill -9 of quantify", ("quantify",), signal.SIGKILL),
    "study": _part("kill -9 of a study", ("study",), signal.SIGKILL),
    "terms": _part(
        "SIGTERM",
        ("training", "comparison", "preparation", "quantify", "study"),
        signal.SIGTERM,
    ),
    "pairs": _part(
        "kill -9 of one of two processes",
        ("pair",),
        signal.SIGKILL,
        kills=PAIR_KILLS,
    ),
}
