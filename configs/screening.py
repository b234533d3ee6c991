r"""Which pairs of many modalities, or features, interact about the label?

    python -m experiments.study --config=configs/screening.py \
        --workdir=runs/screening [--config.quantity=redundancy]

All 15 pairs of the six descriptors of mfeat, in three clusters each. Your own
file: `--config.data.name=npz --config.data.options.path=my.npz`, every feature
a candidate: `--config.features=True`. A report with a map, in 20 seconds.
"""

import dataclasses

from ml_collections import ConfigDict

from arm_jax.config import SourceConfig
from arm_jax.studies.screening import ScreeningConfig


def study() -> ConfigDict:
    """Returns the config of the screening."""
    config = dataclasses.asdict(ScreeningConfig(data=SourceConfig("mfeat", {})))
    return ConfigDict({"study": "screening", **config})
