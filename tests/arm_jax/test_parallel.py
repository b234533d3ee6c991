import jax
import numpy as np
import pytest

from arm_jax import methods, parallel
from arm_jax.errors import InputError
from tests.arm_jax import helpers


@pytest.mark.parametrize("name", methods.names())
def test_every_output_is_equal_on_all_devices(name):
    state, _, mapped = helpers.steps(methods.create(name, {}))
    # The same step with a device axis on its outputs, which shows what
    # out_axes=None would hide.
    shown = jax.pmap(mapped, axis_name=parallel.AXIS, in_axes=(None, 0))
    batch = parallel.split(helpers.tiny_batch())
    new_state, metrics = shown(state, batch)
    for path, leaf in jax.tree.leaves_with_path((new_state, metrics)):
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        values = np.asarray(leaf)
        assert len(values) == jax.local_device_count() > 1
        for other in values[1:]:
            np.testing.assert_array_equal(
                other, values[0], err_msg=jax.tree_util.keystr(path)
            )


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
