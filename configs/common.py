"""What the training configs share."""

import dataclasses

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from arm_jax import methods
from arm_jax.config import ModelConfig, OptimizerConfig, TrainConfig


def training(method: str) -> ConfigDict:
    """Returns model, method, optimiser and training blocks with defaults.

    The options of the method are those of its loss function, so that each can
    be overridden on the command line, as in
    `--config.method.options.balance=1.0`.
    """
    blocks = {
        "method": {"name": method, "options": methods.default_options(method)},
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
                "sensitivity": (2, 3, 4, 6, 8, 12, 20),
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
