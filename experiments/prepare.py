"""Makes records of a data set's files, once.

    python -m experiments.prepare --config=configs/food101.py \
        --config.data.options.path=FOLDER [--dry_run] [--processes=8 ...]

First it says what is there and what is missing; with --dry_run that is all. The
same command resumes an interrupted preparation. What could not be used is in
skipped.csv beside the records.
"""

from collections.abc import Sequence

from absl import flags

from . import cli

DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Only say what is there; nothing is decoded or written."
)
PROCESSES = flags.DEFINE_integer(
    "processes", 0, "Processes that decode; 0 for one per processor."
)


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    block = cli.config()["data"]
    from arm_jax import data

    name, options = block["name"], block["options"]
    index = data.index(name, options)
    print("\n".join(index.summary))
    if DRY_RUN.value:
        return 0
    prepared = data.prepare(name, index, options, processes=PROCESSES.value)
    print(
        f"{len(prepared.rows)} of {len(index.items)} files are records in "
        f"{prepared.folder} (data {prepared.digest}); "
        f"{prepared.folder / 'skipped.csv'} names the others"
    )
    return 0


if __name__ == "__main__":
    cli.run(main)
