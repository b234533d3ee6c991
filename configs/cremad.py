r"""An actor's face and voice: which of six emotions?

    python -m experiments.prepare --config=configs/cremad.py \
        --config.data.options.path=FOLDER \
        --config.data.options.lists=FOLDER [--dry_run] [--processes=16]

Once; docs/cremad.md says where videos and lists come from. Six frames and a
filter bank of each of the 7,442 clips, about 2 GB in half an hour of one core
(estimated), go to --config.data.options.data_dir, or where TFDS keeps its own.

    python -m experiments.train --config=configs/cremad.py:arm \
        --workdir=runs/cremad_arm --config.data.processes=16

The argument is the method: joint (default) or arm; joint,video in both
commands, with a data_dir of its own, is video alone. The field's protocol: a
ResNet-18 from scratch for each of sound and video, 3 frames of 224 x 224, SGD
with momentum, rate 2e-3, weight decay 1e-4, batches of 64, and OGM-GE's lists,
6,698 clips for training and 744 for testing. All actors are in both. Without
lists, and by actor, which is harder:

    --config.data.options.split=random

An epoch of 6,000 clips takes 3 to 6 s on one H100, and 100 epochs 5 to 10
minutes, if the data keep up, which needs some 16 cores: estimated, nothing of
this has yet run on the real data.

    python -m experiments.compare --config=configs/cremad.py \
        --workdir=runs/compare_cremad [--only=joint,uniform,arm]

One seed of each method, in the same time each; for another seed, another
workdir and --config.training.train.seed=1. A single seed varies by 0.7 to 1.5
points.

Others report, mostly of the best test epoch, for concatenation 65.5 and OGM-GE
67.8 (BalanceBenchmark), 69.1 for OGM-GE in an audit; baselines of papers range
from 58.8 to 75.8. Compare nothing but runs of one protocol.
"""

from ml_collections import ConfigDict

from . import common

# arm_jax/data/cremad.py says what they mean.
OPTIONS = {
    "path": "",
    "lists": "",
    "data_dir": "",
    "split": "ogm",
    "modalities": ("audio", "video"),
    "stored_frames": 6,
    "short_side": 256,
    "seconds": 10.0,
    "audio": "fbank",
    "missing_audio": "drop",
    "frames": 3,
    "size": 224,
    # 3 s: few clips last longer.
    "rows": 304,
    "crop": 0.08,
    "validation": 0.1,
    "seed": 0,
    "max_skipped": 0.1,
}


def get_config(argument: str = "joint") -> ConfigDict:
    """Returns the config of one run: of a method, and modalities if not both.

    Args:
      argument: Such as "arm", or "joint,video".
    """
    config = common.clips(argument, "cremad", OPTIONS)
    config.optimizer.learning_rate = 2e-3
    config.train.epochs = 100
    return config


def compare() -> ConfigDict:
    """Returns the config of a comparison."""
    return common.comparison(get_config(), seeds=1)
