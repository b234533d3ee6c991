"""Six descriptors of a handwritten numeral: which one?

    python -m experiments.train --config=configs/mfeat.py:arm \
        --workdir=runs/mfeat_arm

The argument is the method: joint (default) or arm. About 20 s on two cores. On
the 200 validation examples joint is at 98 to 99 %: look at the views alone.

    python -m experiments.compare --config=configs/mfeat.py \
        --workdir=runs/compare_mfeat [--only=joint,arm]

The methods, five seeds each; the released code of ARM is for two modalities.
About 7 minutes on two cores that did other work too. Fused, last epoch: joint
98.4 +- 0.2, uniform 98.8 +- 0.1, mla 98.9 +- 0.3, arm 98.9 +- 0.3; all of it is
in docs/comparison.md. The words `all`, `tuned` and `sgd` behind a colon as in
configs/watch.py.

    python -m experiments.quantify --config=configs/mfeat.py \
        --workdir=runs/quantify_mfeat

What the three weakest of the six know about the numeral, in pairs, cross-fitted
over all 2,000 images; `--config.modalities` takes others.

The data come from a file: set ARM_JAX_DATA to its folder.
"""

from ml_collections import ConfigDict

from . import common

OPTIONS = {"path": "", "data_dir": ""}


def get_config(method: str = "joint") -> ConfigDict:
    """Returns the config of one run."""
    config = common.training(method or "joint")
    # Chosen on validation against batches of 64 (docs/comparison.md).
    config.data = common.data("mfeat", OPTIONS, batch_size=32)
    config.model.dropout = 0.3
    return config


def compare(words: str = "") -> ConfigDict:
    """Returns the config of the comparison, see `common.words`."""
    _, more = common.words(words)
    without = ("arm_released",)
    return common.comparison(get_config(), seeds=5, without=without, **more)


def quantify() -> ConfigDict:
    """Returns the config of the report."""
    config = common.quantifying("mfeat", OPTIONS)
    config.modalities = ("fou", "mor", "zer")
    config.folds = 5
    config.rest = False
    return config
