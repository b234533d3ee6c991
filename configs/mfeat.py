"""Six descriptors of a handwritten numeral: which one?

    python -m experiments.train --config=configs/mfeat.py:arm \
        --workdir=runs/mfeat_arm

The argument is the method: joint (default) or arm.
"""

from ml_collections import ConfigDict

from configs import common


def get_config(method: str = "joint") -> ConfigDict:
    """Returns the config of one run on `mfeat`."""
    config = common.training(method or "joint")
    config.data = ConfigDict(
        {
            "name": "mfeat",
            "batch_size": 64,
            "options": {"path": "", "data_dir": ""},
        }
    )
    return config
