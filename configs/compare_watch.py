"""The methods on accelerometer and gyroscope, five seeds each.

    python -m experiments.compare --config=configs/compare_watch.py \
        --workdir=runs/compare_watch

`--only=joint,arm` does a part.

About 6 minutes on two cores that did other work too. Fused, last epoch: joint
80.5 +- 1.0, uniform 80.3 +- 0.6, arm 81.4 +- 0.7; gyroscope alone 40.4, 67.0
and 69.1. All of it is in docs/comparison.md.
"""

from ml_collections import ConfigDict

from configs import common, watch


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return common.comparison(watch.get_config(), seeds=5)
