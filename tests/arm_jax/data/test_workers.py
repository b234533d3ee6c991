import concurrent.futures
import dataclasses
import errno
import functools
import gc
import io
import os
import signal
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from arm_jax.data import pipeline, workers
from arm_jax.data.dataset import with_workers
from arm_jax.errors import InputError
from tests.arm_jax.data import lazy


def changed(decode, count=2, **options):
    """The data set with another decoder, and `count` processes."""
    dataset = lazy.load(**options)
    splits = {
        name: dataclasses.replace(
            split, inputs=dataclasses.replace(split.inputs, decode=decode)
        )
        for name, split in dataset.splits.items()
    }
    return with_workers(dataclasses.replace(dataset, splits=splits), 0, count)


def alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text("ascii")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


def test_they_are_begun_once_for_all_epochs_and_splits_and_end_with_the_data():
    # As in a notebook: no module has it.
    def decode(record):
        return {"process": np.array([os.getpid()]), **lazy.decode(record)}

    dataset, plain = changed(decode), lazy.load()
    train, seen = dataset.splits["train"], set()
    for epoch in range(3):
        makes = [
            pipeline.epoch_batches(split, 8, seed=1, epoch=epoch).make
            for split in (train, plain.splits["train"])
        ]
        batches = pipeline.Batches(7, makes[0])
        for number, batch in enumerate(pipeline.stream(train, batches)):
            seen |= set(batch["inputs"].pop("process").ravel())
            # What is drawn is the same, wherever it is drawn.
            expected = makes[1](number)
            for name in ("inputs", "id"):
                jax.tree.map(
                    np.testing.assert_array_equal, batch[name], expected[name]
                )
    part = dataset.splits["test"].where(np.arange(20) % 2 == 0)
    for batch in pipeline.eval_batches(part, 4):
        seen |= set(batch["inputs"]["process"].ravel())
        np.testing.assert_array_equal(
            batch["inputs"]["image"][1],
            lazy.decode(80 + batch["id"][1])["image"],
        )
    assert os.getpid() not in seen
    assert 1 <= len(seen) <= 2
    pool = train.inputs.elsewhere.func.__self__
    folders = pool._begun()._initargs[-1]
    assert all(folder.exists() for folder in folders)
    assert not any(file for folder in folders for file in folder.iterdir())
    # What was made outlives all of it.
    image = batch["inputs"]["image"].copy()
    del dataset, train, part, pool, makes, batches
    gc.collect()
    wait_until(lambda: not any(map(alive, seen)))
    assert not any(folder.exists() for folder in folders)
    np.testing.assert_array_equal(batch["inputs"]["image"], image)
    batch["inputs"]["image"][:] = 0  # and may be written to


def test_arrays_of_every_kind_come_as_they_are():
    arrays = {
        "empty": np.zeros((3, 0), np.float32),
        "one": np.array(2.5),
        "bits": np.array([True, False, True]),
        "turned": np.arange(12, dtype=np.int16).reshape(3, 4).T,
    }
    pool = workers.Pool({"a": lambda rows, seeds: {**arrays, "rows": rows}}, 1)
    found = pool.take("a", np.arange(3), None)
    for name, x in (arrays | {"rows": np.arange(3)}).items():
        assert found[name].dtype == x.dtype
        assert found[name].shape == x.shape
        np.testing.assert_array_equal(found[name], x)
    assert found["turned"].__array_interface__["data"][0] % 64 == 0


def fail(record):
    raise InputError(f"record {record} is none")


def test_errors_are_those_of_the_decoder():
    with pytest.raises(InputError, match="record 3 is none"):
        changed(fail).splits["train"].take(np.array([3]))


def slow(record, seconds=0.2):
    time.sleep(seconds)
    return {"process": np.array([os.getpid()]), **lazy.decode(record)}


def processes(split, rows=2):
    return set(split.take(np.arange(rows))["inputs"]["process"].ravel())


def test_told_to_end_they_wait_for_the_process_that_began_them():
    split = changed(functools.partial(slow, seconds=0), 1).splits["train"]
    (process,) = processes(split)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process, number)
        assert processes(split) == {process}


@pytest.mark.parametrize("busy", [True, False])
def test_one_that_is_killed_is_told_at_once(busy):
    """Though the others heed no request to end."""
    split = changed(slow).splits["train"]
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(processes, split, 4) for _ in range(2)]
        both = set.union(*(x.result() for x in asked))
        if busy:
            asked = [threads.submit(processes, split, 60) for _ in range(2)]
            time.sleep(0.5)
        os.kill(min(both), signal.SIGKILL)
        if not busy:
            wait_until(lambda: not any(map(alive, both)))
            asked = [threads.submit(processes, split, 2)]
        for one in asked:
            with pytest.raises(
                InputError, match="smaller config data.processes, and"
            ):
                one.result(timeout=30)
    wait_until(lambda: not any(map(alive, both)))


def test_a_full_memory_is_gone_around(monkeypatch, tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    for folder in (small, large):
        folder.mkdir()
    free = {small: 1000, large: 10**9}
    usage = dataclasses.make_dataclass("Usage", ["free"])
    monkeypatch.setattr(workers, "_folders", [small, large])
    monkeypatch.setattr(
        workers, "_makes", {"a": lambda rows, seeds: {"x": rows}}
    )
    monkeypatch.setattr(workers.shutil, "disk_usage", lambda f: usage(free[f]))
    for size, folder in ((2, small), (200, large)):
        path, _ = workers._make("a", np.arange(size), None)
        assert path.parent == folder
        path.unlink()

    # Or others fill it while it is written.
    opened = []

    class Full(io.FileIO):
        def truncate(self, size=None):
            opened.append(size)
            if len(opened) == 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().truncate(size)

    monkeypatch.setattr(
        workers, "open", lambda number, mode: Full(number, "w"), raising=False
    )
    path, _ = workers._make("a", np.arange(2), None)
    assert path.parent == large
    assert not any(small.iterdir())


def test_they_have_one_thread_each(monkeypatch):
    monkeypatch.setattr(workers.signal, "signal", lambda *_: None)
    # Gives back at its end what there was.
    with threadpool_limits(2):
        workers._begin(None)
        assert {x["num_threads"] for x in threadpool_info()} == {1}


def test_threads_or_processes():
    with pytest.raises(InputError, match="threads 2 and data.processes 3: "):
        with_workers(lazy.load(), 2, 3)
