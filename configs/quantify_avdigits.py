r"""What do an image and a spoken digit know about the digit?

    python -m experiments.quantify --config=configs/quantify_avdigits.py \
        --workdir=runs/quantify_avdigits

The argument is the protocol: speaker (default; counted are two speakers that no
classifier heard) or official, `--config=configs/quantify_avdigits.py:official`.
Pairs are matched by label only, and recordings repeat: the pairs of one
recording count together. The data come from a file, see
arm_jax/data/avdigits.py: set ARM_JAX_DATA to its folder.
"""

from ml_collections import ConfigDict

from configs import common


def get_config(protocol: str = "speaker") -> ConfigDict:
    """Returns the config of a report on one protocol of `avdigits`."""
    config = common.quantifying(
        {
            "name": "avdigits",
            "protocol": protocol or "speaker",
            "normalize": "bands",
            "path": "",
            "source_dir": "",
            "data_dir": "",
        }
    )
    config.units = "recording"
    return config
