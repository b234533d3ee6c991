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

# Headings by key, and what numbers are multiplied by.
_SOLVED = {
    "shape": ("shape", 1.0),
    "tables": ("tables", 1.0),
    "device": ("on", 1.0),
    "tol": ("tol", 1.0),
    "cells": ("cells of a chunk", 1.0),
    "memory": ("memory_limit GB", 2.0**-30),
    "seconds": ("s", 1.0),
    "compile": ("compile s", 1.0),
    "gap": ("worst gap", 1.0),
    "certified": ("% certified", 100.0),
    "peak": ("peak GB", 1.0),
}
_COLUMNS = {
    "steps": {
        "method": ("method", 1.0),
        "dtype": ("computes in", 1.0),
        "device": ("ms/step", 1e3),
        "/ joint": ("/ joint", 1.0),
        "TFLOP/s": ("TFLOP/s", 1.0),
        "share of peak": ("% of peak", 100.0),
        "ahead": ("ms with its batch", 1e3),
        "host": ("ms one by one", 1e3),
        "peak": ("peak GB", 1.0),
        "compile": ("first step s", 1.0),
    },
    "train": {
        "dtype": ("computes in", 1.0),
        "clips/s": ("clips/s", 1.0),
        "waiting": ("% waiting for data", 100.0),
    },
    "loader": {
        "processes": ("processes", 1.0),
        "threads": ("threads", 1.0),
        "clips/s": ("clips/s", 1.0),
        "first": ("first batch after s", 1.0),
    },
    "many": {k: x for k, x in _SOLVED.items() if k != "cells"},
    "single": {
        k: x for k, x in _SOLVED.items() if k not in ("cells", "memory")
    },
    "small": {k: x for k, x in _SOLVED.items() if k not in ("tol", "memory")},
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
    """Returns the table of a part; its columns are what it has if not given."""
    own = [
        {k: v for k, v in r.items() if k != "part"}
        for r in rows
        if r["part"] == part
    ]
    if part == "steps":
        own = [_with_shares(row, rows) for row in own]
    else:
        own = [{"device": "gpu"} | row for row in own]
    given = {key: (key, 1.0) for row in own for key in row}
    columns = _COLUMNS.get(part, given)
    cells = [
        [_shown(row.get(key, ""), of[1]) for key, of in columns.items()]
        for row in own
    ]
    return markdown_table([heading for heading, _ in columns.values()], cells)


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


def _shown(value: Any, factor: float = 1.0) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_shown(v, factor)}" for k, v in value.items())
    if isinstance(value, str | None):
        return value or ""
    return f"{factor * value:.3g}" if factor * value < 1e3 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
