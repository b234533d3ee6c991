"""Makes records of a data set's files, once.

    python -m experiments.prepare --config=configs/food101.py \
        --config.data.options.path=FOLDER [--dry_run] [--processes=8 ...]

Says what is there and what is missing; with --dry_run that is all. The same
command resumes an interrupted preparation. With --tfds=FOLDER the records are
then written once more, as a data set of TFDS, for other programs.
"""

from collections.abc import Sequence

from absl import flags

from . import cli

_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Decode and write nothing.")
_PROCESSES = flags.DEFINE_integer(
    "processes", 0, "Processes that decode; 0 for one per processor."
)
_TFDS = flags.DEFINE_string("tfds", None, "TFDS's folder for a copy.")


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    block = cli.config()["data"]
    from arm_jax import data, processes

    name, options = block["name"], block["options"]
    index = data.index(name, options)
    print("\n".join(index.summary))
    if not _DRY_RUN.value:
        number = _PROCESSES.value
        prepared = data.prepare(name, index, options, processes=number)
        print(prepared.summary)
        if _TFDS.value and processes.leads():
            from arm_jax.data.preparation.export import export

            print("as TFDS keeps it:", export(prepared, _TFDS.value))
    return 0


if __name__ == "__main__":
    cli.run(main, joins=True)
