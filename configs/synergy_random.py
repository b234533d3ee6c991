"""Random tables: the true synergy against every bound.

    python -m experiments.synergy --config=configs/synergy_random.py \
        --workdir=runs/synergy_random

100,000 tables 2x2x2, uniform on the simplex: about half a minute on 2 cores,
interval width 0.20 bits. Other shapes and sparse tables on the command line:
--config.shape=3,3,3 --config.concentration=0.3 --config.tables=1000
--config.effort=exact.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the study on random tables."""
    return ConfigDict(
        {
            "kind": "random",
            "shape": (2, 2, 2),
            "concentration": 1.0,
            "tables": 100_000,
            "block": 5_000,
            "seed": 0,
            "effort": "fast",
            "seconds": 1.0,
        }
    )
