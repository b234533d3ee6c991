"""Compares the true synergy of tables with what their marginals say about it.

    python -m experiments.synergy --config=configs/synergy.py \
        --workdir=runs/synergy_random [--config.tables=1000 ...]

The same command resumes an interrupted run. The workdir holds config.json,
record.jsonl, blocks.jsonl (one line per block of tables), report.md, figures/.
"""

from collections.abc import Sequence

from arm_jax.studies.synergy import synergy

from . import cli


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    config, workdir = cli.config("synergy"), cli.required(cli.WORKDIR)
    print(synergy(config, workdir, allow=cli.ALLOW.value))
    return 0


if __name__ == "__main__":
    cli.run(main, exclusive=True)
