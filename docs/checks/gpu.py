"""What a GPU makes of it: training on clips, their reading, solvers, methods.

    python -m docs.checks.gpu --out=/tmp/gpu [--parts=clips,steps] [--tiny]

Each measure has a process of its own, a limit of time, and leaves lines in
OUT/gpu.jsonl as it goes, so that no measure waits for another, nor loses what
another found; the tables are made of those lines. Clips are made up, in the
form that preparation gives real ones: ten JPEGs of 340 x 256 and a filter bank
of ten seconds. Steps are those of `configs/kinetics_sounds.py`: 64 examples of
3 x 224 x 224 pixels and 1,024 x 128 bands, ResNet-18 for each. `--tiny` tries
the script where there is no GPU.
"""

import argparse
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arm_jax.reports.pieces import markdown_table

RESULTS = "gpu.jsonl"
# Of one H100, dense, as its maker has them.
PEAK = {"bfloat16": 989e12, "float32": 495e12}
Row = dict[str, Any]
# Arguments of each process of a part, and its seconds.
MEASURES: dict[str, tuple[tuple[Row, int], ...]] = {
    "flops": (({}, 120),),
    "clips": (({}, 90),),
    "steps": tuple(
        ({"method": method, "dtype": dtype}, 110)
        for dtype in ("bfloat16", "float32")
        for method in ("joint", "arm")
    ),
    "train": (({"dtype": "bfloat16"}, 60), ({"dtype": "float32"}, 60)),
    "loader": tuple(
        ({"processes": processes, "threads": threads}, 40)
        for processes, threads in ((16, 1), (0, 16))
    ),
    "many": (
        ({"tol": 1e-3, "tables": 10_000}, 60),
        ({"tol": 1e-3, "tables": 10_000, "memory": 2**34}, 60),
        ({"tol": 1e-4, "tables": 10_000, "memory": 2**34}, 60),
        ({"tol": 1e-3, "tables": 200, "device": "cpu"}, 40),
    ),
    "single": (({}, 60), ({"device": "cpu"}, 60)),
    "small": (({}, 80), ({"cells": 2**13}, 80), ({"device": "cpu"}, 60)),
    "methods": (({}, 180),),
}


def main() -> None:
    """Runs the measures, each in its process, and prints the tables."""
    flags = _flags()
    flags.out.mkdir(parents=True, exist_ok=True)
    if flags.measure:
        from docs.checks import gpu_measures

        part, arguments = json.loads(flags.measure)
        for row in getattr(gpu_measures, part)(flags, **arguments):
            with (flags.out / RESULTS).open("a") as file:
                file.write(json.dumps({"part": part, **arguments, **row}))
                file.write("\n")
        return
    end = time.monotonic() + flags.limit
    for part in flags.parts.split(","):
        for arguments, limit in MEASURES[part]:
            left = min(limit * 9**flags.tiny, end - time.monotonic())
            _measure(flags, part, arguments, left)
    print(tables((flags.out / RESULTS).read_text()))


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data_dir", type=Path, default="/tmp/gpu_clips")
    parser.add_argument("--parts", default=",".join(MEASURES))
    parser.add_argument("--limit", type=int, default=540)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--measure", default="")
    return parser.parse_args()


def _measure(
    flags: argparse.Namespace, part: str, arguments: Row, limit: float
) -> None:
    """Runs one measure; what goes wrong with it is a line."""
    start = time.monotonic()
    command = [sys.executable, "-m", "docs.checks.gpu", "--out", str(flags.out)]
    command += ["--data_dir", str(flags.data_dir)] + ["--tiny"] * flags.tiny
    command += ["--measure", json.dumps([part, arguments])]
    cache = str(flags.data_dir / "compiled")
    more = {"JAX_COMPILATION_CACHE_DIR": cache}
    more["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    if part == "flops":
        more["JAX_PLATFORMS"] = "cpu"
    print(f"== {part} {arguments}", flush=True)
    with subprocess.Popen(
        command, env=os.environ | more, start_new_session=True
    ) as process:
        try:
            status: Any = process.wait(max(limit, 1))
        except subprocess.TimeoutExpired:
            status = f"stopped after {limit:.0f} s"
        # Its workers, too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    took = time.monotonic() - start
    print(f"   {status} ({took:.0f} s)", flush=True)


def tables(lines: str) -> str:
    """Returns what the lines of results say, a table for each part."""
    rows = [json.loads(line) for line in lines.splitlines()]
    parts = dict.fromkeys(row["part"] for row in rows)
    return "\n\n".join(f"## {part}\n\n{table(rows, part)}" for part in parts)


def table(rows: list[Row], part: str) -> str:
    """Returns the table of a part, whose columns are what its rows have."""
    own = [
        {k: v for k, v in r.items() if k != "part"}
        for r in rows
        if r["part"] == part
    ]
    if part == "steps":
        own = [_with_shares(row, rows) for row in own]
    header = list(dict.fromkeys(itertools.chain(*own)))
    cells = [[_shown(row.get(key, "")) for key in header] for row in own]
    return markdown_table(header, cells)


def _with_shares(row: Row, rows: list[Row]) -> Row:
    """Adds how a step compares to `joint`, and to what the device can do."""

    def of(part: str, method: str, **more: str) -> Row:
        keys = {"part": part, "method": method, **more}
        return next((r for r in rows if keys.items() <= r.items()), {})

    joint = of("steps", "joint", dtype=row["dtype"])
    counted = of("flops", row["method"])
    row = {**row, "/ joint": row["device"] / joint.get("device", float("nan"))}
    if counted:
        speed = counted["flops"] / row["device"]
        row["TFLOP/s"] = speed / 1e12
        row["share of peak"] = speed / PEAK[row["dtype"]]
    return row


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_shown(v)}" for k, v in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
