"""The methods on six views of a numeral, five seeds each.

    python -m experiments.compare --config=configs/compare_mfeat.py \
        --workdir=runs/compare_mfeat

`--only=joint,arm` does a part. The released code of ARM is for two modalities.
"""

from ml_collections import ConfigDict

from configs import common, mfeat


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return common.comparison(
        mfeat.get_config(), seeds=5, without=("arm_released",)
    )
