"""Coverage of error bars and bias of estimators, on tables that are known.

The workdir holds config.json, record.jsonl, cells.jsonl (a line for each table
and sample size), results.json and report.md. The same call resumes.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import bounds
from arm_jax import lock, processes
from arm_jax.config import from_mapping
from arm_jax.data import packed
from arm_jax.errors import InputError, check_choice
from arm_jax.reports.coverage import ESTIMATORS, QUANTITIES, report
from arm_jax.studies import lines
from arm_jax.workdir import write_json
from bounds import inputs
from bounds.estimation import estimators, samples
from bounds.estimation.estimators import BLOCKS
from bounds.estimation.evidence import enough

SOURCES = ("drawn", "golden")
_HINT = "It holds tables with their decompositions"
_GOLDEN = ("P_flat", "offset", "shape", "group", "name", "ref")
_SHAPES = ((2, 2, 2), (3, 3, 3), (5, 5, 3), (8, 8, 3))
# Concentrations of the Dirichlet distributions of drawn tables.
_CONCENTRATIONS = (0.2, 1.0)
# Certified error of the solver, and of the truth, in bits.
_TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class CoverageConfig:
    """One study."""

    # Where the tables come from: "drawn", or "golden", those of a file.
    tables: str = "drawn"
    # Of "golden"; without it pid.npz in the folder of the variable
    # ARM_JAX_DATA.
    path: str = ""
    # Tables of one kind and shape at most.
    each: int = 8
    # Cells of a table at most.
    cells: int = 192
    sizes: tuple[int, ...] = (200, 1000, 10_000)
    repetitions: int = 200
    # Of the bootstrap in each repetition.
    replicates: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        check_choice("config tables", self.tables, SOURCES)
        for name, least in (
            ("each", 1),
            ("cells", 8),
            # A deviation is of two or more.
            ("repetitions", 2),
            ("replicates", 2),
        ):
            inputs.integer(f"config {name}", getattr(self, name), least)
        inputs.seed("config seed", self.seed)
        if not self.sizes:
            raise InputError("config sizes is empty")
        for size in self.sizes:
            inputs.integer("config sizes", size, 2)


@dataclasses.dataclass(frozen=True)
class Table:
    """A joint distribution and its decomposition."""

    name: str
    p: np.ndarray
    truth: np.ndarray


def tables(config: CoverageConfig) -> list[Table]:
    """Returns the tables of a study.

    Raises:
      InputError: No such file, or no table of so few cells.
    """
    if config.tables == "golden":
        found = _golden(packed.find("pid", config.path, _HINT))
    else:
        found = _drawn(config.seed)
    seen: dict[Any, int] = defaultdict(int)
    out = []
    for table in found:
        key = table.name.split(":")[0], table.p.shape
        # Without a choice of two of each there is nothing to estimate.
        if min(table.p.shape) < 2 or table.p.size > config.cells:
            continue
        seen[key] += 1
        if seen[key] <= config.each:
            out.append(table)
    if not out:
        raise InputError(
            f"none of the tables has {config.cells} cells (config cells) or "
            "fewer"
        )
    return out


def study(
    table: Table, size: int, config: CoverageConfig, rng: np.random.Generator
) -> dict[str, Any]:
    """Coverage and bias at one table and sample size."""
    draws = rng.multinomial(size, table.p.ravel(), config.repetitions)
    draws = draws.reshape(-1, *table.p.shape)
    padded = [estimators.with_unseen(draw, size) for draw in draws]
    starts = np.cumsum([0] + [len(p) for p in padded])[:-1]
    parts, kept = [draws, *padded], []
    for draw in draws:
        one = samples.Samples(draw, None)
        left = samples.leave_out(one, BLOCKS, rng)
        parts += [samples.bootstrap(one, config.replicates, rng), left.counts]
        kept.append(left.kept)
    solved = bounds.pid(np.concatenate(parts), normalize=True, tol=_TOLERANCE)
    values = np.stack([getattr(solved, q) for q in QUANTITIES], -1)
    ends = np.cumsum([len(draws), sum(map(len, padded))])
    full, unseen, rest = np.split(values, ends)
    moved = np.abs(unseen - np.repeat(full, [len(p) for p in padded], axis=0))
    rest = rest.reshape(len(draws), config.replicates + BLOCKS, -1)
    boot, left_out = np.split(rest, [config.replicates], axis=1)
    guess = estimators.miller_madow_pid_bias(draws)
    bias = {
        "plug_in": np.zeros_like(full),
        "miller_madow": np.stack([guess[q] for q in QUANTITIES], -1),
        "jackknife": np.stack(
            [
                estimators.jackknife_bias(f, x, k)
                for f, x, k in zip(full, left_out, kept, strict=True)
            ]
        ),
    }
    out: dict[str, Any] = {
        "table": table.name,
        "shape": list(table.p.shape),
        "size": size,
        "truth": table.truth,
        "deviation": full.std(0, ddof=1),
        "cover": {},
        "bias": {},
        "width": {},
    }
    for name in ESTIMATORS:
        value = full - bias[name]
        lower, upper = estimators.interval(
            full,
            bias[name],
            boot.swapaxes(0, 1),
            unseen=np.maximum.reduceat(moved, starts),
        )
        holds = (lower <= table.truth + _TOLERANCE) & (
            upper >= table.truth - _TOLERANCE
        )
        out["cover"][name] = holds.mean(0)
        out["bias"][name] = (value - table.truth).mean(0)
        out["width"][name] = (upper - lower).mean(0)
    # The verdict that the report gives, on the first repetition.
    whole = samples.Samples(draws[0], None)
    marginals = [samples.marginal(whole, (axis,)) for axis in (0, 1)]
    of_marginals, of_table = enough(*marginals)[0], enough(whole)[0]
    out["enough"] = [of_marginals] * 3 + [of_table]
    out["per_cell"] = size / table.p.size
    return out


def coverage(
    config: Mapping[str, Any],
    workdir: str | Path,
    *,
    progress: bool = True,
    allow: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Runs the study into `workdir`, or goes on with it.

    Args:
      config: Mapping for `CoverageConfig`.
      workdir: Folder of the study, held by a lock meanwhile.
      progress: Whether to show a progress bar.
      allow: What may differ from the study's beginning, see
        `arm_jax.record.ALLOWED`.

    Raises:
      InputError: Wrong configuration; a workdir in use, of another
        configuration, or of a study that was made with something else.
    """
    with lock.hold(workdir) as folder:
        return _run(config, folder, progress, allow)


