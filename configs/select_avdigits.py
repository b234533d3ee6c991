r"""How options were chosen on avdigits: without the test speaker.

    python -m experiments.compare --config=configs/select_avdigits.py \
        --workdir=runs/select_avdigits

On the validation speaker all methods are near 99 %, so that nothing can be
chosen there. Instead each of the four training speakers is held out in turn and
plays the test speaker. How speech is normalised and encoded, and the size of a
batch, was chosen for `uniform`, by

    python -m experiments.compare --config=configs/select_avdigits.py \
        --only=uniform --workdir=runs/select_loudness_whole \
        --config.training.data.options.normalize=loudness \
        --config.training.model.encoders.audio.length=16

and so on, 16 parts being the whole recording.

All methods, parts and options of ARM: 35 minutes on two cores that did other
work too. Fused, over all speakers and seeds: joint 97.1 +- 1.2, uniform 98.2 +-
0.6, arm 98.4 +- 0.4; the rest is in docs/comparison.md.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import avdigits, common

SPEAKERS = (0, 1, 3, 5)


def get_config() -> ConfigDict:
    """Returns the config of the choice."""
    config = common.comparison(
        avdigits.get_config(),
        seeds=4,
        variants={f"speaker_{k}": {"held_out": k} for k in SPEAKERS},
    )
    further: dict[str, dict[str, Any]] = {
        "arm_replay_quarter": {"replay": 0.25},
        "arm_replay_full": {"replay": 1.0},
        "arm_temperature_1": {"temperature": 1.0},
        "arm_temperature_10": {"temperature": 10.0},
    }
    for label, options in further.items():
        config.runs[label] = common.method("arm", **options)
    config.groups += (("Replay and fusion", ("arm", *further)),)
    return config
