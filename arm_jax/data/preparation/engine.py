"""Decodes what an index found, once, and outlives being killed.

The items are cut into shards, in their order; processes make whole shards. A
shard that is there is not decoded again, unless files that could not be used
have changed since, or can be used now. Processes that were started together
(`arm_jax.launch`) make shards by number, into one folder, each with a pool of
its own. Pool, signals and files are one state, and so one file.
"""

import collections
import contextlib
import csv
import dataclasses
import io
import itertools
import json
import logging
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from arm_jax import lock
from arm_jax import processes as together
from arm_jax.data import storage, workers
from arm_jax.data.preparation import opened, shards
from arm_jax.data.preparation.files import APART, Unusable
from arm_jax.data.preparation.items import Index, Item
from arm_jax.data.preparation.shards import Job, Manifest, Skipped
from arm_jax.errors import InputError
from arm_jax.workdir import write_text

_log = logging.getLogger(__name__)

PLAN = "plan.json"
SKIPPED = "skipped.csv"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be prepared, from what, how, and where.

    Attributes:
      name: Name of the data set.
      index: Its items.
      decode: `decode(source) -> record`: arrays, bytes and texts by name; it
        raises `Unusable` for a file that cannot be used. To be pickled.
      options: What the records depend on; a folder keeps to one.
      folder: Where the records are.
      max_skipped: Largest share of the items that may be unusable.
      shard_size: Items that are decoded at a time; a kill loses no more.
      hints: By reason why files cannot be used: what to do where it is the most
        frequent one.
    """

    name: str
    index: Index
    decode: Callable[[Any], Mapping[str, Any]]
    options: Mapping[str, Any]
    folder: Path
    max_skipped: float = 0.1
    shard_size: int = 256
    hints: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def jobs(self) -> list[Job]:
        """Returns the shards, as what a process is asked to do."""
        items = self.index.items
        return [
            Job(
                self.folder,
                number,
                first,
                items[first : first + self.shard_size],
                self.decode,
            )
            for number, first in enumerate(
                range(0, len(items), self.shard_size)
            )
        ]


def prepare(
    plan: Plan,
    *,
    processes: int = 0,
    progress: bool = True,
    pool: Callable[[], futures.Executor] | None = None,
) -> opened.Prepared:
    """Prepares a folder, or what is missing of it.

    Args:
      plan: What is to be prepared.
      processes: Number of processes that decode; 0 for the number of
        processors, 1 for this one alone.
      progress: Whether to show a bar, with the time that is left.
      pool: Makes what runs the jobs, in place of processes.

    Returns:
      The prepared folder.

    Raises:
      InputError: A folder prepared with other options or from other files, or
        one that cannot be written; more unusable files than `max_skipped`; a
        process that the system ended. What is prepared is kept.
    """
    if processes < 0:
        raise InputError(f"processes must be at least 0, got {processes}")
    if not 0 <= plan.max_skipped <= 1:
        raise InputError(f"max_skipped must be in 0..1, got {plan.max_skipped}")
    held = lock.hold(plan.folder, "data_dir")
    with storage.storing(plan.name, plan.folder), held:
        together.agree({"prepared": _begun_with(plan)})
        if together.leads():
            _agree(plan)
            for file in plan.folder.glob(f"*{shards.TEMPORARY}"):
                file.unlink()
        _meet()
        jobs = plan.jobs()
        made = {
            job.number: manifest
            for job in jobs
            if (manifest := _made_before(plan, job)) is not None
        }
        try:
            _check_share(plan, jobs, made)
            _make(plan, jobs, made, processes, progress, pool)
            _meet()
            _gather(plan, jobs, made)
        finally:
            if together.leads():
                _write_skipped(plan, jobs, made)
        manifests = [made[job.number] for job in jobs]
        names = plan.index.class_names
        prepared = opened.collect(plan.folder, names, manifests)
        if not prepared.rows:
            raise InputError(
                f"data set {plan.name}: none of the "
                f"{len(plan.index.items)} files can be used; "
                f"{plan.folder / SKIPPED} says why"
            )
        summary = {
            "options": plan.options,
            "class_names": names,
            "shards": len(jobs),
            "records": len(prepared.rows),
            "skipped": len(plan.index.items) - len(prepared.rows),
            "digest": prepared.digest,
        }
        text = json.dumps(summary, indent=2) + "\n"
        if together.leads():
            write_text(plan.folder / opened.SUMMARY, text)
        _meet()
    return prepared


def _meet() -> None:
    """Waits until all processes that prepare together are here."""
    together.anyone(False)


def _gather(plan: Plan, jobs: Sequence[Job], made: dict[int, Manifest]) -> None:
    """Adds to `made` the shards of other processes.

    Raises:
      InputError: They are not in the folder.
    """
    for job in jobs:
        if job.number in made:
            continue
        manifest = shards.read(plan.folder, job.number)
        if manifest is None:
            raise InputError(
                f"data set {plan.name}: shard {job.number}, which another "
                f"process made, is not in {plan.folder}: processes that "
                "prepare together need one folder that all of them see"
            )
        made[job.number] = manifest
    _check_share(plan, jobs, made)


def _begun_with(plan: Plan) -> dict[str, Any]:
    return {
        "options": json.loads(json.dumps(plan.options)),
        "items": len(plan.index.items),
        "index": plan.index.digest,
        "shard_size": plan.shard_size,
    }


def _agree(plan: Plan) -> None:
    """Checks that a folder keeps to what it was begun with.

    Raises:
      InputError: It was begun with other options or from other files, or holds
        something else.
    """
    file = plan.folder / PLAN
    mine = _begun_with(plan)
    if not file.exists():
        names = sorted(x.name for x in plan.folder.iterdir())
        others = [
            name
            for name in names
            if name != lock.NAME and not name.endswith(shards.TEMPORARY)
        ]
        if others:
            raise InputError(
                f"data set {plan.name}: {plan.folder} holds something else "
                f"({others[0]}); name an empty folder by "
                "--config.data.options.data_dir=FOLDER"
            )
        write_text(file, json.dumps(mine, indent=2) + "\n")
        return
    try:
        theirs = json.loads(file.read_text(encoding="utf-8"))
        was = theirs["options"]
        same = {key: theirs[key] == mine[key] for key in mine}
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"data set {plan.name}: {file} is damaged; name another folder by "
            "--config.data.options.data_dir=FOLDER"
        ) from error
    opened.check_options(plan.name, plan.folder, was, mine["options"])
    if not all(same.values()):
        raise InputError(
            f"data set {plan.name}: {plan.folder} was prepared from another "
            f"list of {theirs['items']} files, this one has {mine['items']}; "
            "restore the files, or name another folder by "
            "--config.data.options.data_dir=FOLDER (records are never "
            "overwritten)"
        )


def _made_before(plan: Plan, job: Job) -> Manifest | None:
    """Returns what a shard holds; None if it is to be made, or made anew.

    Raises:
      InputError: A file has changed since its record was made; or the shard
        was copied from a folder that has another list of files.
    """
    manifest = shards.read(plan.folder, job.number)
    if manifest is None:
        return None
    now = {item.key: item for item in job.items}
    places = set(map(_place, job.items, itertools.count(job.first)))
    skipped = {row.key for row in manifest.skipped}
    theirs = {_place(row, row.number) for row in manifest.rows}
    if not theirs <= places or skipped != {key for key, *_ in places - theirs}:
        file = shards.manifest_file(plan.folder, job.number)
        raise InputError(
            f"data set {plan.name}: {file} is of another list of files; remove "
            "it, and its shard is prepared anew"
        )
    for row in manifest.rows:
        if now[row.key].state != row.state:
            raise InputError(
                f"data set {plan.name}: the file of '{row.key}' has changed "
                f"since its record was made ({row.state} then, "
                f"{now[row.key].state} now); restore it, or name another "
                "folder by --config.data.options.data_dir=FOLDER"
            )
    # What was skipped gets another chance when its file has changed.
    changed = any(now[x.key].state != x.state for x in manifest.skipped)
    changed = changed or any(
        x.reason in APART and _is_usable(job, now[x.key])
        for x in manifest.skipped
    )
    return None if changed else manifest


def _place(
    row: Item | shards.Row, number: int
) -> tuple[str, int, str, int, str]:
    """Returns what a list of files says of one."""
    return row.key, number, row.split, row.label, row.group


def _is_usable(job: Job, item: Item) -> bool:
    try:
        shards.decoded(job, item)
    except Unusable:
        return False
    return True


def _make(
    plan: Plan,
    jobs: Sequence[Job],
    made: dict[int, Manifest],
    processes: int,
    progress: bool,
    pool: Callable[[], futures.Executor] | None,
) -> None:
    """Makes the shards that are missing in `made`, into it.

    Of several processes each makes its own, by number.
    """
    missing = [
        job
        for job in jobs
        if job.number not in made
        and job.number % together.count() == together.index()
    ]
    count = len(plan.index.items)
    bar = tqdm(
        total=count,
        initial=count - sum(len(job.items) for job in missing),
        desc=plan.name,
        unit="file",
        disable=not (progress and missing and together.leads()),
        mininterval=0.5,
    )
    processes = min(processes or os.cpu_count() or 1, len(missing))
    if pool is None and processes > 1:
        pool = lambda: workers.executor(processes)
    done = _pooled(missing, pool) if pool else _one_by_one(missing)
    # Closed at once when something fails, not when it is collected.
    with bar, contextlib.closing(done):
        try:
            for number, manifest in done:
                made[number] = manifest
                bar.update(len(jobs[number].items))
                _check_share(plan, jobs, made)
        except futures.BrokenExecutor as error:
            # Those that others finished meanwhile are no suspects.
            left = [
                job
                for job in missing
                if not shards.manifest_file(plan.folder, job.number).exists()
            ]
            files = [job.items[0].key for job in left[:processes]]
            raise InputError(
                f"data set {plan.name}: the system ended a process that "
                "decodes, perhaps for lack of memory; what is prepared is "
                "kept: repeat the command with a smaller --processes (a file "
                f"that does it again is among the {plan.shard_size} from one "
                f"of {', '.join(map(repr, files))} on)"
            ) from error


def _one_by_one(
    jobs: Sequence[Job],
) -> Generator[tuple[int, Manifest], None, None]:
    yield from map(shards.make, jobs)


def _pooled(
    jobs: Sequence[Job], pool: Callable[[], futures.Executor]
) -> Generator[tuple[int, Manifest], None, None]:
    """Yields shards as they are finished; on leaving none is begun any more."""
    with pool() as executor:
        try:
            waiting = [executor.submit(shards.make, job) for job in jobs]
            for future in futures.as_completed(waiting):
                yield future.result()
        except KeyboardInterrupt:
            working = sum(future.running() for future in waiting)
            _log.warning(
                "interrupted: waiting for up to %d shards that are in work, "
                "and are kept",
                working,
            )
            raise
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _skipped(
    jobs: Sequence[Job], made: Mapping[int, Manifest]
) -> Iterator[Skipped]:
    """Yields what was skipped, and what is known to be of what is to come."""
    for job in jobs:
        if job.number in made:
            yield from made[job.number].skipped
        else:
            yield from map(_known, filter(_has_fault, job.items))


def _has_fault(item: Item) -> bool:
    return bool(item.fault)


def _known(item: Item) -> Skipped:
    return Skipped(item.key, item.fault, "", item.state)


def _check_share(
    plan: Plan, jobs: Sequence[Job], made: Mapping[int, Manifest]
) -> None:
    """Raises InputError once more items are unusable than may be."""
    reasons = collections.Counter(row.reason for row in _skipped(jobs, made))
    count, total = reasons.total(), len(plan.index.items)
    if count > plan.max_skipped * total:
        words = ", ".join(f"{n} {key}" for key, n in reasons.most_common(5))
        hint = plan.hints.get(reasons.most_common(1)[0][0])
        # Now, by whichever process: the one that leads may end with this one.
        _write_skipped(plan, jobs, made)
        raise InputError(
            f"data set {plan.name}: {count} of {total} files cannot be used "
            f"so far ({words}), more than max_skipped {plan.max_skipped:g} "
            f"allows; {plan.folder / SKIPPED} names them: mend them, or set "
            "--config.data.options.max_skipped; what is prepared is kept"
            + (f"; {hint}" if hint else "")
        )


def _write_skipped(
    plan: Plan, jobs: Sequence[Job], made: Mapping[int, Manifest]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("key", "reason", "detail"))
    writer.writerows(row[:3] for row in _skipped(jobs, made))
    # Keys are names of files, which need not be text.
    content = text.getvalue().encode("utf-8", "replace").decode()
    write_text(plan.folder / SKIPPED, content)