def _run(
    config: Mapping[str, Any],
    folder: Path,
    progress: bool,
    allow: Collection[str],
) -> list[dict[str, Any]]:
    checked = from_mapping(CoverageConfig, config)
    chosen = tables(checked)
    log, records = lines.resume(folder, config, "cells.jsonl", allow)
    done = {(r["table"], r["size"]) for r in records}
    jobs = [
        (i, table, size)
        for size in checked.sizes
        for i, table in enumerate(chosen)
    ]
    jobs = [job for job in jobs if (job[1].name, job[2]) not in done]

    def cell(job: tuple[int, Table, int]) -> dict[str, Any]:
        i, table, size = job
        rng = np.random.default_rng((checked.seed, i, size))
        return study(table, size, checked, rng)

    made = lines.do(log, jobs, cell)
    records += tqdm(
        made, total=len(jobs), disable=not (progress and processes.leads())
    )
    if not processes.leads():
        return records
    # Before anything is made of them: they took the time.
    write_json(folder / "results.json", {"cells": records})
    (folder / "report.md").write_text(
        report(records, dataclasses.asdict(checked)), encoding="utf-8"
    )
    return records


def _golden(path: Path) -> list[Table]:
    arrays = packed.read(path, _GOLDEN)
    out = []
    for k, shape in enumerate(arrays["shape"]):
        start = arrays["offset"][k]
        p = arrays["P_flat"][start : start + np.prod(shape)].reshape(shape)
        name = f"{arrays['group'][k]}:{arrays['name'][k]}"
        out.append(Table(name, p / p.sum(), arrays["ref"][k]))
    return out


def _drawn(seed: int) -> list[Table]:
    rng = np.random.default_rng(seed)
    drawn = [
        (f"dirichlet{a:g}:{shape[0]}x{shape[1]}x{shape[2]}_{i}",
         rng.dirichlet(np.full(np.prod(shape), a)).reshape(shape))
        for shape in _SHAPES
        for a in _CONCENTRATIONS
        for i in range(4)
    ]  # fmt: skip
    for name, function in (
        ("xor", np.bitwise_xor),
        ("and", np.bitwise_and),
    ):
        x1, x2 = np.indices((2, 2))
        gate = np.eye(2)[function(x1, x2)] / 4
        drawn.append((f"gate:{name}", gate))
        drawn.append((f"gate:{name}_noise0.1", 0.9 * gate + 0.1 / 8))
    out = []
    for name, p in drawn:
        exact = bounds.pid(p)
        truth = np.array([getattr(exact, q) for q in QUANTITIES])
        out.append(Table(name, p, truth))
    return out
