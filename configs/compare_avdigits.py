"""Ten methods on images and spoken digits, five seeds each.

    python -m experiments.compare --config=configs/compare_avdigits.py \
        --workdir=runs/compare_avdigits

The argument is the protocol: speaker (default; tests on a speaker that was
never heard) or official. `--only=joint,arm` does a part.

The ten methods take 7 minutes on two cores. Fused, last epoch, on the new
speaker: joint 82.2 +- 1.8, uniform 89.6 +- 1.2, mla 92.5 +- 1.4, arm 92.4 +-
1.0; all of it is in docs/comparison.md.
"""

from ml_collections import ConfigDict

from configs import avdigits, common


def get_config(protocol: str = "speaker") -> ConfigDict:
    """Returns the config of the comparison."""
    training = avdigits.get_config()
    training.data.options.protocol = protocol or "speaker"
    return common.comparison(training, seeds=5)
