"""The methods on accelerometer and gyroscope, five seeds each.

    python -m experiments.compare --config=configs/compare_watch.py \
        --workdir=runs/compare_watch

`--only=joint,arm` does a part.

About 8 minutes on two cores that did other work too. Fused, last epoch: joint
79.9 +- 0.8, uniform 79.3 +- 1.1, arm 80.7 +- 0.8; gyroscope alone 39.2, 64.0
and 66.8. All of it is in docs/comparison.md.
"""

from ml_collections import ConfigDict

from configs import common, watch


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return common.comparison(watch.get_config(), seeds=5)
