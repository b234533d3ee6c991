"""Estimators of the decomposition on problems whose answer is known.

`truth` compares BATCH, symbols and posteriors, each problem and method in a
process of its own, so that memory can be told. The workdir holds config.json,
record.jsonl, lines.jsonl (one for each problem and method) and results.json.
"""

import dataclasses
import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

import bounds
from arm_jax import lock
from arm_jax.analysis.batch_estimator import batch_pid
from arm_jax.config import from_mapping
from arm_jax.errors import InputError
from arm_jax.studies import lines
from arm_jax.workdir import to_json, write_json
from bounds import companion, inputs, problems
from bounds.estimation import discretize, samples
from bounds.estimation.evidence import SAMPLES_PER_CELL, Labelled

QUANTITIES = ("redundancy", "unique1", "unique2", "synergy")
PROBLEMS = (*problems.NAMES, *companion.NAMES)
_MOST_SYMBOLS = 20
_MEGABYTE = 2**20


@dataclasses.dataclass(frozen=True)
class TruthConfig:
    """One comparison."""

    # Names in bounds.problems or bounds.companion.
    problems: tuple[str, ...] = (
        "correlated4", "copy4", "copy31", "mix3", "and",
    )  # fmt: skip
    methods: tuple[str, ...] = ("batch", "symbols", "posteriors")
    samples: int = 2000
    draws: int = 2
    # Batches that BATCH is trained on.
    steps: int = 320

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        for name in self.problems:
            inputs.choice("config.problems", name, PROBLEMS)
        for name in self.methods:
            inputs.choice("config.methods", name, tuple(METHODS))
        for name in ("samples", "draws", "steps"):
            inputs.integer(f"config.{name}", getattr(self, name), 1)
        if not self.problems or not self.methods:
            raise InputError("config.problems and methods must not be empty")


def truth(
    config: Mapping[str, Any],
    workdir: str | Path,
    *,
    progress: bool = True,
    allow: Collection[str] = (),
) -> dict[str, Any]:
    """Compares the estimators, or goes on with it.

    Args:
      config: Mapping for `TruthConfig`.
      workdir: Folder of the study, held by a lock meanwhile.
      progress: Whether to show a progress bar.
      allow: What may differ from the study's beginning, see
        `arm_jax.record.ALLOWED`.

    Returns:
      The results, as in results.json: of each problem its truth, and by method
      the estimates of all draws, seconds of each, and megabytes.

    Raises:
      InputError: Wrong configuration or workdir.
    """
    checked = from_mapping(TruthConfig, config)
    with lock.hold(workdir) as folder:
        log, done = lines.resume(folder, config, "lines.jsonl", allow)
        there = {(one["problem"], one["method"]) for one in done}
        jobs = [
            (name, method)
            for name in checked.problems
            for method in checked.methods
            if (name, method) not in there
        ]
        spawn = multiprocessing.get_context("spawn")
        results: dict[str, Any] = {
            "samples": checked.samples,
            "draws": checked.draws,
            "rows": log.read(),
        }
        for job in tqdm(jobs, disable=not progress):
            with spawn.Pool(1) as pool:
                log.append(to_json(pool.apply(measured, (*job, checked))))
                # Ended and not killed: libraries clean up behind themselves.
                pool.close()
                pool.join()
            results["rows"] = log.read()
            # What is there can be shown before the rest is.
            write_json(folder / "results.json", results)
        return results


def measured(name: str, method: str, config: TruthConfig) -> dict[str, Any]:
    """One problem by one method, with time and memory.

    Returns:
      `estimates` `[draws, 4]`, `seconds` `[draws]`, the first with what is
      compiled, `megabytes` above what the process had before, and the truth.
    """
    problem = problem_of(name)
    exact = [getattr(problem.truth, q) for q in QUANTITIES]
    before = _peak()
    estimates, seconds = [], []
    for seed in range(config.draws):
        drawn = problem.sample(config.samples, seed)
        start = time.perf_counter()
        estimates.append(METHODS[method](drawn, config, seed))
        seconds.append(time.perf_counter() - start)
    return {
        "problem": name,
        "method": method,
        "truth": exact,
        "estimates": estimates,
        "seconds": seconds,
        "megabytes": (_peak() - before) / _MEGABYTE,
    }


def _peak() -> int:
    """The most bytes that this process has had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def problem_of(name: str) -> problems.Problem:
    """A problem of `bounds.problems` or of the companion."""
    if name in companion.NAMES:
        return companion.companion(name)
    return problems.named(name)


def _by_batch(
    drawn: problems.Samples, config: TruthConfig, seed: int
) -> list[float]:
    found = batch_pid(
        drawn.x1, drawn.x2, drawn.posterior1, drawn.posterior2,
        r12=drawn.posterior12, steps=config.steps, seed=seed,
    )  # fmt: skip
    return [float(getattr(found, q)) for q in QUANTITIES]


def _by_symbols(
    drawn: problems.Samples, config: TruthConfig, seed: int
) -> list[float]:
    """Clusters of the posteriors, as many as the samples can carry."""
    del config
    classes = drawn.posterior1.shape[1]
    number = math.isqrt(len(drawn.labels) // (SAMPLES_PER_CELL * classes))
    number = min(max(number, 2), _MOST_SYMBOLS)
    symbols = [
        discretize.fit_posteriors(r, number, seed=seed, fewer=True)(r)
        for r in (drawn.posterior1, drawn.posterior2)
    ]
    table = samples.count([*symbols, drawn.labels], (number, number, classes))
    found = bounds.quantify(
        Labelled(table), replicates=200, permutations=0,
        interval_replicates=2, seed=seed,
    )  # fmt: skip
    return [found.estimates[q].value for q in QUANTITIES]


def _by_posteriors(
    drawn: problems.Samples, config: TruthConfig, seed: int
) -> list[float]:
    del config
    found = bounds.pid_of_posteriors(
        drawn.posterior1, drawn.posterior2, r12=drawn.posterior12,
        labels=drawn.labels, seed=seed,
    )  # fmt: skip
    return [float(getattr(found, q)) for q in QUANTITIES]


METHODS: dict[str, Callable[[Any, TruthConfig, int], list[float]]] = {
    "batch": _by_batch,
    "symbols": _by_symbols,
    "posteriors": _by_posteriors,
}
