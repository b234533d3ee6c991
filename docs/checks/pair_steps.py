"""Time of a step of two processes with a device each, and of one with two.

    python -m docs.checks.pair_steps [--batch=64]

Of a small head on features, and of a ResNet-18 for each of two modalities of 32
x 32 pixels; of 64 examples in all, as the configs of media have them, unless
another number is given. Each device has one core: the two processes are bound
to one each, as launchers bind them, the single one to both. The least of
several rounds.
"""

import argparse
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

# By name: the model, rounds, and steps of a round.
_MODELS: dict[str, tuple[dict[str, Any], int, int]] = {
    "mlp": ({"hidden": (64,), "features": 32}, 7, 100),
    "resnet18": (
        {
            "encoders": {
                name: {"name": "resnet18", "features": 0} for name in ("a", "b")
            }
        },
        4,
        1,
    ),
}


def _seconds(name: str, file: str, batch_size: int) -> float:
    """Returns seconds of a step, as this process and its companions take it."""
    import jax

    from arm_jax import loop
    from arm_jax.config import Config, from_mapping

    model, rounds, steps = _MODELS[name]
    options = {"path": file, "standardize": False}
    config = {
        "data": {"name": "npz", "batch_size": batch_size, "options": options},
        "model": model,
        "method": {"name": "joint"},
        "train": {"epochs": 2},
    }
    run = loop.prepare(from_mapping(Config, config))
    snapshot = run.initial()
    state = snapshot.state
    batches = list(loop.batches_of(run, snapshot.copies, 0, 0))
    least = np.inf
    for _ in range(rounds):
        start = time.perf_counter()
        for batch in itertools.islice(itertools.cycle(batches), steps):
            state, metrics = run.train_step(state, batch)
            jax.block_until_ready(metrics)
        least = min(least, (time.perf_counter() - start) / steps)
    return least


def _started(
    arguments: list[str], cores: list[int], devices: int
) -> subprocess.Popen[str]:
    bound = ",".join(map(str, cores))
    environment = {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu"}
    command = ["taskset", "-c", bound, sys.executable, "-m", __spec__.name]
    return subprocess.Popen(
        [*command, *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def _found(process: subprocess.Popen[str]) -> dict[str, float]:
    printed, _ = process.communicate()
    # Libraries print lines of their own.
    (line,) = (x for x in printed.splitlines() if x.startswith("{"))
    return dict(json.loads(line))


def main() -> None:
    """Prints milliseconds, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--child", default="")
    given = parser.parse_args()
    if given.child:
        file, *together = given.child.split(",")
        out = os.dup(1)
        from arm_jax import processes

        if together:
            from arm_jax import launch

            launch.start(together[0], 2, int(together[1]))
        found = {name: _seconds(name, file, given.batch) for name in _MODELS}
        os.write(out, f"\n{json.dumps(found)}\n".encode())
        processes.finish()
        return
    file = str(Path(tempfile.mkdtemp()) / "data.npz")
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 160, 32, 32, 3), np.float32)
    split = np.repeat([0, 1, 2], [128, 16, 16])
    np.savez(file, label=np.arange(160) % 4, split=split, a=a, b=b)
    cores = sorted(os.sched_getaffinity(0))[:2]
    batch = f"--batch={given.batch}"
    one = _found(_started([batch, "--child", file], cores, 2))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        coordinator = f"127.0.0.1:{listener.getsockname()[1]}"
    pair = [
        _started([batch, "--child", f"{file},{coordinator},{i}"], [core], 1)
        for i, core in enumerate(cores)
    ]
    two, _ = map(_found, pair)
    for name, seconds in one.items():
        print(
            f"{name}: 1 x 2 {1e3 * seconds:.2f} ms, 2 x 1 "
            f"{1e3 * two[name]:.2f} ms, ratio {two[name] / seconds:.2f}"
        )


if __name__ == "__main__":
    main()
