"""Benchmarks, side by side with what else exists: `... benchmark pid`.

  python -m experiments.benchmark pid [--shape 3x3x3] [--repeats 5]

Every shape runs in a process of its own, so that its peak memory is its own.
Peers (optional extra `peers`) are timed in the same process, one table at a
time, on the first few tables of the batch: dit's cone method, and BROJA_2PID
by its authors as packaged with IDTxl.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import bounds

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

# Shape, batch, tables that a peer solves.
PID_CASES = {
    "2x2x2": (10_000, 20),
    "3x3x3": (2_000, 10),
    "5x5x3": (1_000, 5),
    "10x10x4": (100, 3),
    "20x20x3": (20, 2),
    "50x50x2": (1, 1),
    "100x100x2": (1, 1),
}
HEADER = (
    "| shape | batch | s/table | worst gap | compile s | peak GB "
    "| BROJA_2PID s | ratio | dit cone s | ratio |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def _peak_gigabytes() -> float:
    """The most memory that this process had; NaN where nobody counts it."""
    if resource is None:
        return float("nan")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**30 if sys.platform == "darwin" else 2**20)


def _best(function: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def _outcomes(p: np.ndarray) -> dict[tuple[int, int, int], float]:
    """The table as {(y, x1, x2): probability}, BROJA_2PID's input."""
    return {
        (int(y), int(a), int(b)): float(p[a, b, y])
        for a, b, y in np.argwhere(p > 0)
    }


def _broja(p: np.ndarray) -> Callable[[], Any] | None:
    try:
        from idtxl import synergy_tartu
    except ImportError:
        return None
    outcomes = _outcomes(p)
    return lambda: synergy_tartu.pid(outcomes, cone_solver="ECOS", output=0)


def _dit(p: np.ndarray) -> Callable[[], Any] | None:
    try:
        import dit
        from dit.pid import PID_BROJA
    except ImportError:
        return None
    outcomes = _outcomes(p)
    keys = [(a, b, y) for y, a, b in outcomes]
    table = dit.Distribution(keys, list(outcomes.values()))
    return lambda: PID_BROJA(table, ((0,), (1,)), (2,), method="cone")


def _measure_pid(name: str, repeats: int) -> dict[str, Any]:
    batch, peer_tables = PID_CASES[name]
    shape = tuple(int(n) for n in name.split("x"))
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(np.prod(shape)), batch).reshape(batch, *shape)
    first = _best(lambda: bounds.pid(p), 1)
    seconds = _best(lambda: bounds.pid(p), repeats)
    peak = _peak_gigabytes()
    row: dict[str, Any] = {
        "shape": name,
        "batch": batch,
        "seconds": seconds / batch,
        "gap": float(bounds.pid(p).gap.max()),
        "compile": first - seconds,
        "peak": peak,
    }
    for peer, make in (("broja", _broja), ("dit", _dit)):
        calls = [make(table) for table in p[:peer_tables]]
        try:
            row[peer] = float(
                np.mean([_best(c, 2) for c in calls if c is not None])
                if calls[0]
                else np.nan
            )
        except Exception as error:  # a peer's failure is a result
            row[peer] = float("nan")
            row[f"{peer} failed"] = f"{type(error).__name__}: {error}"[:100]
    return row


def _format(row: dict[str, Any]) -> str:
    def peer(seconds: float) -> str:
        if not np.isfinite(seconds):
            return "- | -"
        return f"{seconds:.2g} | {seconds / row['seconds']:.1f}"

    return (
        f"| {row['shape']} | {row['batch']} | {row['seconds']:.2g} "
        f"| {row['gap']:.1e} | {row['compile']:.1f} | {row['peak']:.2f} "
        f"| {peer(row['broja'])} | {peer(row['dit'])} |"
    )


def pid(arguments: argparse.Namespace) -> None:
    """Prints the table of the decomposition's speed."""
    if arguments.json:
        print(json.dumps(_measure_pid(arguments.shape[0], arguments.repeats)))
        return
    print(HEADER, flush=True)
    for name in arguments.shape or PID_CASES:
        command = [sys.executable, "-m", "experiments.benchmark", "pid"]
        command += ["--shape", name, "--json"]
        command += ["--repeats", str(arguments.repeats)]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True
        )
        # The last line: some peers print.
        row = json.loads(done.stdout.strip().splitlines()[-1])
        print(_format(row), flush=True)
        for key in row:
            if key.endswith("failed"):
                print(f"  {key}: {row[key]}", flush=True)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("pid", help="the PID solver and its peers")
    command.add_argument("--shape", action="append", choices=PID_CASES)
    command.add_argument("--repeats", type=int, default=3)
    command.add_argument("--json", action="store_true", help="one row, raw")
    command.set_defaults(run=pid)
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats must be at least 1, got {arguments.repeats}")
    arguments.run(arguments)


if __name__ == "__main__":
    main()
