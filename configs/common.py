"""What the training configs share."""

import dataclasses

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
