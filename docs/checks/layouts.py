"""Every method by four devices of one process, of two, and of four.

    python -m docs.checks.layouts [--methods=arm,joint] [--workdir=runs/layouts]

Fifty steps of a small model with dropout on the same batches. What is said of
every step, and the variables at the end, must be those of one process, bit by
bit, for on CPUs devices are added in their order (`arm_jax.parallel`). Methods
that are done are not done again.
"""

import argparse
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax import methods
from arm_jax.reports.pieces import markdown_table
from arm_jax.workdir import JsonLines, write_json

# Processes by devices of each; the first is what the others are held against.
LAYOUTS = ((1, 4), (2, 2), (4, 1))
# So that all phases are in five epochs of ten steps.
_SHORT = {"warmup": 1, "every": 1, "teacher": 1}
_EPOCHS, _BATCH, _ROWS = 5, 20, 200
_SECONDS = 1800


def _config(name: str, file: Path) -> dict[str, Any]:
    known = methods.default_options(name)
    return {
        "data": {
            "name": "npz",
            "batch_size": _BATCH,
            "options": {"path": str(file)},
        },
        "model": {"hidden": (8,), "features": 6, "dropout": 0.2},
        "method": {
            "name": name,
            "options": {k: x for k, x in _SHORT.items() if k in known},
        },
        "optimizer": {"name": "sgd", "learning_rate": 0.05},
        "train": {"epochs": _EPOCHS, "log_every": 1},
    }


def _data(file: Path) -> None:
    rng = np.random.default_rng(7)
    rows = _ROWS + 2 * 80
    label = np.arange(rows) % 4
    seen = np.eye(4)[label]
    np.savez(
        file,
        loud=seen @ rng.normal(size=(4, 5)) + rng.normal(size=(rows, 5)),
        quiet=seen @ rng.normal(size=(4, 4)) + 2 * rng.normal(size=(rows, 4)),
        label=label,
        split=np.repeat([0, 1, 2], [_ROWS, 80, 80]),
    )


def _child(
    names: Sequence[str], folder: Path, file: Path, together: str
) -> None:
    """Trains by each method, and keeps the variables."""
    from arm_jax import launch, processes

    if together:
        coordinator, count, index = together.split(",")
        launch.start(coordinator, int(count), int(index))
    import jax

    from arm_jax import loop
    from arm_jax.config import Config, from_mapping

    for name in names:
        run = loop.prepare(from_mapping(Config, _config(name, file)))
        trained = loop.train(run, folder / name, progress=False)
        # None if it was interrupted.
        if trained is not None and processes.leads():
            leaves = jax.tree.leaves(jax.device_get(trained.last))
            np.savez(folder / f"{name}.npz", *map(np.asarray, leaves))
    processes.finish()


def _run(
    layout: tuple[int, int], names: Sequence[str], workdir: Path, file: Path
) -> None:
    """Runs one layout.

    Raises:
      RuntimeError: A process failed.
    """
    count, devices = layout
    folder = workdir / f"{count}x{devices}"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in names if not (folder / f"{n}.npz").exists()]
    if not missing:
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        coordinator = f"127.0.0.1:{listener.getsockname()[1]}"
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": str(devices),
        "JAX_PLATFORMS": "cpu",
    }
    children = []
    for index in range(count):
        together = f"{coordinator},{count},{index}" if count > 1 else ""
        arguments = [
            f"--methods={','.join(missing)}", f"--child={together or '-'}",
            f"--folder={folder}", f"--file={file}",
        ]  # fmt: skip
        with (folder / f"{index}.err").open("w") as errors:
            children.append(
                subprocess.Popen(
                    [sys.executable, "-m", __spec__.name, *arguments],
                    env=environment,
                    stderr=errors,
                )
            )
    status = [child.wait(_SECONDS) for child in children]
    if any(status):
        odd = status.index(max(status, key=abs))
        said = (folder / f"{odd}.err").read_text()[-2000:]
        raise RuntimeError(f"{layout}: process {odd} failed: {said}")


def _difference(folder: Path, other: Path, name: str) -> tuple[float, float]:
    """The largest one of what is said of steps, and of the variables.

    Of numbers above 1 as a share of them.
    """
    both = folder, other
    logs = [JsonLines(f / name / "metrics.jsonl").read() for f in both]
    said = [0.0]
    for one, two in zip(*logs, strict=True):
        for key, value in one.items():
            if isinstance(value, float):
                said.append(_apart(np.array(value), np.array(two[key])))
            elif value != two[key]:
                return np.inf, np.inf
    files = [f / f"{name}.npz" for f in both]
    with np.load(files[0]) as a, np.load(files[1]) as b:
        variables = [_apart(a[key], b[key]) for key in a.files if a[key].size]
    return max(said), max(variables)


def _apart(one: np.ndarray, two: np.ndarray) -> float:
    one, two = one.astype(np.float64), two.astype(np.float64)
    return float((np.abs(one - two) / np.maximum(np.abs(one), 1)).max())


def main() -> None:
    """Prints the largest differences by method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default=",".join(methods.names()))
    parser.add_argument("--workdir", type=Path, default=Path("runs/layouts"))
    parser.add_argument("--child", default="")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    names = given.methods.split(",")
    if given.child:
        _child(names, given.folder, given.file, given.child.strip("-"))
        return
    given.workdir.mkdir(parents=True, exist_ok=True)
    file = given.workdir / "data.npz"
    if not file.exists():
        _data(file)
    for layout in LAYOUTS:
        _run(layout, names, given.workdir, file)
    first, *others = (given.workdir / f"{n}x{m}" for n, m in LAYOUTS)
    summary = {
        name: [_difference(first, other, name) for other in others]
        for name in names
    }
    write_json(given.workdir / "summary.json", {"layouts": summary})
    print(table(summary))


def table(summary: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """A row for each method, by its differences for each layout."""
    header = ["method"]
    for processes, devices in LAYOUTS[1:]:
        header += [f"{processes} x {devices}: metrics", "variables"]
    rows = [
        [name, *(f"{x:.1e}" for pair in pairs for x in pair)]
        for name, pairs in summary.items()
    ]
    return markdown_table(header, rows)


if __name__ == "__main__":
    main()
