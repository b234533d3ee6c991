"""Finished runs, read back from their folders."""

from pathlib import Path

from arm_jax import config as config_lib
from arm_jax import loop, record
from arm_jax.data.dataset import SPLITS
from arm_jax.errors import InputError, check_choice
from arm_jax.models import weights
from arm_jax.training import Variables
from arm_jax.workdir import read_json


def load_run(workdir: str | Path) -> tuple[loop.Run, Variables]:
    """Returns a finished run, and what it ended with.

    Args:
      workdir: Folder that `arm_jax.fit` trained into.

    Returns:
      The run, whose methods predict and score; and the variables of all seeds,
      which those methods take.

    Raises:
      InputError: No run there, one that is not finished, or one that was
        trained on other data or with other random numbers.
    """
    folder = Path(workdir).expanduser()
    if not (folder / "config.json").exists():
        raise InputError(f"no run in {folder}: it has no config.json")
    given = read_json(folder / "config.json")
    if "method" not in given:
        raise InputError(
            f"{folder} is no run of a training but of another command; those "
            "of a comparison are in its folders runs/LABEL/VARIANT"
        )
    config = config_lib.from_mapping(config_lib.Config, given)
    run = loop.prepare(config)
    now = record.current(
        run.dataset.digest,
        weights.digests(config.model.encoders),
        config.modules,
    )
    record.check(folder, now, record.ALLOWED)
    record.warn(folder, now)
    return run, loop.last_variables(run, folder)


def evaluate(
    workdir: str | Path, split: str = "test"
) -> list[dict[str, float]]:
    """Scores a finished run on one split.

    Args:
      workdir: Folder that `arm_jax.fit` trained into.
      split: Name of the split.

    Returns:
      For each seed: accuracy and cross-entropy, fused and of each modality
      alone, and the mean contributions in bits, as in metrics.jsonl.

    Raises:
      InputError: See `load_run`; or an unknown split.
    """
    check_choice("split", split, SPLITS)
    run, variables = load_run(workdir)
    return run.score(variables, split)
