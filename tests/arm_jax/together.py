"""What two processes do together in `test_processes`, all in one pair.

python -m tests.arm_jax.together COORDINATOR PROCESS FOLDER NPZ
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np

from arm_jax import launch, parallel, processes
from arm_jax.errors import InputError
from arm_jax.reports import training as training_report
from arm_jax.studies import lines
from arm_jax.studies.training import fit
from arm_jax.workdir import JsonLines


def config(npz: str | Path, method: str) -> dict:
    return {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(npz)},
        },
        "model": {"hidden": (), "features": 6, "dropout": 0.2},
        "method": {
            "name": method,
            "options": {"warmup": 1} if method == "arm" else {},
        },
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "train": {"epochs": 2 if method == "arm" else 1, "log_every": 3},
    }


def fails(action) -> str:
    try:
        action()
    except InputError as error:
        return str(error)
    return ""


def interrupt_behind(file: Path) -> None:
    while not file.exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    coordinator, process = sys.argv[1], int(sys.argv[2])
    folder, npz = Path(sys.argv[3]), sys.argv[4]
    launch.start(coordinator, 2, process)
    # Figures take seconds.
    training_report.write = lambda *_: None
    found: dict = {"gather": processes.gather({"index": process})}
    found["tell"] = processes.tell(f"from {process}")
    found["anyone"] = [processes.anyone(process == 1), processes.anyone(False)]
    mine = {
        "x": np.float32([process, -0.0, np.nan]),
        "n": np.full(3, 7 * process),
    }
    shared = parallel.share(parallel.put([mine]))
    (shared,) = parallel.fetch(shared)
    found["share"] = [shared["x"].tobytes().hex(), shared["n"].tolist()]
    log = JsonLines(folder / "lines.jsonl")
    done = lines.do(log, range(5), lambda n: {"part": n, "by": process})
    found["lines"] = list(done)
    found["odd"] = fails(
        lambda: processes.agree({"data": {"digest": f"of {process}"}})
    )
    found["indivisible"] = fails(lambda: parallel.check_divisible("size", 7))
    found["joint"] = fit(
        config(npz, "joint"),
        folder / "joint",
        progress=False,
        describe=False,
        stop_after=4,
    )
    if process == 1:
        # Only here: all stop, at one step.
        threading.Thread(
            target=interrupt_behind,
            args=(folder / "arm" / "metrics.jsonl",),
            daemon=True,
        ).start()
    for turn in ("interrupted", "arm"):
        found[turn] = fit(
            config(npz, "arm"), folder / "arm", progress=False, describe=False
        )
    (folder / f"found{process}.json").write_text(json.dumps(found))
    processes.anyone(False)
    if process == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    processes.anyone(False)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        # As commands do.
        processes.defect(error)
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(3)
