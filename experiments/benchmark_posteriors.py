"""Error and time of the decomposition of posteriors on problems with answers.

    python -m experiments.benchmark_posteriors --sizes 500,2000 --draws 20

Exact posteriors, paired samples and labels are given. Bias and root mean square
error are over the draws, in bits; coverage is the share of the 95 % intervals
that hold the truth. With --estimated the posteriors are those of cross-fitted
linear discriminants, whose family has the truth, calibrated by temperature.
"""

from collections.abc import Sequence

import numpy as np
from absl import flags

from arm_jax.reports.pieces import markdown_table
from arm_jax.reports.truth import four
from arm_jax.studies.truth import repeated
from bounds import problems

from . import cli

_PROBLEMS = flags.DEFINE_list(
    "problems", list(problems.NAMES), "Names in bounds.problems or companion."
)
_SIZES = flags.DEFINE_list("sizes", ["500", "2000"], "Numbers of samples.")
_DRAWS = flags.DEFINE_integer("draws", 20, "Draws of every problem and size.")
_ESTIMATED = flags.DEFINE_bool(
    "estimated", False, "Fit classifiers instead of the exact posteriors."
)
_CORRECT = flags.DEFINE_bool(
    "correct_bias", True, "See bounds.pid_of_posteriors."
)
_HEADER = [
    "problem", "n", "truth R U1 U2 S", "bias", "rms error", "coverage",
    "doubts", "s",
]  # fmt: skip


def one_row(name: str, n: int) -> list[str]:
    """Truth, bias, error, coverage and time of a problem at a size."""
    found = repeated(
        name, n, _DRAWS.value,
        estimated=_ESTIMATED.value, correct_bias=_CORRECT.value,
    )  # fmt: skip
    error = found["errors"]
    return [
        name, str(n), four(found["truth"], 2), four(error.mean(0)),
        four(np.sqrt((error**2).mean(0))), four(found["covered"].mean(0), 2),
        f"{found['doubts'] / _DRAWS.value:.2f}",
        f"{np.median(found['seconds']):.1f}",
    ]  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Prints the table, a row as soon as it is there."""
    del argv
    rows: list[list[str]] = []
    for name in _PROBLEMS.value:
        for size in _SIZES.value:
            rows.append(one_row(name, int(size)))
            row = markdown_table(_HEADER, rows[-1:]).splitlines()[-1]
            print(row, flush=True)
    print(markdown_table(_HEADER, rows))
    return 0


if __name__ == "__main__":
    cli.run(main)
