r"""Compares all methods on all data sets that are in memory, on many cores.

    python -m docs.checks.compare_all --workdir=runs/all \
        [--cores=16] [--seconds=480] [--sets=avdigits,watch,mfeat,mosi] \
        [--out=FOLDER]

Each method on each set is a comparison of its own (`configs/*.py:all`) in
parts/, by a process that has one core; the longest are begun first. Then the
runs are put together, and `compare` reads them where they are finished: the
workdir has compare_SET_all/ with table.md and summary.json, which `python -m
docs.tables --collect` takes over, ranks.md, and times.jsonl, a line per method
and set with the seconds and those of the processor. What is not finished after
`--seconds` is left out; the same command goes on with it. With `--out`, what is
small of it is copied there.

A set alone, as anyone would compare on it: `arm-jax compare
--config=avdigits:all`.
"""

import argparse
import contextlib
import dataclasses
import json
import multiprocessing
import os
import queue
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_EPOCHS = "COMPARE_ALL_EPOCHS"
SETS = ("avdigits", "watch", "mfeat", "mosi")
FIRST = ("joint", "uniform", "unimodal", "arm", "arm_guided")
# About how long a method takes, beside `joint`, by set: those that train
# several models. It is for the order alone.
_SEVERAL = {"linear_probe": 2.0, "umt": 2.5, "lfm": 2.0, "greedy": 1.5}
_MODALITIES = {"avdigits": 2, "watch": 2, "mfeat": 6, "mosi": 3}
_LENGTHS = {"avdigits": 1.0, "watch": 1.2, "mfeat": 2.0, "mosi": 2.5}


@dataclasses.dataclass(frozen=True)
class Task:
    """A method on a data set."""

    dataset: str
    label: str

    @property
    def length(self) -> float:
        """About how long it takes, in any unit."""
        count = _MODALITIES[self.dataset]
        factor = {"g_blending": count + 2.0, "mla": count, "mmpareto": count}
        times = factor.get(self.label, _SEVERAL.get(self.label, 1.0))
        return _LENGTHS[self.dataset] * times

    def folder(self, workdir: Path) -> Path:
        """Folder of its comparison."""
        return workdir / "parts" / self.dataset / self.label


