import dataclasses
import errno
import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest

from arm_jax import lock, processes
from arm_jax.data import preparation
from arm_jax.data.preparation import Item, shards
from arm_jax.errors import InputError
from tests.arm_jax.data.preparation import numbers

array_record_module = pytest.importorskip(
    "array_record.python.array_record_module", reason="keeps the records"
)
ROOT = Path(__file__).parents[4]
prepare = functools.partial(preparation.prepare, processes=1, progress=False)
opened = functools.partial(preparation.opened, "numbers")


@pytest.fixture
def source(tmp_path):
    return numbers.write(tmp_path / "files")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "data" / "numbers"


def skipped(out):
    return (out / "skipped.csv").read_text().splitlines()[1:]


class Dying(futures.Executor):
    """Does two jobs; then the system takes it away."""

    def __init__(self):
        self.done = 0

    def submit(self, fn, /, *args, **kwargs):
        future = futures.Future()
        if self.done < 2:
            future.set_result(fn(*args, **kwargs))
        else:
            future.set_exception(futures.BrokenExecutor("gone"))
        self.done += 1
        return future


def test_records_are_read_back_in_any_order(source, out):
    made = prepare(numbers.plan(source, out))
    assert numbers.decoded(source) == list(range(numbers.COUNT))
    read = opened(out, {"side": 3})
    assert read == made
    records = read.records()
    assert len(records) == numbers.COUNT
    for n in (7, 0, 19, np.int64(6)):
        record = records[n]
        np.testing.assert_array_equal(record["x"], np.arange(n))
        assert (record["bytes"], record["text"]) == (bytes([n]), f"n {n}")
    np.testing.assert_array_equal(read.ids, np.arange(20))
    np.testing.assert_array_equal(read.labels, np.arange(20) % 2)
    assert [row.split for row in read.rows].count("test") == 4
    assert skipped(out) == []
    assert not list(out.glob("*.tmp"))


def test_nothing_is_done_twice(source, out):
    made = prepare(numbers.plan(source, out))
    numbers.decoded(source)
    assert prepare(numbers.plan(source, out)) == made
    assert numbers.decoded(source) == []


def test_a_pool_that_dies_loses_nothing_that_is_done(source, out, tmp_path):
    whole = prepare(numbers.plan(source, tmp_path / "whole"))
    numbers.decoded(source)
    with pytest.raises(InputError, match=r"ended a process .* from one of '12"):
        prepare(numbers.plan(source, out), pool=Dying)
    assert numbers.decoded(source) == list(range(12))
    with pytest.raises(InputError, match="is not prepared, or not to the end"):
        opened(out, {})
    resumed = prepare(numbers.plan(source, out))
    assert numbers.decoded(source) == list(range(12, 20))
    assert dataclasses.replace(resumed, folder=whole.folder) == whole


def test_an_interrupt_loses_what_is_in_work(source, out):
    (source / "interrupt").touch()
    with pytest.raises(KeyboardInterrupt):
        prepare(numbers.plan(source, out))
    assert numbers.decoded(source) == list(range(14))
    (source / "interrupt").unlink()
    prepare(numbers.plan(source, out))
    assert numbers.decoded(source) == list(range(12, 20))


def test_an_interrupt_says_what_it_waits_for(source, out, caplog):
    (source / "interrupt").touch()
    with pytest.raises(KeyboardInterrupt):
        prepare(
            numbers.plan(source, out),
            pool=lambda: futures.ThreadPoolExecutor(1),
        )
    assert "interrupted: waiting for up to " in caplog.text


def test_kill_in_a_shard(source, out):
    """What a kill may leave: a part of a file, or a file nobody vouches for."""
    made = prepare(numbers.plan(source, out))
    numbers.decoded(source)
    shards.manifest_file(out, 1).unlink()
    (out / "prepared.json").unlink()
    rest = out / "shard-00001.array_record.tmp"
    rest.write_bytes(b"half")
    assert prepare(numbers.plan(source, out)) == made
    assert numbers.decoded(source) == list(range(6, 12))
    assert not rest.exists()


