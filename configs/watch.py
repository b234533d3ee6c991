"""Accelerometer + gyroscope: which shoulder exercise?

    python -m experiments.train --config=configs/watch.py:arm \
        --workdir=runs/watch_arm

The argument is the method: joint (default) or arm.

Takes about 15 s on two cores. Fused test accuracy at the last epoch,
five seeds: joint 80.5 +- 1.0, arm 81.4 +- 0.7 (configs/compare_watch.py).
"""

from ml_collections import ConfigDict

from configs import common


def get_config(method: str = "joint") -> ConfigDict:
    """Returns the config of one run on `watch`."""
    config = common.training(method or "joint")
    windows = {"name": "windows", "length": 20, "stride": 10}
    config.model.encoders = {"accel": windows, "gyro": windows}
    config.model.dropout = 0.3
    config.data = ConfigDict(
        # Chosen on validation against 64 (docs/comparison.md).
        {"name": "watch", "batch_size": 32, "options": {"data_dir": ""}}
    )
    return config
