r"""Do decomposition and advice recover what is true of known problems?

    python -m experiments.study --config=configs/recovery.py \
        --workdir=runs/recovery

Draws samples of the problems in `bounds.problems`, whose decomposition is
known, and decomposes their exact posteriors. `recovery:fitted` fits classifiers
to the features instead, counts how often the advice is given, and right, and
fits them anew for the numbers without what fitting costs.
"""

import dataclasses

from ml_collections import ConfigDict

from arm_jax.studies.recovery import RecoveryConfig


def study(posteriors: str = "exact") -> ConfigDict:
    """Returns the config of one study."""
    sizes = (500, 2000) if posteriors == "exact" else (2000,)
    config = RecoveryConfig(
        posteriors=posteriors,
        sizes=sizes,
        refits=5 if posteriors == "fitted" else 0,
    )
    return ConfigDict({"study": "recovery", **dataclasses.asdict(config)})
