"""Trains one model and reports what it learned.

    python -m experiments.train --config=configs/watch.py:arm \
        --workdir=runs/watch_arm [--config.train.epochs=5 ...]

The same command resumes an interrupted run, and reads back a finished one.
`--tensorboard` writes event files, too, into the folder `events`. The workdir
holds config.json, record.jsonl, metrics.jsonl, checkpoints/,
results.json, report.md, report.html, figures/.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from . import cli

_TENSORBOARD = flags.DEFINE_bool(
    "tensorboard", False, "Write TensorBoard's event files, too."
)


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    workdir = cli.required(cli.WORKDIR)
    config = cli.config()
    # Not before the workdir was found free: the libraries take seconds to load.
    from arm_jax.reports import training
    from arm_jax.studies.training import fit

    results = fit(
        config,
        workdir,
        allow=cli.ALLOW.value,
        tensorboard=_TENSORBOARD.value,
    )
    if results is None:
        print("interrupted; the same command resumes the run")
        return 130
    print(f"\nTest accuracy in %, {results['method']}:\n")
    print(training.results_table(results))
    if results.get("interactions"):
        print("\nInteractions in the predictions, in bits [95 % interval]:\n")
        print(training.interactions_table(results["interactions"]))
    print(f"\nreport: {Path(workdir) / 'report.html'}")
    return 0


if __name__ == "__main__":
    cli.run(main, exclusive=True)
