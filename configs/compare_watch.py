"""The methods on accelerometer and gyroscope, five seeds each.

    python -m experiments.compare --config=configs/compare_watch.py \
        --workdir=runs/compare_watch

`--only=joint,arm` does a part.

About 12 minutes on two cores. Fused, last epoch: joint 80.3 +- 1.1, uniform
79.7 +- 1.1, arm 81.1 +- 0.8; gyroscope alone 36.2, 66.3 and 67.2. All of it is
in docs/comparison.md.
"""

from ml_collections import ConfigDict

from configs import common, watch


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return common.comparison(watch.get_config(), seeds=5)
