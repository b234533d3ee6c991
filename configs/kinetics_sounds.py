r"""Ten seconds of video and their sound: which of 31 actions?

    python -m experiments.prepare --config=configs/kinetics_sounds.py \
        --config.data.options.path=FOLDER [--dry_run] [--processes=16]

Once; docs/kinetics_sounds.md says where the videos come from. Ten frames and a
filter bank of each clip, about 10 GB for 17,000 clips in half a core-hour to
two (estimated), go to --config.data.options.data_dir, or where TFDS keeps its
own.

    python -m experiments.train --config=configs/kinetics_sounds.py:arm \
        --workdir=runs/kinetics_sounds_arm --config.data.processes=16

The argument is the method: joint (default) or arm. For copies without sound
joint,video in both commands, with a data_dir of its own, is video alone. The
field's protocol: a ResNet-18 from scratch for each of sound and video, 3 frames
of 224 x 224, SGD with momentum, rate 1e-3, weight decay 1e-4, batches of 64.
The classes are those of ARM's released configs; most others use

    --config.data.options.classes=adamml31 [--config.data.options.split=ogm]

A step takes one H100 43 ms, and 27 with --config.model.dtype=bfloat16, ARM's as
well as joint's (measured on made-up clips): 9 or 6 s for an epoch of 14,000
clips, 8 or 5 minutes for 50, if the data keep up, which needs some 16 cores
(estimated). Nothing of this has yet run on the real data.

    python -m experiments.compare --config=configs/kinetics_sounds.py \
        --workdir=runs/compare_kinetics_sounds [--only=joint,uniform,arm]

One seed of each method, in the same time each; for another seed, another
workdir and --config.training.train.seed=1 (seeds side by side would turn
convolutions into grouped ones, which are slow).

Others report, of the last or the best test epoch, for concatenation 65.6 and
OGM-GE 67.0 (BalanceBenchmark, 31 classes, ResNet-18 from scratch); ARM's log
has 68.8 in its last epoch. Initial weights from ImageNet move more than any
method (an audit has 79.1 for concatenation), and lists of classes and of test
clips differ: compare nothing but runs of one protocol.
"""

from ml_collections import ConfigDict

from . import common

# arm_jax/data/kinetics_sounds.py says what they mean.
OPTIONS = {
    "path": "",
    "lists": "",
    "data_dir": "",
    "classes": ("arm31",),
    "split": "official",
    "modalities": ("audio", "video"),
    "stored_frames": 10,
    "short_side": 256,
    "seconds": 10.0,
    "audio": "fbank",
    "missing_audio": "drop",
    "frames": 3,
    "size": 224,
    "rows": 1024,
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
    return common.clips(argument, "kinetics_sounds", OPTIONS)


def compare() -> ConfigDict:
    """Returns the config of a comparison."""
    return common.comparison(get_config(), seeds=1)
