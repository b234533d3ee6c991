"""The methods on text, audio and video: five folds, three seeds each.

    python -m experiments.compare --config=configs/compare_mosi.py \
        --workdir=runs/compare_mosi

`--only=joint,arm` does a part. The released code of ARM is for two modalities.

About 12 minutes on two cores that did other work too. Fused, last epoch: joint
74.6 +- 3.3, uniform 74.1 +- 3.6, arm 72.6 +- 3.6, while text alone has 74.9;
audio alone 55.3, 58.1 and 60.2. All of it is in docs/comparison.md.
"""

from ml_collections import ConfigDict

from configs import common, mosi


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return common.comparison(
        mosi.get_config(),
        seeds=3,
        without=("arm_released",),
        variants=mosi.FOLDS,
        arm=mosi.ARM,
    )
