"""The methods on text, audio and video: five folds, three seeds each.

    python -m experiments.compare --config=configs/compare_mosi.py \
        --workdir=runs/compare_mosi

`--only=joint,arm` does a part. The released code of ARM is for two modalities.
"""

from ml_collections import ConfigDict

from configs import common, mosi


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return common.comparison(
        mosi.get_config(),
        seeds=3,
        without=("arm_released",),
        variants={f"fold_{k}": {"fold": k} for k in range(5)},
    )
