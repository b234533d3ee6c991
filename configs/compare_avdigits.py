"""Ten methods on images and spoken digits, five seeds each.

    python -m experiments.compare --config=configs/compare_avdigits.py \
        --workdir=runs/compare_avdigits

The argument is the protocol: speaker (default; tests on a speaker that was
never heard) or official. `--only=joint,arm` does a part.

All of it took 33 minutes on two cores that did other work too. Fused, last
epoch, on the new speaker: joint 93.5 +- 0.9, uniform 94.9 +- 0.8, pmr 95.8 +-
0.8, mla 95.5 +- 0.6, arm 95.2 +- 0.6; the rest is in docs/comparison.md.
"""

from ml_collections import ConfigDict

from configs import avdigits, common


def get_config(protocol: str = "speaker") -> ConfigDict:
    """Returns the config of the comparison."""
    training = avdigits.get_config()
    training.data.options.protocol = protocol or "speaker"
    return common.comparison(training, seeds=5)
