"""The command; see the package."""

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from arm_jax.reports.pieces import markdown_table
from arm_jax.studies.torture import damages, fuzz, kills

# Failures that are printed of a part.
_MOST = 10


def _data(file: Path) -> None:
    rng = np.random.default_rng(7)
    label = np.tile(np.arange(3), 80)
    seen = np.eye(3)[label]
    np.savez(
        file,
        loud=seen @ rng.normal(size=(3, 5)) + rng.normal(size=(240, 5)),
        quiet=seen @ rng.normal(size=(3, 4)) + 2 * rng.normal(size=(240, 4)),
        label=label,
        split=np.repeat([0, 1, 2], [140, 50, 50]),
    )


def _config(file: Path, epochs: int) -> dict[str, Any]:
    """A training with dropout, copies and several seeds; a step is short."""
    return {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(file)},
        },
        "model": {"hidden": (8,), "features": 6, "dropout": 0.2},
        "method": {"name": "arm", "options": {"warmup": 1}},
        "optimizer": {"learning_rate": 1e-2},
        "train": {"epochs": epochs, "log_every": 3, "seeds": 2},
    }


def main() -> None:
    """Runs the parts that are asked for, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=None)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--damages", type=int, default=20)
    parser.add_argument("--inputs", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    folder = given.workdir or Path(tempfile.mkdtemp(prefix="torture"))
    folder.mkdir(parents=True, exist_ok=True)
    _data(folder / "data.npz")
    long, short = (
        _config(folder / "data.npz", epochs) for epochs in (given.epochs, 2)
    )
    parts: tuple[tuple[str, int, Callable[..., list[str]], tuple], ...] = (
        ("kill -9 of a training", given.kills, kills.trainings, (long,)),
        ("kill -9 of one of two", given.pairs, kills.pairs, (long,)),
        ("damaged file of a workdir", given.damages, damages.files, (short,)),
        ("odd input", given.inputs, fuzz.inputs, (short,)),
    )
    rows, failed = [], False
    for number, (name, count, part, arguments) in enumerate(parts):
        if not count:
            continue
        where = folder / f"part{number}"
        shutil.rmtree(where, ignore_errors=True)
        start = time.monotonic()
        rng = np.random.default_rng([given.seed, number])
        wrong = part(*arguments, where, count, rng)
        seconds = time.monotonic() - start
        rows.append([name, str(count), str(len(wrong)), f"{seconds:.0f}"])
        failed = failed or bool(wrong)
        for line in wrong[:_MOST]:
            sys.stderr.write(f"{name}: {line}\n")
        # Who interrupts what follows has this much.
        sys.stderr.write(f"{' | '.join(rows[-1])}\n")
    sys.stdout.write(
        markdown_table(["part", "times", "failures", "seconds"], rows) + "\n"
    )
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
