"""What the training configs share."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from arm_jax import methods
from arm_jax.config import ModelConfig, OptimizerConfig, TrainConfig


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


def quantifying(data: Mapping[str, Any]) -> ConfigDict:
    """Returns what the reports of `experiments.quantify` share.

    The comments are in `experiments.quantify.Config`.
    """
    return ConfigDict(
        {
            "data": dict(data),
            "modalities": (),
            "folds": 0,
            "units": "",
            "knowledge": "labelled",
            "rest": True,
            "margin": 0.05,
            "budget": 1000,
            "symbols": {
                "kind": "posteriors",
                "number": 0,
                "most": 20,
                "sensitivity": (2, 4, 8, 16),
            },
            "models": {"strength": 0.1, "components": 50, "series": ()},
            "resampling": {
                "replicates": 1000,
                "permutations": 200,
                "interval_replicates": 100,
                "seed": 0,
            },
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


def comparison(
    training: ConfigDict,
    seeds: int,
    *,
    without: tuple[str, ...] = (),
    variants: dict[str, dict[str, Any]] | None = None,
    arm: Mapping[str, Any] | None = None,
) -> ConfigDict:
    """Returns the config of a comparison of methods, and of ARM's parts.

    Args:
      training: config of one run; its method does not matter.
      seeds: of each run.
      without: methods that are not defined for this data set.
      variants: name to options of the data set, such as its folds, that every
        method is trained and tested on; results are pooled.
      arm: options of ARM that differ from its defaults.
    """
    training = training.copy_and_resolve_references()
    training.train.seeds = seeds
    del training.method
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
    # What ARM does without here it cannot be stripped of, but given.
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
        }
    )


def method(name: str, **options: Any) -> dict[str, Any]:
    """Returns the block of a method with its defaults and `options`."""
    return {"name": name, "options": methods.default_options(name) | options}
