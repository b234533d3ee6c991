"""Trainings that are killed at random moments, and go on."""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from arm_jax.workdir import read_json, write_json

# Seconds that whoever is left has to notice.
_NOTICE = 60.0


def trainings(
    config: Mapping[str, Any],
    folder: Path,
    kills: int,
    rng: np.random.Generator,
    count: int = 1,
) -> list[str]:
    """Kills one of `count` processes, again and again, and lets them go on.

    Whenever they come to their end, what they leave is compared with what
    nothing interrupted, and they begin anew.

    Args:
      config: Mapping for `arm_jax.config.Config`.
      folder: Where to.
      kills: Number of kills.
      rng: Draws moments and victims.
      count: Number of processes.

    Returns:
      What went wrong, a line each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    began = time.monotonic()
    wrong = _ended(_start(folder, "reference", count))
    length = time.monotonic() - began
    killed, attempt = 0, 0
    while killed < kills:
        name = f"victim{attempt}"
        while killed < kills:
            started = _start(folder, name, count)
            time.sleep(rng.uniform(0, length))
            victim = int(rng.integers(count))
            if started[victim].poll() is not None:
                break
            started[victim].send_signal(signal.SIGKILL)
            killed += 1
            wrong += _noticed(started, victim)
        wrong += _ended(_start(folder, name, count))
        wrong += differences(folder / "reference", folder / name)
        attempt += 1
    return wrong


def pairs(
    config: Mapping[str, Any],
    folder: Path,
    kills: int,
    rng: np.random.Generator,
) -> list[str]:
    """Kills one of two processes, see `trainings`."""
    return trainings(config, folder, kills, rng, count=2)


def differences(expected: Path, found: Path) -> list[str]:
    """Returns in what two finished trainings differ, bit by bit."""
    wrong = []
    logs = [(f / "metrics.jsonl").read_bytes() for f in (expected, found)]
    if logs[0] != logs[1]:
        wrong.append(f"{found}: other metrics")
    results = [read_json(f / "results.json") for f in (expected, found)]
    for each in results:
        del each["training_seconds"]
    if results[0] != results[1]:
        wrong.append(f"{found}: other results")
    states = [_state(f / "checkpoints") for f in (expected, found)]
    if states[0].keys() != states[1].keys():
        wrong.append(f"{found}: another last checkpoint")
    wrong += [
        f"{found}: another {name}"
        for name in sorted(states[0].keys() & states[1].keys())
        if states[0][name].tobytes() != states[1][name].tobytes()
    ]
    return wrong


def _state(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of the last checkpoint, by path, and its number."""
    step = max(int(f.name) for f in folder.iterdir() if f.name.isdigit())
    tree = ocp.load_checkpointables(folder / str(step))["run"]
    is_key = lambda x: jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
    return {f"step {step}": np.zeros(())} | {
        jax.tree_util.keystr(path): np.asarray(
            jax.random.key_data(x) if is_key(x) else x
        )
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
    }


def _start(folder: Path, name: str, count: int) -> list[subprocess.Popen[str]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        coordinator = f"127.0.0.1:{listener.getsockname()[1]}"
    module = f"{__package__}.victim"
    command = [sys.executable, "-m", module, str(folder / "config.json")]
    started = []
    for index in range(count):
        together = [coordinator, str(count), str(index)] if count > 1 else []
        # Not through a pipe, which nobody would read.
        with (folder / f"{name}.{index}.err").open("w") as errors:
            started.append(
                subprocess.Popen(
                    [*command, str(folder / name), *together],
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    encoding="utf-8",
                    env=os.environ | {"JAX_PLATFORMS": "cpu"},
                )
            )
    for process in started:
        # Should the campaign itself be interrupted.
        atexit.register(process.kill)
    return started


def _ended(started: list[subprocess.Popen[str]]) -> list[str]:
    """Waits for all; returns a line for each that did not end well."""
    return [
        f"process {index} ended with status {process.wait()}"
        for index, process in enumerate(started)
        if process.wait()
    ]


def _noticed(started: list[subprocess.Popen[str]], victim: int) -> list[str]:
    """Waits for those that were not killed; returns what they failed to do."""
    wrong = []
    started[victim].wait()
    for index, process in enumerate(started):
        if index == victim:
            continue
        try:
            status = process.wait(timeout=_NOTICE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            wrong.append(f"process {index} did not notice that {victim} died")
            continue
        # It may have been done by then.
        if status not in (0, 1, 2):
            wrong.append(f"process {index} ended with status {status}")
    return wrong
