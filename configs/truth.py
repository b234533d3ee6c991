"""BATCH, symbols and posteriors on problems whose answer is known.

    python -m experiments.study --config=configs/truth.py --workdir=runs/truth

Exact posteriors are given to all three; docs/posteriors.md has the table.
15 minutes on two busy cores; interrupted, the same command goes on.
"""

import dataclasses

from ml_collections import ConfigDict

from arm_jax.studies.truth import TruthConfig


def study() -> ConfigDict:
    """Returns the config of the comparison."""
    return ConfigDict({"study": "truth", **dataclasses.asdict(TruthConfig())})
