r"""The true synergy of tables against every bound from their marginals.

    python -m experiments.synergy --config=configs/synergy.py \
        --workdir=runs/synergy_random

Random tables: 100,000 of shape 2x2x2, uniform on the simplex, take about half a
minute on 2 cores; the interval is 0.20 bits wide. Other shapes and sparse
tables on the command line: --config.shape=3,3,3 --config.concentration=0.3
--config.tables=1000 --config.effort=exact.

    python -m experiments.synergy --config=configs/synergy.py:logic \
        --workdir=runs/synergy_logic

AND, OR and XOR of two fair bits, with a label that is flipped at times.
"""

import dataclasses

from ml_collections import ConfigDict

from arm_jax.studies.synergy import SynergyConfig

from . import common

_NOISE = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


def synergy(kind: str = "random") -> ConfigDict:
    """Returns the config of one study, of "random" tables or "logic" gates."""
    common.choice(kind, ("random", "logic"))
    config = SynergyConfig()
    if kind == "logic":
        config = SynergyConfig(kind="logic", noise=_NOISE, effort="exact")
    return ConfigDict(dataclasses.asdict(config))
