"""Methods that act between epochs, interrupted in each of their phases."""

import jax
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import loop


def prepare(npz_file, name, options):
    mapping = {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(npz_file)},
        },
        "model": {"hidden": (), "features": 4},
        "method": {"name": name, "options": options},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "train": {"epochs": 3, "log_every": 4},
    }
    return loop.prepare(config_lib.from_mapping(config_lib.Config, mapping))


@pytest.mark.parametrize(
    ("name", "options", "acted"),
    [
        # Of seven steps an epoch, a gate is replaced in steps 8 to 10, 12, ..
        ("greedy", {"warmup": 1, "steps": 3}, lambda m: m["replaced"].any()),
        # The windows of the second and of the third epoch.
        ("inforeg", {"beta": 0.1}, lambda m: m["traces"][0, -1].all()),
    ],
)
def test_resumed_run_is_the_uninterrupted_one(
    npz_file, tmp_path, name, options, acted
):
    run = prepare(npz_file, name, options)
    whole = loop.train(run, tmp_path / "whole", progress=False)
    # In the first, in the second and in the third epoch.
    for _ in range(3):
        loop.train(run, tmp_path / "parts", stop_after=5, progress=False)
    parts = loop.train(run, tmp_path / "parts", progress=False)
    jax.tree.map(np.testing.assert_array_equal, parts, whole)
    assert acted(jax.device_get(whole.last.memory))
