"""Your own data: an .npz file with one array per modality, and the labels.

    python -m experiments.train --config=configs/npz.py:arm \
        --config.data.options.path=my.npz --workdir=runs/mine

The argument is the method: joint (default) or arm. What the file must hold is
in arm_jax/data/npz.py; the README makes one in ten lines.
"""

from ml_collections import ConfigDict

from configs import common

# Of the file; arm_jax/data/npz.py says what they mean.
OPTIONS = {
    "path": "",
    "modalities": (),
    "label": "label",
    "split": "split",
    "group": "",
    "num_classes": 0,
    "seed": 0,
    "standardize": True,
}


def get_config(method: str = "joint") -> ConfigDict:
    """Returns the config of one run on a file."""
    config = common.training(method or "joint")
    config.data = ConfigDict(
        {
            "name": "npz",
            "batch_size": 64,
            "options": OPTIONS,
        }
    )
    return config
