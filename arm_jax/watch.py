"""Processes that work together notice when one of them is gone.

A collective waits forever for a process that died, and a program that waits
cannot look around. So each process has a thread that exchanges heartbeats over
TCP: process 0 with all others, the others with process 0, which passes on what
it learns. A process that fails says why before it goes. One that is killed
closes its connection, which is noticed at once; one that hangs, or whose
machine or network is gone, falls silent, which is noticed after `PATIENCE`.

Nothing here loads JAX.
"""

import contextlib
import json
import os
import platform
import secrets
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from arm_jax.errors import InputError

# Seconds between two heartbeats, and without one until a process counts as
# gone. JAX itself has more patience, and ends a process without a sentence.
BEAT = 2.0
PATIENCE = 40.0
# Seconds that processes have to find each other.
JOIN = 120.0
# Bytes of a message, which is much shorter, and characters of a reason.
_MOST, _WORDS = 2**16, 1000
AGAIN = (
    "the same command, started again for all processes, goes on from the last "
    "checkpoint"
)


class Address(NamedTuple):
    """Where process 0 listens.

    Attributes:
      hosts: Names and numbers that may lead to it, the likeliest first.
      port: Port.
      token: Secret that tells these processes from whoever else connects.
    """

    hosts: tuple[str, ...]
    port: int
    token: str


def end(sentence: str) -> None:
    """Prints what happened elsewhere and ends this process, whatever it does.

    At once: its main thread waits for what will never come.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"\nerror: {sentence}\n")
        sys.stderr.flush()
    os._exit(1)


class Watch:
    """The thread of one process; `close` it, or say why with `fail`."""

    def __init__(
        self,
        index: int,
        peers: dict[int, socket.socket],
        names: Sequence[str],
        lost: Callable[[str], None] = end,
    ) -> None:
        """Starts to watch.

        Args:
          index: Number of this process.
          peers: Connections by number of the process at the other end.
          names: What to call each process, such as "process 1 on b".
          lost: Called with a sentence once a process is gone.
        """
        self.names = list(names)
        self._index, self._peers, self._lost = index, dict(peers), lost
        self._sending = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Takes leave: from now on nobody misses this process."""
        self._say({"end": True})
        self._closed.set()
        self._thread.join()
        for peer in self._peers.values():
            peer.close()

    def fail(self, reason: str) -> None:
        """Tells the others why this process ends."""
        if self._closed.is_set():
            return
        name = self.names[self._index]
        self._say({"lost": f"{name} stopped: {reason[:_WORDS]}"})
        self._closed.set()

    def _say(self, message: dict[str, Any], but: int | None = None) -> None:
        with self._sending:
            for number, peer in self._peers.items():
                if number != but:
                    _send(peer, message)

    def _watch(self) -> None:
        heard = dict.fromkeys(self._peers, time.monotonic())
        rest = dict.fromkeys(self._peers, b"")
        selector = selectors.DefaultSelector()
        for number, peer in self._peers.items():
            selector.register(peer, selectors.EVENT_READ, number)
        beat = looked = time.monotonic()
        while heard and not self._closed.is_set():
            ready = selector.select(timeout=BEAT / 4)
            now = time.monotonic()
            if now - looked > PATIENCE / 2:
                # This process itself stood still: what the others sent in the
                # meantime is still to be read.
                heard = dict.fromkeys(heard, now)
            looked = now
            for key, _ in ready:
                number = key.data
                heard[number] = now
                data = _received(self._peers[number])
                *lines, rest[number] = (rest[number] + data).split(b"\n")
                ended = False
                for line in lines:
                    message = _message(line)
                    if "lost" in message:
                        self._tell(str(message["lost"]), number)
                        return
                    ended = ended or "end" in message
                if ended:
                    selector.unregister(self._peers[number])
                    del heard[number]
                elif not data or len(rest[number]) > _MOST:
                    self._tell(
                        f"{self.names[number]} is gone: it was killed, or its "
                        f"machine or the network failed; {AGAIN}",
                        number,
                    )
                    return
            for number, last in heard.items():
                if now - last > PATIENCE:
                    self._tell(
                        f"{self.names[number]} has not answered for "
                        f"{PATIENCE:.0f} s: it hangs, or its machine or the "
                        f"network failed; end it, then {AGAIN}",
                        number,
                    )
                    return
            if now - beat >= BEAT:
                beat = now
                self._say({"beat": True})

    def _tell(self, sentence: str, number: int) -> None:
        """Passes on that a process is gone, and acts on it here."""
        if self._closed.is_set():
            return
        self._say({"lost": sentence}, but=number)
        self._lost(sentence)