def is_open(fifo):
    """Whether a process reads a named pipe."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return False
    return True


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_kill_9(source, out):
    """The real thing, in processes of their own."""
    # One of them waits for the test at a file that never ends.
    fifo = source / "13.txt"
    fifo.unlink()
    os.mkfifo(fifo)
    program = (
        "import pathlib, sys\n"
        "from arm_jax.data import preparation\n"
        "from tests.arm_jax.data.preparation import numbers\n"
        "plan = numbers.plan(*map(pathlib.Path, sys.argv[1:]))\n"
        "preparation.prepare(plan, processes=2, progress=False)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(source), str(out)], cwd=ROOT
    ) as process:
        end = time.monotonic() + 60
        while not all(shards.manifest_file(out, n).exists() for n in (0, 1, 3)):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    # Those that decode end, too: nobody opens the file any more.
    while is_open(fifo):
        assert time.monotonic() < end
        time.sleep(0.05)
    numbers.decoded(source)
    fifo.unlink()
    fifo.write_text("")  # as large as the pipe
    made = prepare(numbers.plan(source, out))
    assert numbers.decoded(source) == list(range(12, 18))
    assert len(made.rows) == 19
    assert skipped(out) == ["13.txt,empty,"]


def test_processes_of_which_one_is_killed(source, out):
    (source / "die").touch()
    with pytest.raises(InputError, match="the system ended a process"):
        preparation.prepare(
            numbers.plan(source, out), processes=2, progress=False
        )
    (source / "die").unlink()
    done = {n for n in range(4) if shards.read(out, n)}
    numbers.decoded(source)
    assert 2 not in done
    made = prepare(numbers.plan(source, out))
    redone = {n // numbers.SHARD for n in numbers.decoded(source)}
    assert redone == set(range(4)) - done
    assert len(made.rows) == 20


def test_what_cannot_be_used_is_a_row(source, out):
    (source / "03.txt").write_bytes(b"")
    (source / "07.txt").write_text("bad")
    made = prepare(numbers.plan(source, out))
    assert len(made.rows) == 18
    assert skipped(out) == ["03.txt,empty,", "07.txt,unreadable,says bad"]
    # The others keep their numbers.
    np.testing.assert_array_equal(
        made.ids, [n for n in range(20) if n not in (3, 7)]
    )


def test_too_many_of_them(source, out):
    for name in ("03.txt", "07.txt", "08.txt"):
        (source / name).write_text("bad")
    with pytest.raises(InputError, match=r"3 of 20 .*\(3 unreadable\), more"):
        prepare(numbers.plan(source, out))
    # No more was decoded than had to be.
    assert numbers.decoded(source) == list(range(12))
    assert len(skipped(out)) == 3
    # Allowed, it goes on.
    prepare(numbers.plan(source, out, max_skipped=0.15))
    assert numbers.decoded(source) == list(range(12, 20))


def test_a_process_that_does_not_lead_names_them(source, out, monkeypatch):
    out.mkdir(parents=True)
    for name in ("03.txt", "07.txt", "08.txt"):
        (source / name).write_text("bad")
    monkeypatch.setattr(processes, "leads", lambda: False)
    with pytest.raises(InputError, match=r"3 of 20 .*skipped.csv names them"):
        prepare(numbers.plan(source, out))
    assert len(skipped(out)) == 3


def test_a_mended_file_gets_another_chance(source, out):
    (source / "07.txt").write_text("bad")
    prepare(numbers.plan(source, out))
    numbers.decoded(source)
    (source / "07.txt").write_text("7")
    made = prepare(numbers.plan(source, out))
    assert numbers.decoded(source) == list(range(6, 12))
    assert len(made.rows) == 20
    assert skipped(out) == []
    assert opened(out, {}) == made


class Lacking:
    """Decodes, but what lies beside a file is not as it should be."""

    def __init__(self, reason):
        self.reason = reason

    def __call__(self, source):
        if Path(source).stem == "07":
            raise preparation.Unusable(self.reason)
        return numbers.decode(source)


@pytest.mark.parametrize("reason", ["no_permission", "flow_differs"])
def test_so_does_one_that_was_not_itself_at_fault(source, out, reason):
    lacking = numbers.plan(source, out, decode=Lacking(reason))
    prepare(lacking)
    numbers.decoded(source)
    assert len(prepare(lacking).rows) == 19
    assert numbers.decoded(source) == []
    assert len(prepare(numbers.plan(source, out)).rows) == 20
    # Once to see whether it can be.
    assert numbers.decoded(source) == sorted([*range(6, 12), 7])
    assert skipped(out) == []


def test_a_shard_made_anew_has_no_manifest_of_the_old(source, out, monkeypatch):
    (source / "07.txt").write_text("bad")
    prepare(numbers.plan(source, out))
    (source / "07.txt").write_text("7")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(numbers.plan(source, out))
    assert shards.read(out, 1) is None
    assert len(prepare(numbers.plan(source, out)).rows) == 20


def test_what_the_lists_lacked_gets_another_chance(source, out):
    found = numbers.index(source)
    items = list(found.items)
    items[7] = items[7]._replace(fault="no_title")
    found = dataclasses.replace(found, items=items)
    prepare(numbers.plan(source, out, index=found))
    numbers.decoded(source)
    made = prepare(numbers.plan(source, out))
    assert numbers.decoded(source) == list(range(6, 12))
    assert len(made.rows) == 20
    # Nor may they lose what has a record.
    with pytest.raises(InputError, match=r"\(1 bytes then, no_title now\)"):
        prepare(numbers.plan(source, out, index=found))


def test_what_lists_tell_is_not_tried(source, out):
    found = numbers.index(source)
    items = [
        item._replace(fault="missing") if item.label else item
        for item in found.items
    ]
    found = dataclasses.replace(found, items=items)
    with pytest.raises(InputError, match=r"10 of 20 .*\(10 missing\)"):
        prepare(numbers.plan(source, out, index=found))
    assert numbers.decoded(source) == []
    assert skipped(out)[0] == "01.txt,missing,"
    made = prepare(numbers.plan(source, out, index=found, max_skipped=0.5))
    assert set(made.labels) == {0}


def test_nothing_usable(source, out):
    for file in source.glob("*.txt"):
        file.write_text("bad")
    with pytest.raises(InputError, match="none of the 20 files can be used"):
        prepare(numbers.plan(source, out, max_skipped=1.0))


def other_options(plan):
    return dataclasses.replace(plan, options={"side": 4})


def other_files(plan):
    items = [*plan.index.items, Item("99.txt", "train", 0)]
    index = dataclasses.replace(plan.index, items=items)
    return dataclasses.replace(plan, index=index)


def changed_file(plan):
    items = [
        plan.index.items[0]._replace(stamp="7 bytes"),
        *plan.index.items[1:],
    ]
    index = dataclasses.replace(plan.index, items=items)
    return dataclasses.replace(plan, index=index)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_options, "was prepared with side 3, not 4; restore that"),
        (other_files, "another list of 20 files, this one has 21"),
        (changed_file, r"'00.txt' has changed .*\(1 bytes then, 7 bytes now\)"),
    ],
)
def test_records_are_kept_to_what_they_were_made_of(
    source, out, change, message
):
    made = prepare(numbers.plan(source, out))
    with pytest.raises(InputError, match=message):
        prepare(change(numbers.plan(source, out)))
    assert opened(out, {"side": 3}) == made


def other_labels(items):
    return [item._replace(label=1 - item.label) for item in items]


def another_first(items):
    return [Item("", "train", 0, fault="missing"), *items]


def one_less(items):
    return items[:-1]


@pytest.mark.parametrize("change", [other_labels, another_first, one_less])
def test_shards_of_another_folder_are_not_taken(source, out, change):
    other = out.with_name("other")
    prepare(numbers.plan(source, other))
    plan = numbers.plan(source, out)
    items = change(plan.index.items)
    index = dataclasses.replace(plan.index, items=items)
    plan = dataclasses.replace(plan, index=index)
    made = prepare(plan)
    for file in other.glob("shard-*"):
        shutil.copy(file, out)
    message = r"shard-0000\d\.json is of another list of files; remove it"
    with pytest.raises(InputError, match=message):
        prepare(plan)
    for file in out.glob("shard-*.json"):
        file.unlink()
    assert prepare(plan) == made


def test_a_folder_with_something_else(source, out):
    out.mkdir(parents=True)
    (out / "mine.txt").touch()
    with pytest.raises(InputError, match=r"something else \(mine.txt\)"):
        prepare(numbers.plan(source, out))


def test_two_at_once(source, out):
    with (
        lock.hold(out),
        pytest.raises(InputError, match="data_dir .* in use .* another data_d"),
    ):
        prepare(numbers.plan(source, out))


def test_a_folder_that_cannot_be_made(source, out):
    out.parent.write_text("a file")
    with pytest.raises(InputError, match="cannot keep its records in .* name"):
        prepare(numbers.plan(source, out))


def test_a_full_disk(source, out, monkeypatch):
    class Full:
        def __init__(self, path, options):
            with open(path, "wb"):
                pass

        def write(self, record):
            raise RuntimeError("write() failed: No space left on device; at")

        def close(self):
            pass

    with monkeypatch.context() as patch:
        patch.setattr(array_record_module, "ArrayRecordWriter", Full)
        with pytest.raises(InputError, match=r"left on device\); make room"):
            prepare(numbers.plan(source, out))
    assert len(prepare(numbers.plan(source, out)).rows) == 20


def test_defects_of_a_decoder_name_the_file(source, out):
    (source / "05.txt").write_text("no number")
    with pytest.raises(ValueError, match="invalid literal") as error:
        prepare(numbers.plan(source, out))
    assert error.value.__notes__ == ["while decoding '05.txt'"]


def test_a_disk_that_fails_is_no_fault_of_the_file(source, out):
    def failing(source):
        raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match="cannot read '00.txt': Input/output"):
        prepare(numbers.plan(source, out, decode=failing))


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({"processes": -1}, {}, "processes must be at least 0"),
        ({}, {"max_skipped": 1.5}, "max_skipped must be in 0..1"),
    ],
)
def test_options_out_of_range(source, out, options, changes, message):
    with pytest.raises(InputError, match=message):
        prepare(numbers.plan(source, out, **changes), **options)
