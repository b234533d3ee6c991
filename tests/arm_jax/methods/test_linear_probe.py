import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from tests.arm_jax import helpers

METHOD = methods.create("linear_probe", {})
FEATURES = {"a": [[1.0, 0.0], [0.0, 2.0]], "b": [[0.5, 0.0], [3.0, 0.0]]}
# Probes that see the features negated; the head sees them as they are.
PROBES = {name: {"kernel": -jnp.eye(2), "bias": jnp.zeros(2)} for name in "ab"}


class Forking(helpers.EpochByHand):
    def fork(self, steps, *, variables, phase):
        self.forked = steps, variables.memory["probes"], phase
        return methods.Variables("joint", "statistics", variables.memory)


def test_joint_training_comes_first_and_is_as_long():
    none = methods.Survey({"a": None}, None, np.array([1]), None)
    start = {"probes": np.float32(1)}
    first = Forking({"train": none}, memory=start)
    first.steps = 7
    METHOD.begin_epoch(first)
    # Of ten epochs, and with the head's predictions.
    assert first.forked == (70, 0, "joint")
    found = first.variables
    assert (found.params, found.state) == ("joint", "statistics")
    assert found.memory is start
    later = Forking({"train": none}, number=1, memory=start)
    METHOD.begin_epoch(later)
    assert later.variables.params == ()


def test_the_model_rests_while_its_probes_are_trained():
    assert METHOD.held({}, 0, None) == {
        "encoders": True, "head": True, "method": False
    }  # fmt: skip
    assert METHOD.held({}, 0, "joint") == {
        "encoders": False, "head": False, "method": True
    }  # fmt: skip


def test_loss_by_hand():
    batch = helpers.bare_batch([0, 1])
    batch["mask"][1, 1] = 0
    seen = helpers.bare_forward(FEATURES)._replace(parameters=PROBES)
    value, _ = METHOD.loss(seen, batch)
    # Of b the first example alone; losses are those of negated features.
    loss = lambda x: np.log1p(np.exp(x))
    expected = (loss(1) + loss(2)) / 2 + loss(0.5) / 2
    assert value == pytest.approx(expected, rel=1e-6)
    joint, _ = methods.create("joint", {}).loss(seen, batch)
    assert METHOD.loss(seen._replace(phase="joint"), batch)[0] == joint


@pytest.mark.parametrize(("probes", "sign"), [(1.0, -1), (0.0, 1)])
def test_predictions_are_those_of_the_probes_or_of_the_head(probes, sign):
    seen = helpers.bare_forward(FEATURES)
    memory = {"probes": jnp.float32(probes)}
    mask = jnp.array([[1.0, 1.0], [0.0, 1.0]])
    found = METHOD.fuse(seen.head, seen.features, mask, memory, PROBES)
    np.testing.assert_array_equal(found, sign * np.array([[1.5, 0], [3, 0]]))
