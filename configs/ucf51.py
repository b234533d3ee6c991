r"""Video and its optical flow (or sound): which of 51 actions?

    python -m experiments.prepare --config=configs/ucf51.py \
        --config.data.options.path=FOLDER [--dry_run] [--processes=16]

Once; docs/ucf.md says where videos, lists and flow come from. Ten frames and
ten pairs of flow images of each clip, about 3 GB for the 6,845 clips of UCF-51
(estimated), go to --config.data.options.data_dir, or where TFDS keeps its own.
Without an archive of flow images,

    --config.data.options.flow=tvl1

computes them: some 1.5 s per clip and core, 3 core-hours (estimated from 0.15 s
a pair, measured).

    python -m experiments.train --config=configs/ucf51.py:arm \
        --workdir=runs/ucf51_arm --config.data.processes=16

The argument is the method: joint (default) or arm. A ResNet-18 for each of
video and flow, 3 frames of 224 x 224, SGD with momentum, rate 1e-3, weight
decay 1e-4, batches of 64. From scratch; the field starts from ImageNet's
weights, which makes numbers higher:

    --config.model.encoders.video.weights=resnet18.safetensors \
        --config.model.encoders.flow.weights=resnet18.safetensors \
        --config.model.encoders.flow.adapt_channels=mean

    --config=configs/ucf51.py:arm,audio,video

in both commands, with a data_dir of its own, is video with sound (6,836 clips),
and arm,audio,flow,video all three; --config.data.options.classes=ucf101 is all
classes, and --config.data.options.fold=2 or 3 the other official splits.

An epoch of 4,400 clips takes 4 to 6 s on one H100, and 50 epochs 5 minutes, if
the data keep up, which needs some 16 cores: estimated, nothing of this has yet
run on the real data.

    python -m experiments.compare --config=configs/ucf51.py \
        --workdir=runs/compare_ucf51 [--only=joint,uniform,arm]

One seed of each method, in the same time each; the argument is the modalities,
such as configs/ucf51.py:audio,video; the released code of ARM is for two of
them. For another seed, another workdir and --config.training.train.seed=1.

Others report on UCF-101, split 1, from ImageNet's weights: concatenation 81.8,
OGM-GE 82.1, unimodal flow 78.6 and RGB 70.6 (BalanceBenchmark, whose loader
mirrors u and v by draws of their own and does not negate u). On UCF-51 one
paper reports a split of 5,466 and 1,379 clips that is none of the official
ones.
"""

from ml_collections import ConfigDict

from . import common

# arm_jax/data/ucf.py says what they mean.
OPTIONS = {
    "path": "",
    "lists": "",
    "flow_path": "",
    "data_dir": "",
    "classes": ("ucf51",),
    "split": "official",
    "fold": 1,
    "modalities": ("flow", "video"),
    "stored_frames": 10,
    "short_side": 256,
    "seconds": 10.0,
    "audio": "fbank",
    "missing_audio": "drop",
    "flow": "archive",
    "frames": 3,
    "size": 224,
    "rows": 1024,
    "crop": 0.08,
    "validation": 0.1,
    "seed": 0,
    "max_skipped": 0.1,
}


def get_config(argument: str = "joint") -> ConfigDict:
    """Returns the config of one run: of a method, and modalities if not flow.

    Args:
      argument: Such as "arm", or "arm,audio,video".
    """
    return common.clips(argument, "ucf", OPTIONS)


def compare(modalities: str = "flow,video") -> ConfigDict:
    """Returns the config of a comparison on some modalities."""
    training = get_config(f"joint,{modalities}")
    two = len(training.data.options.modalities) == 2
    without = () if two else ("arm_released",)
    return common.comparison(training, seeds=1, without=without)
