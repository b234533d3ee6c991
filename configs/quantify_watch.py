r"""What do accelerometer and gyroscope know about the exercise?

    python -m experiments.quantify --config=configs/quantify_watch.py \
        --workdir=runs/quantify_watch

Cross-fitted over all ten subjects; the windows of one series count together.
"""

from ml_collections import ConfigDict

from configs import common


def get_config() -> ConfigDict:
    """Returns the config of a report on `watch`."""
    config = common.quantifying({"name": "watch", "data_dir": ""})
    config.folds = 5
    config.units = "series"
    config.models.series = ("accel", "gyro")
    return config
