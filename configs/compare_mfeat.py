"""The methods on six views of a numeral, five seeds each.

    python -m experiments.compare --config=configs/compare_mfeat.py \
        --workdir=runs/compare_mfeat

`--only=joint,arm` does a part. The released code of ARM is for two modalities.

About 15 minutes on two cores that did other work too. Fused, last epoch: joint
98.3 +- 0.2, uniform 98.5 +- 0.2, mla 98.9 +- 0.2, arm 98.6 +- 0.1; all of it is
in docs/comparison.md.
"""

from ml_collections import ConfigDict

from configs import common, mfeat


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return common.comparison(
        mfeat.get_config(), seeds=5, without=("arm_released",)
    )
