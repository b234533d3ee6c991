"""Accelerometer + gyroscope: which shoulder exercise?

    python -m experiments.train --config=configs/watch.py:arm \
        --workdir=runs/watch_arm

The argument is the method: joint (default) or arm. About 15 s on two cores.
Fused test accuracy at the last epoch, five seeds: joint 80.5 +- 1.0, arm 81.4
+- 0.7.

    python -m experiments.compare --config=configs/watch.py \
        --workdir=runs/compare_watch [--only=joint,arm]

The methods, five seeds each; about 6 minutes on two cores that did other work
too. Fused, last epoch: joint 80.5 +- 1.0, uniform 80.3 +- 0.6, arm 81.4 +- 0.7;
gyroscope alone 40.4, 67.0 and 69.1. All of it is in docs/comparison.md. With
`watch.py:all` every method there is, with `watch.py:tuned` each one tuned
(docs/comparison.md); with `watch.py:tuned,sgd` or `watch.py:sgd` by SGD with
momentum.

    python -m experiments.quantify --config=configs/watch.py \
        --workdir=runs/quantify_watch

What the sensors know about the exercise, cross-fitted over all ten subjects;
the windows of one series count together.
"""

from ml_collections import ConfigDict

from . import common

OPTIONS = {"data_dir": ""}


def get_config(method: str = "joint") -> ConfigDict:
    """Returns the config of one run."""
    config = common.training(method or "joint")
    windows = {"name": "windows", "length": 20, "stride": 10}
    config.model.encoders = {"accel": windows, "gyro": windows}
    config.model.dropout = 0.3
    # Chosen on validation against batches of 64 (docs/comparison.md).
    config.data = common.data("watch", OPTIONS, batch_size=32)
    return config


def compare(words: str = "") -> ConfigDict:
    """Returns the config of the comparison, see `common.words`."""
    _, more = common.words(words)
    return common.comparison(get_config(), seeds=5, **more)


def quantify() -> ConfigDict:
    """Returns the config of the report."""
    config = common.quantifying("watch", OPTIONS)
    config.folds = 5
    config.units = "series"
    config.models.series = ("accel", "gyro")
    return config
