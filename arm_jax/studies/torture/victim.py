"""A training to be killed: `victim CONFIG.json WORKDIR [COORDINATOR N I]`."""

import json
import os
import sys
from pathlib import Path

from arm_jax import launch, processes
from arm_jax.errors import InputError, TrainingError
from arm_jax.reports import training as training_report
from arm_jax.studies.training import fit


def main() -> None:
    """Trains, and says in one line why not."""
    config, workdir, *together = sys.argv[1:]
    if together:
        launch.start(together[0], int(together[1]), int(together[2]))
    # Figures take longer than the training.
    training_report.write = lambda *_: None
    try:
        found = fit(
            json.loads(Path(config).read_text(encoding="utf-8")),
            workdir,
            progress=False,
            describe=False,
        )
    except (InputError, TrainingError) as error:
        processes.fail(str(error))
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.flush()
        os._exit(2)
    processes.finish()
    sys.exit(0 if found else 130)


if __name__ == "__main__":
    main()
