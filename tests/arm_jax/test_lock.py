import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from arm_jax import lock
from arm_jax.errors import InputError

ROOT = Path(__file__).parent.parent.parent
HOLDER = """
import sys, time
from arm_jax import lock
with lock.hold(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def start():
    """Starts processes that hold a folder, and ends them."""
    started = []

    def start(folder):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        started.append(process)
        assert process.stdout.readline() == "held\n", process.stderr.read()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def write(folder, **changed):
    """Writes the name of a holder that nobody locked the file for."""
    folder.mkdir(exist_ok=True)
    holder = lock._myself() | changed
    (folder / lock.NAME).write_text(json.dumps(holder))


def test_folder_is_made_held_and_left_clean(tmp_path):
    with lock.hold(tmp_path / "a" / "b") as folder:
        assert folder == tmp_path / "a" / "b"
        holder = json.loads((folder / lock.NAME).read_text())
        assert holder["process"] == os.getpid()
        (folder / "work").write_text("")
    assert [f.name for f in folder.iterdir()] == ["work"]


def test_folder_that_stayed_empty_is_removed_if_it_was_made(tmp_path):
    with pytest.raises(KeyError), lock.hold(tmp_path / "new"):
        raise KeyError
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    with lock.hold(tmp_path / "old"):
        pass
    assert (tmp_path / "old").is_dir()


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "f").write_text("")
    with (
        pytest.raises(InputError, match="f is a file"),
        lock.hold(tmp_path / "f"),
    ):
        pass


def test_second_in_one_process_is_refused(tmp_path):
    with (
        lock.hold(tmp_path),
        pytest.raises(InputError, match=f"by process {os.getpid()} on "),
        lock.hold(tmp_path),
    ):
        pass
    with lock.hold(tmp_path):
        pass


def test_second_process_is_told_of_the_first_which_may_be_killed(
    tmp_path, start
):
    # Twenty rounds of one folder: a holder, a refusal, kill -9.
    for _ in range(20):
        holder = start(tmp_path)
        in_use = f"in use by process {holder.pid} on .* since .*stop it"
        with pytest.raises(InputError, match=in_use):
            lock.check(tmp_path)
        with pytest.raises(InputError, match=in_use), lock.hold(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert (tmp_path / lock.NAME).exists()
        lock.check(tmp_path)
        with lock.hold(tmp_path):
            pass
    assert not (tmp_path / lock.NAME).exists()


def test_of_many_at_once_one_wins(tmp_path):
    winners, losers = [], []
    go, over = threading.Barrier(8), threading.Barrier(8)

    def want():
        go.wait()
        try:
            with lock.hold(tmp_path):
                winners.append(1)
                over.wait()
        except InputError:
            losers.append(1)
            over.wait()

    for round_ in range(1, 6):
        threads = [threading.Thread(target=want) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(winners), len(losers)) == (round_, 7 * round_)


def test_a_file_removed_between_opening_and_locking_is_no_lock(
    tmp_path, monkeypatch
):
    # As if the holder ended just then, and a third process came.
    real, calls = lock._lock, []

    def lock_late(descriptor):
        if not calls:
            (tmp_path / lock.NAME).unlink()
        calls.append(descriptor)
        return real(descriptor)

    monkeypatch.setattr(lock, "_lock", lock_late)
    with lock.hold(tmp_path):
        assert len(calls) == 2
        with pytest.raises(InputError, match="in use"), lock.hold(tmp_path):
            pass


def test_number_of_a_process_that_is_another_one_by_now(tmp_path):
    write(tmp_path, started="0")
    lock.check(tmp_path)
    with lock.hold(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"process": "x"}'])
def test_name_that_nobody_can_read_holds_nothing(
    tmp_path, monkeypatch, content
):
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    (tmp_path / lock.NAME).write_text(content)
    lock.check(tmp_path)
    with lock.hold(tmp_path):
        pass


class TestOtherMachine:
    """On a network file system that keeps locks to one machine."""

    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch):
        monkeypatch.setattr(lock, "HEARTBEAT", 0.05)
        monkeypatch.setattr(lock, "PATIENCE", 0.5)

    def test_is_gone_when_its_heart_stops(self, tmp_path, caplog):
        write(tmp_path, host="elsewhere", process=1)
        lock.check(tmp_path)
        with lock.hold(tmp_path) as folder:
            holder = json.loads((folder / lock.NAME).read_text())
            assert holder["process"] == os.getpid()
        assert "whether process 1 on elsewhere still holds" in caplog.text

    def test_is_there_while_its_heart_beats(self, tmp_path):
        write(tmp_path, host="elsewhere", process=1)
        stopped = threading.Event()
        beat = threading.Thread(
            target=lock._beat, args=(tmp_path / lock.NAME, stopped)
        )
        beat.start()
        try:
            with (
                pytest.raises(InputError, match="process 1 on elsewhere"),
                lock.hold(tmp_path),
            ):
                pass
        finally:
            stopped.set()
            beat.join()

    def test_heart_of_a_holder_beats(self, tmp_path):
        with lock.hold(tmp_path) as folder:
            before = lock._heart(folder / lock.NAME)
            deadline = time.monotonic() + 10
            while lock._heart(folder / lock.NAME) == before:
                assert time.monotonic() < deadline
                time.sleep(0.02)


class TestNoLocks:
    """On a file system that has none: the holder's name decides."""

    @pytest.fixture(autouse=True)
    def _unsupported(self, monkeypatch):
        monkeypatch.setattr(lock, "_lock", lambda descriptor: None)

    def test_holder_is_told(self, tmp_path, start):
        holder = start(tmp_path)
        with (
            pytest.raises(InputError, match=f"process {holder.pid} on"),
            lock.hold(tmp_path),
        ):
            pass
        holder.kill()
        holder.wait()
        with lock.hold(tmp_path):
            pass

    def test_last_to_write_has_it(self, tmp_path, monkeypatch):
        real = lock._write

        def overtaken(descriptor, holder):
            real(descriptor, holder | {"process": 1, "host": "elsewhere"})

        monkeypatch.setattr(lock, "_write", overtaken)
        with (
            pytest.raises(InputError, match="process 1 on elsewhere"),
            lock.hold(tmp_path),
        ):
            pass


def test_second_training_is_refused_before_jax_is_loaded(tmp_path):
    with lock.hold(tmp_path):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "experiments.train",
             f"--workdir={tmp_path}"],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"in use by process {os.getpid()} on" in done.stderr
    modules = {
        line.rpartition("|")[2].strip() for line in done.stderr.splitlines()
    }
    assert "experiments.cli" in modules
    assert not modules & {"jax", "flax", "scipy", "matplotlib"}
