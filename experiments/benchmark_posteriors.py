"""Error and time of the decomposition of posteriors on problems with answers.

    python -m experiments.benchmark_posteriors --sizes 500,2000 --draws 20

Exact posteriors, paired samples and labels are given. Bias and root mean square
error are over the draws, in bits; coverage is the share of the 95 % intervals
that hold the truth. With --estimated the posteriors are those of cross-fitted
linear discriminants, whose family has the truth, calibrated by temperature.
"""

import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import flags
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import bounds
from arm_jax.reports.pieces import markdown_table
from bounds import problems

from . import cli

_PROBLEMS = flags.DEFINE_list(
    "problems", list(problems.NAMES), "Names in bounds.problems."
)
_SIZES = flags.DEFINE_list("sizes", ["500", "2000"], "Numbers of samples.")
_DRAWS = flags.DEFINE_integer("draws", 20, "Draws of every problem and size.")
_ESTIMATED = flags.DEFINE_bool(
    "estimated", False, "Fit classifiers instead of the exact posteriors."
)
_CORRECT = flags.DEFINE_bool(
    "correct_bias", True, "See bounds.pid_of_posteriors."
)
_QUANTITIES = ("redundancy", "unique1", "unique2", "synergy")


def decompose(samples: problems.Samples, num_classes: int, seed: int) -> Any:
    """One answer for one draw."""
    rows = samples.posterior1, samples.posterior2, samples.posterior12
    if _ESTIMATED.value:
        both = np.concatenate([samples.x1, samples.x2], axis=1)
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        fitted = []
        for x in (samples.x1, samples.x2, both):
            p = np.full((len(x), num_classes), 1e-9)
            there = np.unique(samples.labels)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # rare classes
                p[:, there] += cross_val_predict(
                    LinearDiscriminantAnalysis(),
                    x, samples.labels, cv=folds, method="predict_proba",
                )  # fmt: skip
            fitted.append(p / p.sum(1, keepdims=True))
        rows = tuple(fitted)
    return bounds.pid_of_posteriors(
        *rows[:2], r12=rows[2], labels=samples.labels, seed=seed,
        calibration="temperature" if _ESTIMATED.value else None,
        correct_bias=_CORRECT.value,
    )  # fmt: skip


def one_row(name: str, n: int, draws: int) -> list[str]:
    """Truth, bias, error, coverage and time of a problem at a size."""
    problem = problems.named(name)
    truth = np.array([getattr(problem.truth, q) for q in _QUANTITIES])
    errors, covered, doubts, seconds = [], [], 0, []
    for seed in range(draws):
        samples = problem.sample(n, seed)
        start = time.perf_counter()
        out = decompose(samples, len(problem.prior), seed)
        seconds.append(time.perf_counter() - start)
        errors.append([getattr(out, q) for q in _QUANTITIES] - truth)
        doubts += bool(out.doubts)
        covered.append(
            [
                out.interval[q][0] - 1e-3 <= t <= out.interval[q][1] + 1e-3
                for q, t in zip(_QUANTITIES, truth, strict=True)
            ]
        )

    def four(x: np.ndarray, digits: int = 3) -> str:
        return " ".join(f"{v:.{digits}f}" for v in x)

    error = np.array(errors)
    return [
        name, str(n), four(truth, 2), four(error.mean(0)),
        four(np.sqrt((error**2).mean(0))), four(np.mean(covered, 0), 2),
        f"{doubts / draws:.2f}", f"{np.median(seconds):.1f}",
    ]  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Prints the table, a row as soon as it is there."""
    del argv
    header = [
        "problem", "n", "truth R U1 U2 S", "bias", "rms error", "coverage",
        "doubts", "s",
    ]  # fmt: skip
    rows: list[list[str]] = []
    for name in _PROBLEMS.value:
        for size in _SIZES.value:
            rows.append(one_row(name, int(size), _DRAWS.value))
            print(
                markdown_table(header, rows[-1:]).splitlines()[-1], flush=True
            )
    print(markdown_table(header, rows))
    return 0


if __name__ == "__main__":
    cli.run(main)
