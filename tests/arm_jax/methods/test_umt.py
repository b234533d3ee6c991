import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.umt import distillation
from tests.arm_jax import helpers

FEATURES = {"a": [[1.0, 0.0], [0.0, 2.0]], "b": [[1.0, 1.0], [3.0, 0.0]]}
TAUGHT = {"a": [[0.0, 0.0], [0.0, 0.0]], "b": [[1.0, 0.0], [3.0, 0.0]]}


def arrays(tree):
    return {k: jnp.asarray(x, jnp.float32) for k, x in tree.items()}


def forward(ready):
    memory = {"encoders": {}, "state": {}, "ready": jnp.float32(ready)}
    bare = helpers.bare_forward(FEATURES, memory=memory)
    return bare._replace(encode=lambda params, state: arrays(TAUGHT))


def test_distillation_by_hand():
    mask = jnp.ones((2, 2))
    # a: (1/2 + 4/2) / 2; b: (1/2 + 0) / 2.
    found = distillation(arrays(FEATURES), arrays(TAUGHT), mask)
    assert found == pytest.approx(1.5)
    # Nothing of the modalities that an example lacks.
    mask = jnp.array([[1.0, 0.0], [0.0, 1.0]])
    found = distillation(arrays(FEATURES), arrays(TAUGHT), mask)
    assert found == pytest.approx(0.25)


def test_loss_by_hand():
    batch = helpers.bare_batch([0, 1])
    joint, _ = methods.create("joint", {}).loss(forward(1), batch)
    method = methods.create("umt", {"weight": 2.0})
    value, metrics = method.loss(forward(1), batch)
    assert value == pytest.approx(float(joint) + 3.0)
    assert metrics["distillation"] == pytest.approx(1.5)
    # Before there are teachers.
    assert method.loss(forward(0), batch)[0] == joint
    # To the last bit, and without a look at any teacher.
    none = forward(1)._replace(encode=None)
    assert methods.create("umt", {"weight": 0.0}).loss(none, batch)[0] == joint


def test_teachers_are_trained_alone():
    heads = {
        name: {"kernel": jnp.eye(2) * scale, "bias": jnp.zeros(2)}
        for name, scale in (("a", 1.0), ("b", 0.0))
    }
    seen = forward(0)._replace(phase="teacher", parameters=heads)
    value, _ = methods.create("umt", {}).loss(seen, helpers.bare_batch([0, 1]))
    own = (np.log1p(np.exp(-1)) + np.log1p(np.exp(-2))) / 2
    assert value == pytest.approx(own + np.log(2), rel=1e-5)
    method = methods.create("umt", {})
    assert method.held({}, 0, "teacher")["head"] is True
    assert method.held({}, 0, None) == {
        "encoders": False, "head": False, "method": True
    }  # fmt: skip


class Forking(helpers.EpochByHand):
    def fork(self, steps, *, phase):
        assert phase == "teacher"
        self.forked = steps
        taught = {"encoders": "taught"}
        return methods.Variables(taught, {"encoders": "statistics"}, ())


@pytest.mark.parametrize(("teacher", "epochs"), [(0, 10), (3, 3)])
def test_teachers_are_trained_before_the_first_epoch(teacher, epochs):
    method = methods.create("umt", {"teacher": teacher})
    none = methods.Survey({"a": None}, None, np.array([1]), None)
    first = Forking({"train": none})
    first.steps = 7
    method.begin_epoch(first)
    assert first.forked == 7 * epochs
    assert first.variables.memory == {
        "encoders": "taught", "state": "statistics", "ready": 1
    }  # fmt: skip
    later = Forking({"train": none}, number=1)
    method.begin_epoch(later)
    assert later.variables.memory == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1.0}, "weight must be at least 0, got -1"),
        ({"teacher": -1}, "teacher must be at least 0, got -1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"method\.options\.{message}"):
        methods.create("umt", options)
