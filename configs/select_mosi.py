"""How ARM's options were chosen on mosi: on the validation folds.

    python -m experiments.compare --config=configs/select_mosi.py \
        --workdir=runs/select_mosi

The validation fold of fold k is the test fold of k + 1, so that what is chosen
here was not chosen without the test utterances of the other folds. The rule: of
the options whose fused accuracy is within one standard error of the best, those
under which the modalities alone are strongest.

The report is on validation. 5 minutes on two cores that did other work too.
Chosen: no re-sampling and a weight of 16 (fused 74.1 +- 4.0, the best option
74.5 +- 3.3; audio and video alone 0.5 points below being trained alone).
"""

from ml_collections import ConfigDict

from configs import common, mosi


def get_config() -> ConfigDict:
    """Returns the config of the choice."""
    config = common.comparison(
        mosi.get_config(),
        seeds=3,
        variants=mosi.FOLDS,
    )
    config.split = "validation"
    options = {
        f"arm_{kind}unimodal_{weight}": common.method(
            "arm", replay=replay, unimodal=float(weight)
        )
        for kind, replay in (("replay_", 0.5), ("", 0.0))
        for weight in (1, 4, 16)
    }
    others = ("joint", "unimodal", "uniform")
    config.runs = {name: common.method(name) for name in others} | options
    config.groups = (("Options of ARM", (*others, *options)),)
    return config