def listen(port: int = 0) -> tuple[socket.socket, Address]:
    """Opens the port of process 0; `gather` then waits for the others.

    Args:
      port: One that the others know, or 0 for any that is free, and a token.

    Raises:
      InputError: The port cannot be opened.
    """
    try:
        listener = socket.create_server(("", port), backlog=512)
    except OSError as error:
        raise InputError(
            f"process 0 cannot listen on port {port} here ({error.strerror}); "
            "choose another one"
        ) from error
    if port:
        return listener, Address((platform.node(),), port, "")
    name = socket.gethostname()
    hosts = [name, socket.getfqdn()]
    with contextlib.suppress(OSError):
        hosts += [str(x[4][0]) for x in socket.getaddrinfo(name, None)]
    hosts.append("127.0.0.1")
    return listener, Address(
        tuple(dict.fromkeys(hosts)),
        int(listener.getsockname()[1]),
        secrets.token_hex(16),
    )


def gather(
    listener: socket.socket,
    address: Address,
    count: int,
    lost: Callable[[str], None] = end,
) -> Watch:
    """Returns the watch of process 0, once all others have connected.

    Raises:
      InputError: Some have not within `JOIN` seconds; or there are two of a
        number, or one that knows of another number of processes.
    """
    names = {0: _called(0)}
    peers: dict[int, socket.socket] = {}
    deadline = time.monotonic() + JOIN
    with listener:
        while len(peers) < count - 1:
            listener.settimeout(max(0.01, deadline - time.monotonic()))
            with contextlib.suppress(OSError):
                peer, _ = listener.accept()
                peer.settimeout(5.0)
                hello = _message(_line(peer))
                number: Any = hello.get("process")
                others = hello.get("count")
                name, wrong = str(hello.get("name")), ""
                if hello.get("token") != address.token or (
                    others == count and number not in range(count)
                ):
                    peer.close()
                    continue
                if others != count:
                    wrong = (
                        f"{name} is one of {others} processes, process "
                        f"0 one of {count}: give all of them the same number"
                    )
                elif number in names:
                    wrong = (
                        f"{name} and {names[number]} have the same number: "
                        f"give them 0 to {count - 1}"
                    )
                if wrong:
                    _refuse([peer, *peers.values()], wrong)
                peers[number], names[number] = peer, name
            if time.monotonic() > deadline:
                missing = [str(i) for i in range(count) if i not in names]
                _refuse(
                    peers.values(),
                    f"of {count} processes {', '.join(missing)} did not reach "
                    f"process 0 on {platform.node()}, port {address.port}, "
                    f"within {JOIN:.0f} s: start all of them, and let them "
                    "connect to each other on any port",
                )
    called = [names[i] for i in range(count)]
    for peer in peers.values():
        _send(peer, {"names": called})
    return Watch(0, peers, called, lost)


def join(
    index: int,
    count: int,
    address: Address,
    lost: Callable[[str], None] = end,
) -> Watch:
    """Returns the watch of another process, connected to process 0.

    Raises:
      InputError: It is not reached within `JOIN` seconds, or misses others.
    """
    hello = {"token": address.token, "process": index, "count": count}
    hello["name"] = _called(index)
    deadline = time.monotonic() + JOIN
    while time.monotonic() < deadline:
        for host in address.hosts:
            with contextlib.suppress(OSError):
                peer = socket.create_connection((host, address.port), 5.0)
                _send(peer, hello)
                peer.settimeout(2 * JOIN)
                answer = _message(_line(peer))
                if "wrong" in answer:
                    peer.close()
                    raise InputError(str(answer["wrong"]))
                if "names" in answer:
                    peer.settimeout(5.0)
                    return Watch(index, {0: peer}, answer["names"], lost)
                peer.close()
        time.sleep(min(0.2, JOIN / 4))
    raise InputError(
        f"process {index} does not reach process 0 at "
        f"{' or '.join(address.hosts)}, port {address.port}, within "
        f"{JOIN:.0f} s: start it there, and let processes connect to each "
        "other on any port"
    )


def _refuse(peers: Iterable[socket.socket], wrong: str) -> NoReturn:
    """Tells those that are there what is wrong, and raises it as InputError."""
    for peer in peers:
        _send(peer, {"wrong": wrong})
        peer.close()
    raise InputError(wrong)


def _send(peer: socket.socket, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        peer.sendall(json.dumps(message).encode() + b"\n")


def _called(index: int) -> str:
    return f"process {index} on {platform.node()} (number {os.getpid()} there)"


def _received(peer: socket.socket) -> bytes:
    """Returns what has come, nothing if the connection is closed."""
    try:
        return peer.recv(_MOST)
    except TimeoutError:
        return b"\n"
    except OSError:
        return b""


def _line(peer: socket.socket) -> bytes:
    """Returns the first line that comes, without its end."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _MOST:
        # A byte at a time: what comes behind it belongs to the watch.
        byte = peer.recv(1)
        if not byte:
            break
        line += byte
    return line.strip()


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
