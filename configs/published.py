"""The real-data table of Liang et al. (ICLR 2024), looked at again.

    python -m experiments.study --config=configs/published.py \
        --workdir=runs/published

Which rows exceed what an independent label gives, whether the upper bounds are
better than the trivial one, and what selecting models at random reaches; see
docs/published.md. Our upper bounds need mosi.npz and mfeat.npz: ARM_JAX_DATA is
their folder, or `--config.datasets=` leaves them out. Three minutes.
"""

import dataclasses

from ml_collections import ConfigDict

from arm_jax.studies.published import PublishedConfig


def study() -> ConfigDict:
    """Returns the config of the re-analysis."""
    config = dataclasses.asdict(PublishedConfig())
    return ConfigDict({"study": "published", **config})
