r"""What do the modalities of your own data know about the label?

    python -m experiments.quantify --config=configs/quantify_npz.py \
        --workdir=runs/quantify_npz \
        --config.data.path=my.npz

What the file must hold is in arm_jax/data/npz.py. Without `data.split` in it, a
drawn part is for fitting and the rest is counted; `folds` uses all. Samples
that are not independent get a group: `--config.data.group=subject
--config.units=subject`.
"""

from ml_collections import ConfigDict

from configs import common, npz


def get_config() -> ConfigDict:
    """Returns the config of a report on a file."""
    config = common.quantifying({"name": "npz", **npz.OPTIONS})
    config.folds = 5
    return config
