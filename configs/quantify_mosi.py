r"""What do text, audio and video know about the opinion?

    python -m experiments.quantify --config=configs/quantify_mosi.py \
        --workdir=runs/quantify_mosi

Only the 752 utterances of the source's test part, cross-fitted by video: its
training part leaks labels (arm_jax/data/mosi.py). The data come from a file:
set ARM_JAX_DATA to its folder.
"""

from ml_collections import ConfigDict

from configs import common


def get_config() -> ConfigDict:
    """Returns the config of a report on `mosi`."""
    config = common.quantifying(
        {
            "name": "mosi",
            "protocol": "test_folds",
            "fold": 0,
            "path": "",
            "data_dir": "",
        }
    )
    config.folds = 5
    config.units = "video_id"
    config.models.strength = 0.01
    return config
