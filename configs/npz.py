r"""Your own data: an .npz file with one array per modality, and the labels.

    python -m experiments.train --config=configs/npz.py:arm \
        --config.data.options.path=my.npz --workdir=runs/mine

The argument is the method: joint (default) or any other. What the file must
hold is in arm_jax/data/npz.py; the README makes one in ten lines.

    python -m experiments.compare --config=configs/npz.py \
        --config.training.data.options.path=my.npz --workdir=runs/compare_mine

The methods, five seeds each; `--only=joint,arm` does a part. The words `all`,
`tuned` and `sgd` behind a colon as in configs/watch.py.

    python -m experiments.quantify --config=configs/npz.py \
        --config.data.options.path=my.npz --workdir=runs/quantify_mine

What the modalities know about the label, cross-fitted in five folds; with
`--config.folds=0` a part (`split` in the file, or a drawn one) is for fitting
and the rest is counted. Where classifiers decide, features are not cut into
symbols, unless `--config.symbols.when=always` asks for it. Samples that are not
independent get an array `group`, or one of another name,
`--config.data.options.group=subject`. An array `weights` in the file counts its
rows by these.
"""

from ml_collections import ConfigDict

from . import common

# Of the file; arm_jax/data/npz.py says what they mean.
OPTIONS = {
    "path": "",
    "modalities": (),
    "label": "label",
    "split": "split",
    "group": "group",
    "weights": "weights",
    "num_classes": 0,
    "label_names": (),
    "task": "",
    "seed": 0,
    "standardize": True,
}


def get_config(method: str = "joint") -> ConfigDict:
    """Returns the config of one run on a file."""
    config = common.training(method or "joint")
    config.data = common.data("npz", OPTIONS, batch_size=64)
    return config


def compare(words: str = "") -> ConfigDict:
    """Returns the config of a comparison on a file, of any modalities."""
    _, more = common.words(words)
    without = ("arm_released",)
    return common.comparison(get_config(), seeds=5, without=without, **more)


def quantify() -> ConfigDict:
    """Returns the config of a report on a file."""
    config = common.quantifying("npz", OPTIONS)
    config.folds = 5
    config.symbols.when = "needed"
    return config
