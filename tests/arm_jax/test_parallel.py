from unittest import mock

import jax
import jax.numpy as jnp
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
    make = parallel.side_by_side(
        [lambda number, y=y: {"y": y + number} for y in batch["y"]]
    )
    np.testing.assert_array_equal(make(0)["y"], parts["y"])
    np.testing.assert_array_equal(make(5)["y"], parts["y"] + 5)
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


def test_functions_of_one_run_on_those_of_all():
    trees = [{"x": np.arange(3) + run, "n": run} for run in range(2)]
    there = parallel.put(trees)
    for found, tree in zip(parallel.fetch(there), trees, strict=True):
        np.testing.assert_array_equal(found["x"], tree["x"])
    square = parallel.each(lambda tree: tree["x"] * tree["n"])
    (zero, one) = parallel.fetch(square(there))
    np.testing.assert_array_equal(zero, [0, 0, 0])
    np.testing.assert_array_equal(one, [1, 2, 3])
    (second,) = parallel.fetch(parallel.alone(there, 1))
    np.testing.assert_array_equal(second["x"], [1, 2, 3])
    begun = parallel.start(lambda seed: {"twice": 2 * seed})(range(3, 5))
    assert [int(x["twice"]) for x in parallel.fetch(begun)] == [6, 8]
    assert parallel.scalars(there).keys() == {"n"}


def _on_devices(function, *arguments):
    return jax.pmap(function, axis_name=parallel.AXIS)(*arguments)


def _mean(x):
    return parallel.pmean({"x": x}, parallel.AXIS)["x"]


def _first_of_all(x):
    return parallel.gather(x, parallel.AXIS)[::-1]


@pytest.mark.parametrize("reduce", [_mean, _first_of_all])
def test_devices_in_their_order_are_what_xla_reduces(reduce, rng):
    x, weight = rng.normal(size=(2, 2, 3, 4)).astype(np.float32)

    def slope(x, weight):
        # Nonlinear, and of all runs at once.
        of_run = lambda x: (jnp.tanh(reduce(x)[:3]) * weight).sum()
        value, gradient = jax.vmap(jax.value_and_grad(of_run))(
            jnp.stack([x, 2 * x])
        )
        return reduce(x), value, gradient

    ordered = _on_devices(slope, x, weight)
    with mock.patch.object(parallel, "_in_order", return_value=False):
        expected = _on_devices(lambda *a: slope(*a), x, weight)
    for one, other in zip(ordered, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_devices_are_added_in_their_order():
    # Of two devices any order gives the same; of more it does not.
    mapped = jax.pmap(_mean, axis_name=parallel.AXIS)
    text = mapped.lower(np.ones((2, 3), np.float32)).as_text()
    assert "all_gather" in text
    assert "all_reduce" not in text
