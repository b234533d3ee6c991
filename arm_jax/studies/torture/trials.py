"""Trials by number: done by several processes, each in a line when it is done.

Processes are forked, so that none waits for the libraries: who starts trials
must not have started JAX, and runs JAX in children alone, see `victim`.
"""

import collections
import multiprocessing
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arm_jax.reports.pieces import markdown_table
from arm_jax.workdir import JsonLines

_HEADER = ["part", "times", "failures", "seconds of work", "what happened"]

# Failures that a line keeps, and characters of each.
_MOST, _LENGTH = 20, 2000
_FLAGS = os.environ.get("XLA_FLAGS", "")
_HURRY = "--xla_backend_optimization_level=0"
FORKED = multiprocessing.get_context("fork")


class Outcome(NamedTuple):
    """What a trial found.

    Attributes:
      times: How often it did what its part is about.
      wrong: What went wrong, a line each.
      counts: How often what happened, by name.
    """

    times: int
    wrong: list[str]
    counts: Mapping[str, int] = {}


class Part(NamedTuple):
    """A kind of trials.

    Attributes:
      title: What they are, in the table.
      trial: `trial(folder, number, rng) -> Outcome`; it works below `folder`,
        in what it names by its number.
      times: What a trial counts, about; as many trials are done as are needed.
      prepare: `prepare(folder)`, once, before the first trial.
      kinds: Kinds of work that it disturbs, whose references it needs.
      hurry: Whether to compile in a hurry: most programs run for a moment.
    """

    title: str
    trial: Callable[[Path, int, np.random.Generator], Outcome]
    times: int = 1
    prepare: Callable[[Path], None] | None = None
    kinds: tuple[str, ...] = ()
    hurry: bool = True


def do(
    part: Part,
    folder: Path,
    times: int,
    *,
    jobs: int,
    seed: int,
    until: float,
) -> list[dict[str, Any]]:
    """Does trials until their lines count `times`, or time is up.

    Args:
      part: Their kind.
      folder: Where to; its lines are in the file of its name beside it.
      times: What the lines are to count together.
      jobs: Number of processes.
      seed: Random seed.
      until: No trial is begun after this moment of `time.monotonic`.

    Returns:
      The lines.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = JsonLines(folder.with_suffix(".jsonl"))
    lines = log.read()
    log.keep(lines)
    done = {line["number"] for line in lines}
    missing = times - sum(line["times"] for line in lines)
    if missing <= 0:
        return lines
    compile_well(not part.hurry)
    if part.prepare is not None:
        part.prepare(folder)
    numbers = (n for n in range(2**31) if n not in done)
    cores = sorted(os.sched_getaffinity(0))
    with futures.ProcessPoolExecutor(
        jobs, FORKED, _begin, (FORKED.Value("i", 0), cores, jobs)
    ) as pool:
        for line in _until(pool, part, folder, numbers, missing, until, seed):
            log.append(line)
            lines.append(line)
    return lines


def compile_well(well: bool) -> None:
    """Says how processes to come compile: XLA reads it when it begins."""
    os.environ["XLA_FLAGS"] = _FLAGS if well else f"{_FLAGS} {_HURRY}"


def _until(
    pool: futures.Executor,
    part: Part,
    folder: Path,
    numbers: Iterator[int],
    missing: int,
    until: float,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Yields lines of trials, of which no more are under way than needed."""
    waiting: set[futures.Future[dict[str, Any]]] = set()
    while True:
        while (
            missing > len(waiting) * part.times
            and len(waiting) < 4 * (os.cpu_count() or 1)
            and time.monotonic() < until
        ):
            waiting.add(pool.submit(_one, part, folder, next(numbers), seed))
        if not waiting:
            return
        ready, waiting = futures.wait(
            waiting, return_when=futures.FIRST_COMPLETED
        )
        for future in ready:
            line = future.result()
            missing -= line["times"]
            yield line


def _begin(counter: Any, cores: list[int], jobs: int) -> None:
    """Gives a process its own cores, as far as they go."""
    with counter.get_lock():
        place, counter.value = counter.value, counter.value + 1
    own = cores[place % len(cores) :: jobs] if jobs <= len(cores) else cores
    os.sched_setaffinity(0, own or cores)


def _one(part: Part, folder: Path, number: int, seed: int) -> dict[str, Any]:
    began = time.monotonic()
    try:
        found = part.trial(
            folder, number, np.random.default_rng([seed, number])
        )
    # A defect of the trial is a failure of the campaign, and does not end it.
    except Exception:  # noqa: BLE001
        found = Outcome(part.times, [traceback.format_exc(limit=-4)])
    if not found.wrong:
        for left in folder.glob(f"{number}_*"):
            shutil.rmtree(left, ignore_errors=True)
    return {
        "number": number,
        "times": found.times,
        "failures": len(found.wrong),
        "wrong": [line[:_LENGTH] for line in found.wrong[:_MOST]],
        "counts": dict(found.counts),
        "seconds": round(time.monotonic() - began, 2),
    }


def summary(part: Part, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns a part's title and what its lines count together."""
    counts: collections.Counter[str] = collections.Counter()
    for line in lines:
        counts.update(line["counts"])
    return {
        "part": part.title,
        **{
            name: sum(line[name] for line in lines)
            for name in ("times", "failures", "seconds")
        },
        "counts": dict(counts.most_common()),
    }


def table(found: list[dict[str, Any]]) -> str:
    """Returns the summaries of parts as a table."""
    rows = [
        [
            one["part"],
            f"{one['times']:,}",
            str(one["failures"]),
            f"{one['seconds']:,.0f}",
            ", ".join(f"{n:,} {what}" for what, n in one["counts"].items()),
        ]
        for one in found
    ]
    return markdown_table(_HEADER, rows)
