"""The methods on accelerometer and gyroscope, five seeds each.

    python -m experiments.compare --config=configs/compare_watch.py \
        --workdir=runs/compare_watch

`--only=joint,arm` does a part.
"""

from ml_collections import ConfigDict

from configs import common, watch


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return common.comparison(watch.get_config(), seeds=5)
