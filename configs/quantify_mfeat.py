r"""What do descriptors of a numeral know about it, in pairs?

    python -m experiments.quantify --config=configs/quantify_mfeat.py \
        --workdir=runs/quantify_mfeat

The three weakest of the six, cross-fitted over all 2,000 images;
`--config.modalities` takes others. The data come from a file: set ARM_JAX_DATA
to its folder.
"""

from ml_collections import ConfigDict

from configs import common


def get_config() -> ConfigDict:
    """Returns the config of a report on `mfeat`."""
    config = common.quantifying({"name": "mfeat", "path": "", "data_dir": ""})
    config.modalities = ("fou", "mor", "zer")
    config.folds = 5
    config.rest = False
    return config