def main(argv: Sequence[str] | None = None) -> None:
    """Runs all of it."""
    begun = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=480.0)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default="", help="methods; all if empty")
    parser.add_argument("--epochs", default="", help="to try it; 1")
    arguments = parser.parse_args(argv)
    workdir = arguments.workdir.resolve()
    workdir.mkdir(parents=True, exist_ok=True)
    cores = sorted(os.sched_getaffinity(0))[: arguments.cores]
    os.environ |= {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(workdir / "compiled"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        _EPOCHS: arguments.epochs,
    }
    names = arguments.sets.split(",")
    context = multiprocessing.get_context("spawn")
    # Data are prepared once, not by each process.
    with context.Pool(min(len(names), len(cores))) as pool:
        labels = dict(zip(names, pool.map(_prepared, names), strict=True))
    chosen = [x for x in arguments.only.split(",") if x]
    tasks = [
        Task(name, label)
        for name in names
        for label in labels[name]
        if not chosen or label in chosen
    ]
    print(f"{time.monotonic() - begun:.0f} s: data are there", flush=True)
    waiting, done = context.Queue(), context.Queue()
    # What all others are compared with is there, whatever else is not.
    for task in sorted(tasks, key=lambda t: (t.label not in FIRST, -t.length)):
        waiting.put(task)
    workers = [
        context.Process(target=_work, args=(workdir, core, waiting, done))
        for core in cores
    ]
    for worker in workers:
        worker.start()
    left = len(tasks)
    with (workdir / "times.jsonl").open("a", encoding="utf-8") as times:
        end = begun + arguments.seconds
        # One whose process the system ended never comes.
        while (
            left
            and time.monotonic() < end
            and any(worker.is_alive() for worker in workers)
        ):
            with contextlib.suppress(queue.Empty):
                line = done.get(timeout=1)
                left -= 1
                print(json.dumps(line), file=times, flush=True)
                print(f"{time.monotonic() - begun:.0f} s: {line}", flush=True)
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(timeout=5)
        worker.kill()
    for task in tasks:
        _move(task, workdir)
    with context.Pool(min(len(names), len(cores))) as pool:
        pool.starmap(_compared, [(workdir, name) for name in names])
    _rank(workdir, names)
    if arguments.out:
        _copy(workdir, arguments.out, names)
    print(f"{time.monotonic() - begun:.0f} s, {left} not done", flush=True)


def _config(name: str) -> dict[str, Any]:
    import importlib

    from experiments import cli

    return cli.to_dict(
        importlib.import_module(f"configs.{name}").compare("all")
    )


def _prepared(name: str) -> list[str]:
    """Prepares a data set; returns the methods."""
    from arm_jax import data

    config = _config(name)
    block = config["training"]["data"]
    for options in config["variants"].values():
        data.load(block["name"], {**block["options"], **options})
    return list(config["runs"])


def _work(workdir: Path, core: int, waiting: Any, done: Any) -> None:
    """Does tasks until there are none."""
    os.sched_setaffinity(0, {core})
    with (workdir / f"log_{core}.txt").open("a") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    from arm_jax.studies.comparison import compare

    while True:
        try:
            task = waiting.get(timeout=1)
        except queue.Empty:
            return
        wall, cpu = time.monotonic(), time.process_time()
        line = dataclasses.asdict(task)
        try:
            results = compare(
                _config(task.dataset),
                task.folder(workdir),
                only=[task.label],
                progress=False,
            )
            if results is None:  # interrupted
                return
            seconds = results[task.label]["training_seconds"]
            line["training"] = round(seconds, 1)
        except Exception as error:  # noqa: BLE001
            # The others are worth having without it.
            line["error"] = f"{type(error).__name__}: {error}"[:300]
        line["seconds"] = round(time.monotonic() - wall, 1)
        line["processor"] = round(time.process_time() - cpu, 1)
        done.put(line)


def _move(task: Task, workdir: Path) -> None:
    """Puts the finished runs of a task into the comparison of its set."""
    for results in task.folder(workdir).glob("runs/*/*/results.json"):
        own = results.parent
        place = _comparison(workdir, task.dataset) / own.relative_to(
            task.folder(workdir)
        )
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            # What a report is made of.
            left = shutil.ignore_patterns("lock", "checkpoints")
            shutil.copytree(own, place, ignore=left)


def _comparison(workdir: Path, name: str) -> Path:
    return workdir / f"compare_{name}_all"


def _compared(workdir: Path, name: str) -> None:
    """Writes the report on the runs that are finished in all variants."""
    from arm_jax.studies.comparison import compare

    config, folder = _config(name), _comparison(workdir, name)
    finished = [
        label
        for label in config["runs"]
        if all(
            (folder / "runs" / label / variant / "results.json").exists()
            for variant in config["variants"]
        )
    ]
    if finished:
        compare(config, folder, only=finished, progress=False)


def _rank(workdir: Path, names: Sequence[str]) -> None:
    """Writes the table of ranks over the sets."""
    from arm_jax.reports import ranks
    from arm_jax.workdir import read_json

    files = {n: _comparison(workdir, n) / "summary.json" for n in names}
    found = {n: read_json(f) for n, f in files.items() if f.exists()}
    if len(found) > 1:
        text = ranks.markdown(ranks.of_summaries(found))
        (workdir / "ranks.md").write_text(text + "\n", encoding="utf-8")


def _copy(workdir: Path, out: Path, names: Sequence[str]) -> None:
    """Copies tables, summaries, times and logs."""
    small = ["ranks.md", "times.jsonl"]
    small += [file.name for file in workdir.glob("log_*.txt")]
    for name in names:
        folder = _comparison(workdir, name).name
        small += [f"{folder}/table.md", f"{folder}/summary.json"]
    for name in small:
        if (workdir / name).exists():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(workdir / name, out / name)


if __name__ == "__main__":
    main()
