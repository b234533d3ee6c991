"""The methods on six views of a numeral, five seeds each.

    python -m experiments.compare --config=configs/compare_mfeat.py \
        --workdir=runs/compare_mfeat

`--only=joint,arm` does a part. The released code of ARM is for two modalities.

About 7 minutes on two cores that did other work too. Fused, last epoch: joint
98.4 +- 0.2, uniform 98.8 +- 0.1, mla 98.9 +- 0.3, arm 98.9 +- 0.3; all of it is
in docs/comparison.md.
"""

from ml_collections import ConfigDict

from configs import common, mfeat


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return common.comparison(
        mfeat.get_config(), seeds=5, without=("arm_released",)
    )
