r"""Images and spoken digits: which digit?

    python -m experiments.train --config=configs/avdigits.py:arm \
        --workdir=runs/avdigits_arm

The argument is the method: joint (default) or arm. The data set's options, such
as `--config.data.options.protocol=official` and where the files come from, are
in arm_jax/data/avdigits.py. Prepares the data on first use (about 10 s), then
takes about 20 s on two cores. On validation (one speaker, easy to understand)
joint is near 99 % from the first epoch on: look at the modalities alone. On the
test speaker, fused, last epoch, five seeds: joint 94.6 +- 0.5, arm 96.2 +- 1.1.

    python -m experiments.compare --config=configs/avdigits.py \
        --workdir=runs/compare_avdigits [--only=joint,arm]

The methods, five seeds each. The argument is the protocol: speaker (default;
tests on a speaker that was never heard) or official. The ten methods take 2.5
minutes on two cores, ARM without its parts and with other weights as long
again. Fused, last epoch, on the new speaker: joint 94.6 +- 0.5, uniform 95.9 +-
1.3, mla 95.9 +- 0.5, arm 96.2 +- 1.1; the rest is in docs/comparison.md. The
words `all`, `tuned` and `sgd`, as in `avdigits.py:official,tuned`, as in
configs/watch.py.

    python -m experiments.compare --config=configs/avdigits.py:select \
        --workdir=runs/select_avdigits

How options were chosen, without the test speaker. On the validation speaker all
methods are near 99 %, so that nothing can be chosen there. Instead each of the
four training speakers is held out in turn and plays the test speaker. How
speech is normalised and encoded, and the size of a batch, was chosen for
`uniform`, by

    python -m experiments.compare --config=configs/avdigits.py:select \
        --only=uniform --workdir=runs/select_loudness_whole \
        --config.training.data.options.normalize=loudness \
        --config.training.model.encoders.audio.length=16

and so on, 16 parts being the whole recording. All methods, parts and options of
ARM: 35 minutes on two cores that did other work too. Fused, over all speakers
and seeds: joint 97.1 +- 1.2, uniform 98.2 +- 0.6, arm 98.4 +- 0.4.

    python -m experiments.quantify --config=configs/avdigits.py \
        --workdir=runs/quantify_avdigits

What an image and a spoken digit know about the digit. The argument is the
protocol: speaker (default; counted are two speakers that no classifier heard)
or official. Pairs are matched by label only, and recordings repeat: the pairs
of one recording count together.

The data come from a file: set ARM_JAX_DATA to its folder.
"""

from typing import Any

from ml_collections import ConfigDict

from . import common

PROTOCOLS = ("speaker", "official")
# Training speakers that are held out to choose options.
SPEAKERS = (0, 1, 3, 5)
_SOURCE = {
    "normalize": "bands",
    "path": "",
    "source_dir": "",
    "data_dir": "",
}


def get_config(method: str = "joint") -> ConfigDict:
    """Returns the config of one run."""
    config = common.training(method or "joint")
    options = {"protocol": "speaker", "held_out": -1, **_SOURCE}
    # The size was chosen on held-out speakers (docs/comparison.md).
    config.data = common.data("avdigits", options, batch_size=32)
    # Twice this width is worth 0.2 points, fused, on held-out speakers
    # (docs/comparison.md); the comparison is to be one of small encoders.
    config.model.hidden = (64,)
    # 4 of the 16 parts of a recording: sounds, wherever in the word they are.
    config.model.encoders = ConfigDict(
        {"audio": {"name": "windows", "length": 4, "stride": 2}}
    )
    config.model.dropout = 0.3
    config.train.epochs = 10
    return config


def compare(protocol: str = "speaker") -> ConfigDict:
    """Returns the config of a comparison: of a protocol, or "select"."""
    protocol, more = common.words(protocol, (*PROTOCOLS, "select"), ("select",))
    if protocol == "select":
        return _select()
    training = get_config()
    training.data.options.protocol = protocol
    return common.comparison(training, seeds=5, **more)


def _select() -> ConfigDict:
    config = common.comparison(
        get_config(),
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


def quantify(protocol: str = "speaker") -> ConfigDict:
    """Returns the config of a report on one protocol."""
    common.choice(protocol, PROTOCOLS)
    config = common.quantifying("avdigits", {"protocol": protocol, **_SOURCE})
    config.units = "recording"
    return config
