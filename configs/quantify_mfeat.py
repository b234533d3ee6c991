r"""What do descriptors of a numeral know about it, in pairs?

    python -m experiments.quantify --config=configs/quantify_mfeat.py \
        --workdir=runs/quantify_mfeat

Cross-fitted over all 2,000 images. The data come from a file: set ARM_JAX_DATA
to its folder.
"""

from ml_collections import ConfigDict

from configs import common


def get_config() -> ConfigDict:
    """Returns the config of a report on `mfeat`."""
    config = common.quantifying({"name": "mfeat", "path": "", "data_dir": ""})
    config.folds = 5
    config.rest = False
    return config
