r"""Do decomposition and advice recover what is true of known problems?

    python -m experiments.study --config=configs/recovery.py \
        --workdir=runs/recovery

Draws samples of the problems in `bounds.problems`, whose decomposition is
known, and decomposes their exact posteriors. `recovery:fitted` fits classifiers
to the features instead, and counts how often the advice is given, and right;
with `--config.refits=5` it fits them anew for the numbers without what fitting
costs, which takes six times as long.
"""

import dataclasses

from ml_collections import ConfigDict

from arm_jax.studies.recovery import RecoveryConfig


def study(posteriors: str = "exact") -> ConfigDict:
    """Returns the config of one study."""
    sizes = (500, 2000) if posteriors == "exact" else (2000,)
    config = RecoveryConfig(posteriors=posteriors, sizes=sizes)
    return ConfigDict({"study": "recovery", **dataclasses.asdict(config)})
