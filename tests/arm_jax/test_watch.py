"""Processes that miss each other, played by threads of this one."""

import json
import queue
import socket
import threading

import pytest

from arm_jax import watch
from arm_jax.errors import InputError


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(watch, "BEAT", 0.05)
    monkeypatch.setattr(watch, "PATIENCE", 0.5)
    monkeypatch.setattr(watch, "JOIN", 5.0)


@pytest.fixture
def three():
    """Watches of three processes, and what each was told."""
    listener, address = watch.listen()
    told = [queue.Queue() for _ in range(3)]
    found = {}

    def join(index):
        found[index] = watch.join(index, 3, address, told[index].put)

    threads = [threading.Thread(target=join, args=(i,)) for i in (1, 2)]
    for thread in threads:
        thread.start()
    # Whoever else connects is none of them.
    with socket.create_connection(("127.0.0.1", address.port)) as other:
        other.sendall(b'{"token": "guessed", "process": 1}\n')
        found[0] = watch.gather(listener, address, 3, told[0].put)
    for thread in threads:
        thread.join()
    yield [found[i] for i in range(3)], told
    for one in found.values():
        one.close()


def cut(one):
    """What the system does to the connections of a process that is killed."""
    one._say = lambda *_, **__: None
    for peer in one._peers.values():
        peer.shutdown(socket.SHUT_RDWR)


def test_they_know_each_other(three):
    watches, told = three
    for one in watches:
        assert [name.split()[:2] for name in one.names] == [
            ["process", str(i)] for i in range(3)
        ]
    # Nobody is missed while all are there, nor once all took their leave.
    with pytest.raises(queue.Empty):
        told[0].get(timeout=1.0)
    watches[2].close()
    with pytest.raises(queue.Empty):
        told[0].get(timeout=0.5)
    watches[0].close()
    with pytest.raises(queue.Empty):
        told[1].get(timeout=0.5)


@pytest.mark.parametrize("gone", [0, 2])
def test_a_process_that_is_killed_is_named_by_all_others(three, gone):
    watches, told = three
    cut(watches[gone])
    for index in {0, 1, 2} - {gone}:
        sentence = told[index].get(timeout=5.0)
        assert sentence.startswith(f"process {gone} on "), sentence
        assert "is gone: it was killed" in sentence
        assert "the same command, started again for all" in sentence


@pytest.mark.parametrize("silent", [0, 1])
def test_a_process_that_hangs_is_named_by_all_others(three, silent):
    watches, told = three
    watches[silent]._say = lambda *_, **__: None
    for index in {0, 1, 2} - {silent}:
        sentence = told[index].get(timeout=5.0)
        assert sentence.startswith(f"process {silent} on "), sentence
        assert "has not answered for " in sentence


@pytest.mark.parametrize("failing", [0, 1])
def test_a_process_that_fails_says_why(three, failing):
    watches, told = three
    watches[failing].fail("no prepared data in /data")
    for index in {0, 1, 2} - {failing}:
        sentence = told[index].get(timeout=5.0)
        assert sentence.startswith(f"process {failing} on "), sentence
        assert sentence.endswith(" stopped: no prepared data in /data")


def test_a_process_that_does_not_come(monkeypatch):
    monkeypatch.setattr(watch, "JOIN", 0.3)
    listener, address = watch.listen()
    with pytest.raises(InputError, match="of 3 processes 1, 2 did not reach"):
        watch.gather(listener, address, 3)
    with pytest.raises(InputError, match="process 1 does not reach process 0"):
        watch.join(1, 3, address)


def test_a_port_that_is_taken():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on port {port} h"):
            watch.listen(port)


@pytest.mark.parametrize(
    ("index", "count", "message"),
    [
        (1, 3, "process 1 on .* is one of 3 processes, process 0 one of 2"),
        (0, 2, "process 0 on .* and process 0 on .* have the same number"),
    ],
)
def test_processes_that_were_started_otherwise(index, count, message):
    listener, address = watch.listen()
    errors = queue.Queue()

    def join():
        try:
            watch.join(index, count, address)
        except InputError as error:
            errors.put(str(error))

    thread = threading.Thread(target=join)
    thread.start()
    with pytest.raises(InputError, match=message) as raised:
        watch.gather(listener, address, 2)
    thread.join()
    assert errors.get(timeout=1.0) == str(raised.value)


def test_what_is_no_message_is_nothing():
    for line in (b"", b"[1]", b"\xff", b"{", json.dumps("x").encode()):
        assert watch._message(line) == {}
