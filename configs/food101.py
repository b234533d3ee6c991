r"""Photograph + title of its web page: which of 101 dishes?

    python -m experiments.prepare --config=configs/food101.py \
        --config.data.options.path=FOLDER \
        --config.data.options.vocabulary=FOLDER/vocab.txt [--dry_run]

Once; docs/food101.md says where the files come from. The records, 3 to 4 GB
(estimated), go to --config.data.options.data_dir, or where TFDS keeps its own.

    python -m experiments.train --config=configs/food101.py:arm \
        --workdir=runs/food101_arm

The argument is the method: joint (default) or arm. A ResNet-18 from scratch on
crops of 224 x 224 and a bag of WordPiece tokens; SGD with momentum as in the
field. Others use pretrained encoders (BERT and ViT or ResNet), so that their
accuracies, text about 86 % and image about 66 %, are no aim for this one.
Neither times nor accuracies have been measured here: this has not yet run on
the real data.

    python -m experiments.compare --config=configs/food101.py \
        --workdir=runs/compare_food101 [--only=joint,uniform,arm]

One seed of each method, one after another; for another seed, another workdir
and --config.training.train.seed=1 (seeds side by side would turn convolutions
into grouped ones, which are slow). On one H100 an epoch of 61,000 examples may
take a minute, and 50 epochs of a method an hour: estimated.

    --config.data.options.classes=apple_pie,waffles \
        --config.data.options.data_dir=FOLDER

in both commands tries it on a few classes, in a folder of their own.
"""

from ml_collections import ConfigDict

from . import common

# arm_jax/data/food101.py says what they mean.
OPTIONS = {
    "path": "",
    "data_dir": "",
    "vocabulary": "",
    "short_side": 256,
    "size": 224,
    "length": 40,
    "validation": 0.1,
    "seed": 0,
    "classes": (),
    "max_skipped": 0.1,
}


def get_config(method: str = "joint") -> ConfigDict:
    """Returns the config of one run."""
    config = common.training(method or "joint")
    config.data = common.data("food101", OPTIONS, batch_size=64)
    # The mean over positions is 512 wide, and so are the features of the text.
    config.model.encoders = {
        "image": {"name": "resnet18", "features": 0},
        "text": {"name": "tokens", "features": 512, "hidden": (512,)},
    }
    config.optimizer.name = "sgd"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.weight_decay = 1e-4
    config.train.epochs = 50
    config.train.eval_batch_size = 64
    return config


def compare() -> ConfigDict:
    """Returns the config of a comparison."""
    return common.comparison(get_config(), seeds=1)
