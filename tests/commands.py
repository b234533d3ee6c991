"""Commands in processes of their own that load the libraries once for all.

A command that only finds a mistake takes seconds to load them. Here a process
without threads loads them and is forked for each command, so that what a
command leaves behind, its flags, streams and exit status, stays its own. That
commands load what they need is for others to test, which start them anew.

python -m tests.commands LIBRARY ...
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SECONDS = 120

# `run(module, *arguments) -> (exit status, stdout, stderr)`.
Run = Callable[..., tuple[int, str, str]]


@contextlib.contextmanager
def sharing(*libraries: str) -> Iterator[Run]:
    """Yields `run` of commands that need these libraries, one at a time."""
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.commands", *libraries],
        cwd=ROOT,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )

    def run(module: str, *arguments: object) -> tuple[int, str, str]:
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder, name) for name in ("stdout", "stderr")]
            asked = [module, *map(str, arguments)], list(map(str, streams))
            started.stdin.write(json.dumps(asked) + "\n")
            started.stdin.flush()
            status = int(started.stdout.readline())
            printed = (file.read_text(encoding="utf-8") for file in streams)
            return status, *printed

    with started:
        yield run
        started.stdin.close()


def _next() -> list[str] | None:
    """Returns the command that this process is to be; none at the end."""
    for line in sys.stdin:
        command, streams = json.loads(line)
        child = os.fork()
        if not child:
            _redirect(os.devnull, *streams)
            return command
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    return None


def _redirect(*files: str) -> None:
    flags = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    for number, (file, flag) in enumerate(zip(files, flags, strict=True)):
        opened = os.open(file, flag, 0o600)
        os.dup2(opened, number)
        os.close(opened)


if __name__ == "__main__":
    for library in sys.argv[1:]:
        importlib.import_module(library)
    # Looking through them for garbage would copy what processes share.
    gc.freeze()
    # Locks that threads hold would be held for ever.
    assert threading.active_count() == 1
    command = _next()
    if command is not None:
        signal.alarm(_SECONDS)
        sys.argv = command
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
