"""What the configs share: blocks with their defaults."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from arm_jax import methods
from arm_jax.config import DataConfig, ModelConfig, OptimizerConfig, TrainConfig
from arm_jax.errors import InputError, check_choice


def training(name: str) -> ConfigDict:
    """Returns model, method, optimiser and training blocks with defaults.

    The options of the method are those of its loss function, so that each can
    be overridden on the command line, as in
    `--config.method.options.balance=1.0`.
    """
    blocks = {
        "method": method(name),
        "model": dataclasses.asdict(ModelConfig()),
        "optimizer": dataclasses.asdict(OptimizerConfig()),
        "train": dataclasses.asdict(TrainConfig()),
    }
    return ConfigDict(blocks)


def data(name: str, options: Mapping[str, Any], batch_size: int) -> ConfigDict:
    """Returns the block of a data set.

    Args:
      name: Name of the data set.
      options: Its options.
      batch_size: Examples per batch.
    """
    block = DataConfig(name=name, batch_size=batch_size)
    return ConfigDict(dataclasses.asdict(block) | {"options": dict(options)})


def clips(argument: str, name: str, options: Mapping[str, Any]) -> ConfigDict:
    """Returns a run on video clips, as most papers of the field have it.

    A ResNet-18 from scratch for each modality, whose features, the mean over
    positions and frames, are 512 wide; SGD with momentum; batches of 64.

    Args:
      argument: Name of the method, "joint" if empty, and modalities if not
        those of the options, such as "arm,audio,video".
      name: Name of the data set.
      options: Its options.
    """
    method, *modalities = argument.split(",")
    own = {"modalities": tuple(modalities)} if modalities else {}
    config = training(method or "joint")
    config.data = data(name, {**options, **own}, 64)
    # Nothing behind the mean.
    config.model.encoders = {
        modality: {"name": "resnet18", "features": 0}
        for modality in config.data.options.modalities
    }
    config.optimizer.name = "sgd"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.weight_decay = 1e-4
    config.train.epochs = 50
    config.train.eval_batch_size = 64
    return config


def quantifying(name: str, options: Mapping[str, Any]) -> ConfigDict:
    """Returns a report on a data set, with the defaults of `StudyOptions`.

    Args:
      name: Name of the data set.
      options: Its options.
    """
    # Not above: they load scikit-learn, for which training need not wait.
    from arm_jax.studies.quantify import OutputsConfig
    from bounds.estimation.options import StudyOptions

    return ConfigDict(
        {
            "data": {"name": name, "options": dict(options)},
            "modalities": (),
            "units": "",
            "outputs": dataclasses.asdict(OutputsConfig()),
            **dataclasses.asdict(StudyOptions()),
        }
    )


# The methods of a comparison, the baseline of the differences first.
METHODS = (
    "joint",
    "unimodal",
    "uniform",
    "ogm_ge",
    "agm",
    "mla",
    "pmr",
    "sample_valuation",
    "arm_released",
    "arm",
)


# Optimisers of a comparison, by the word behind the config's colon; AdamW is as
# each config has it. Adam takes most scaling of gradients back, SGD does not.
# Its rate is a usual one of the field, and is tuned with the rest.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adamw": {},
    "sgd": {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9},
}


def comparison(
    training: ConfigDict,
    seeds: int,
    *,
    without: tuple[str, ...] = (),
    variants: dict[str, dict[str, Any]] | None = None,
    arm: Mapping[str, Any] | None = None,
    every: bool = False,
    tuned: bool = False,
    optimizer: str = "adamw",
) -> ConfigDict:
    """Returns the config of a comparison of methods, and of ARM's parts.

    Args:
      training: Config of one run; its method does not matter.
      seeds: Number of seeds per run.
      without: Methods that are not defined for this data set.
      variants: Name to options of the data set, such as its folds, that every
        method is trained and tested on; results are pooled.
      arm: Options of ARM that differ from its defaults.
      every: Whether all methods are compared, in the place of ARM's parts.
      tuned: Likewise, each one tuned.
      optimizer: Name of one of `OPTIMIZERS`.
    """
    training = training.copy_and_resolve_references()
    training.train.seeds = seeds
    training.optimizer.update(OPTIMIZERS[optimizer])
    del training.method
    if every or tuned:
        return _every(training, without, variants, arm, tuned=tuned)
    runs = {m: method(m) for m in METHODS if m not in without}
    runs["arm"] = method("arm", **(arm or {}))
    own = runs["arm"]["options"]
    parts: dict[str, dict[str, Any]] = {
        "arm_no_fusion": {"fusion": "none"},
        "arm_no_balance": {"balance": 0.0},
        "arm_no_resampling": {"replay": 0.0},
        "arm_resampling": {"replay": methods.default_options("arm")["replay"]},
        "arm_strict": {"form": "strict"},
        "arm_running_fusion": {"fusion": "running"},
    }
    # ARM is not stripped of what it does without here, but given it.
    parts = {k: x for k, x in parts.items() if not x.items() <= own.items()}
    weights: dict[str, dict[str, Any]] = {
        f"arm_{name}_{word}": {name: factor * own[name]}
        for name in ("balance", "unimodal")
        for word, factor in (("half", 0.5), ("double", 2.0))
    }
    # Pairs and no dict, which a ConfigDict would sort.
    groups = (
        ("Methods", tuple(runs)),
        ("Ablation", ("arm", "uniform", *parts)),
        ("Sensitivity", ("arm", *weights)),
    )
    for label, options in (parts | weights).items():
        runs[label] = method("arm", **(own | options))
    return ConfigDict(
        {
            "training": training,
            "runs": runs,
            "groups": groups,
            "split": "test",
            "variants": variants or {"all": {}},
            "tuned": False,
        }
    )


def _every(
    training: ConfigDict,
    without: tuple[str, ...],
    variants: dict[str, dict[str, Any]] | None,
    arm: Mapping[str, Any] | None,
    *,
    tuned: bool,
) -> ConfigDict:
    epochs = training.train.epochs
    # What has a rhythm needs one that fits into the training.
    rhythm: dict[str, dict[str, Any]] = {
        "arm": dict(arm or {}),
        "g_blending": {"every": min(10, epochs)},
        "relearning": {"every": max(1, epochs // 4)},
    }
    known = (*METHODS, *(m for m in methods.names() if m not in METHODS))
    runs = {
        name: method(name, **rhythm.get(name, {}))
        for name in known
        if name not in without
    }
    return ConfigDict(
        {
            "training": training,
            "runs": runs,
            "groups": (("Methods", tuple(runs)),),
            "split": "test",
            "variants": variants or {"all": {}},
            "tuned": tuned,
            "in_order": True,
        }
    )


def words(
    argument: str, known: tuple[str, ...] = (), lone: tuple[str, ...] = ()
) -> tuple[str, dict[str, Any]]:
    """Returns the one of `known` in the argument of a comparison, and more.

    Args:
      argument: Words with commas between them, such as "official,tuned,sgd".
        "all" and "tuned" take all methods, "tuned" tunes them.
      known: What the config itself takes, its default first.
      lone: Those of them that no other word goes with.

    Returns:
      The config's own word, "" if it takes none; and `every`, `tuned` and
      `optimizer` for `comparison`.

    Raises:
      InputError: A word that is not known, or words that clash.
    """
    given = [word for word in argument.split(",") if word]
    for kind in (known, tuple(OPTIMIZERS)):
        of_kind = dict.fromkeys(word for word in given if word in kind)
        if len(of_kind) > 1 or (len(given) > 1 and {*of_kind} & {*lone}):
            raise InputError(
                f"the words '{argument}' after the config's colon do not go "
                "together"
            )
    own = next(iter(known), "")
    more = {"every": False, "tuned": False, "optimizer": "adamw"}
    switches = {"all": "every", "tuned": "tuned"}
    for word in given:
        choice(word, (*known, *switches, *OPTIMIZERS))
        if word in OPTIMIZERS:
            more["optimizer"] = word
        elif word in switches:
            more[switches[word]] = True
        else:
            own = word
    return own, more


def method(name: str, **options: Any) -> dict[str, Any]:
    """Returns the block of a method with its defaults and `options`."""
    return {"name": name, "options": methods.default_options(name) | options}


def choice(argument: str, known: tuple[str, ...]) -> str:
    """Returns the argument of a config, if it is one of those it may be.

    Raises:
      InputError: It is none of them.
    """
    check_choice("the argument after the config's colon", argument, known)
    return argument
