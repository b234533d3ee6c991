"""Images and spoken digits: which digit?

    python -m experiments.train --config=configs/avdigits.py:arm \
        --workdir=runs/avdigits_arm

The argument is the method: joint (default) or arm. The data set's options, such
as `--config.data.options.protocol=official` and where the files come from, are
in arm_jax/data/avdigits.py.
"""

from ml_collections import ConfigDict

from configs import common


def get_config(method: str = "joint") -> ConfigDict:
    """Returns the config of one run on `avdigits`."""
    config = common.training(method or "joint")
    config.data = ConfigDict(
        {
            "name": "avdigits",
            "batch_size": 128,
            "options": {
                "protocol": "speaker",
                "normalize_loudness": True,
                "path": "",
                "source_dir": "",
                "data_dir": "",
            },
        }
    )
    return config
