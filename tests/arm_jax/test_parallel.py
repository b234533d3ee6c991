import numpy as np
import pytest

from arm_jax import parallel
from arm_jax.errors import InputError


def test_split_puts_devices_first():
    batch = {
        "x": np.arange(24).reshape(2, 4, 3),
        "y": np.arange(8).reshape(2, 4),
    }
    parts = parallel.split(batch, axis=1)
    assert parts["x"].shape == (2, 2, 2, 3)
    np.testing.assert_array_equal(parts["y"][1], [[2, 3], [6, 7]])
    merged = parallel.merge(parts)
    np.testing.assert_array_equal(merged["x"], batch["x"])
    np.testing.assert_array_equal(merged["y"], batch["y"])


def test_batch_that_devices_do_not_divide():
    with pytest.raises(InputError, match="size 7 is not divisible by the 2"):
        parallel.check_divisible("size", 7)


def test_replicated_state_keeps_its_shape():
    state = parallel.replicate({"w": np.ones((3, 2), np.float32)})
    assert state["w"].shape == (3, 2)
    assert state["w"].sharding.is_fully_replicated
    assert len(state["w"].sharding.device_set) == 2
