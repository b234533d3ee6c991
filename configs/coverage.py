"""Do the error bars of `bounds.quantify` cover the truth?

    python -m experiments.coverage --config=configs/coverage.py \
        --workdir=runs/coverage

Samples tables whose decomposition is known, estimates it from the samples, and
counts how often the 95 % interval holds the truth. The argument is where the
tables come from: "drawn" (default) makes them; "golden"
(`--config=configs/coverage.py:golden`) reads those in the file `path`, without
it pid.npz in the folder of the variable ARM_JAX_DATA.

25 minutes on two cores with "golden"; interrupted, the same command goes on.
"""

import dataclasses

from ml_collections import ConfigDict

from arm_jax.studies.coverage import CoverageConfig


def coverage(tables: str = "drawn") -> ConfigDict:
    """Returns the config of one study."""
    return ConfigDict(dataclasses.asdict(CoverageConfig(tables=tables)))
