"""What a class must be to be a method, and what its hooks do in a step."""

import dataclasses
import sys
import types
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import loop, methods, optimizers, training
from arm_jax.checkpoint import Checkpoints
from arm_jax.config import OptimizerConfig
from arm_jax.errors import InputError
from arm_jax.methods import Losses, Method
from tests.arm_jax import helpers

NAME = "tests.arm_jax.methods.alternating"
option = dataclasses.dataclass(frozen=True, kw_only=True)


@option
class Weighted(Method):
    """Two losses of the features, and a carry."""

    weight: float = 2.0
    shown: tuple[str, ...] = ("a",)
    limit: ClassVar[int] = 3

    def init(self, context, key):
        return {"mean": jnp.zeros(context.widths["a"])}

    def losses(self, forward, batch):
        a, b = forward.features["a"], forward.features["b"]
        return Losses(
            {"first": a.mean(), "second": self.weight * (b**2).mean()},
            {"largest": a.max()},
            a.mean(axis=0),
        )

    def remember(self, step):
        return {"mean": step.memory["mean"] + step.carry}


def module_with(monkeypatch, **members):
    module = types.ModuleType("tests.arm_jax.made_up")
    for name, member in members.items():
        if isinstance(member, type):
            monkeypatch.setattr(member, "__module__", module.__name__)
        setattr(module, name, member)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.__name__


def test_fields_are_the_options(monkeypatch):
    name = module_with(monkeypatch, Weighted=Weighted)
    assert methods.default_options(name) == {"weight": 2.0, "shown": ("a",)}
    method = methods.create(name, {"weight": 3, "shown": ["b"]})
    assert (method.weight, method.shown) == (3.0, ("b",))
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.weight = 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": "x"}, r"^config method\.options\.weight must be .* 'x'$"),
        ({"weight": True}, r"options\.weight must be of type float, got True"),
        ({"shown": (1,)}, r"method\.options\.shown\[0\] must be .* got 1"),
        (
            {"wieght": 0.25},
            r"no option 'wieght'; did you mean 'weight'\? "
            r"\(config method\.options\.wieght is 0\.25\)",
        ),
        ({"limit": 4}, "no option 'limit'"),
    ],
)
def test_bad_options_name_the_path_and_the_value(monkeypatch, options, message):
    name = module_with(monkeypatch, Weighted=Weighted)
    with pytest.raises(InputError, match=message):
        methods.create(name, options)


def test_values_are_checked_when_it_is_made():
    message = r"config method\.options\.stage must be at least 1, got 0"
    with pytest.raises(InputError, match=message):
        methods.create(NAME, {"stage": 0})


def test_an_option_cannot_hide_a_hook():
    with pytest.raises(TypeError, match="Bad: an option cannot be called 'lo"):
        type("Bad", (Method,), {"__annotations__": {"losses": int}})


def test_modules_that_are_no_method(monkeypatch):
    class Undecorated(Method):
        weight: float = 1.0

    class Other(Method):
        pass

    name = module_with(monkeypatch, Undecorated=Undecorated)
    with pytest.raises(InputError, match="Undecorated must be decorated"):
        methods.create(name, {})
    name = module_with(monkeypatch, Weighted=Weighted, Other=Other)
    with pytest.raises(InputError, match="several methods: Weighted, Other"):
        methods.create(name, {})
    # A class that is only imported is none of the module's.
    with pytest.raises(InputError, match="no function `loss` and no class"):
        methods.create("arm_jax.run", {})
    with pytest.raises(NotImplementedError, match="Other has neither `loss`"):
        Other().loss(None, None)


def test_a_loss_that_returns_something_else(monkeypatch):
    def loss(forward, batch):
        return 1.5

    method = methods.create(module_with(monkeypatch, loss=loss), {})
    message = r"loss must return \(scalar, metrics\) or .*carry\), got 1\.5"
    with pytest.raises(InputError, match=message):
        method.losses(None, None)
    method = dataclasses.replace(method, function=lambda *_: (1, {}, 2, 3))
    with pytest.raises(InputError, match=r"lambda.* got \(1, {}, 2, 3\)"):
        method.losses(None, None)


def test_defaults_of_a_plain_loss():
    method = methods.create("joint", {})
    context, key = helpers.context(), jax.random.key(0)
    assert method.init(context, key) == method.parameters(context, key) == ()
    assert (method.turns(3), method.starts(), method.copies(9)) == (1, 0, 0)
    assert method.phase(4, 2) is method.held({}, 0, None) is None
    assert method.begin_epoch(None) is None


def test_losses_have_gradients_of_their_own_and_a_carry():
    seen = {}

    class Seen(Weighted):
        def combine(self, step):
            seen.update(step.gradients)
            return super().combine(step)

    state, plain, _ = helpers.steps(Seen())
    new, metrics = jax.eval_shape(plain, state, helpers.tiny_batch())
    assert sorted(seen) == ["first", "second"]
    # Now with numbers: b has no part in the first loss.
    params, batch = state.variables.params, helpers.tiny_batch()
    method, model = Weighted(), helpers.tiny_model()

    def values(params):
        forward = helpers.forward(model, params, batch)
        return method.losses(forward, batch).values, ()

    found, _, gradients = jax.jit(lambda p: training._differentiate(values, p))(
        params
    )
    expected = jax.jit(jax.jacrev(lambda p: values(p)[0]))(params)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6),
        gradients,
        expected,
    )
    size = lambda tree: sum(float(jnp.abs(x).sum()) for x in tree)
    first, second = (
        [
            size(jax.tree.leaves(gradients[name]["encoders"][m])) > 0
            for m in "ab"
        ]
        for name in ("first", "second")
    )
    assert (first, second) == ([True, False], [False, True])
    step = methods.Step(gradients, params, {"mean": jnp.ones(5)}, 2.0, None)
    both = method.combine(step)
    jax.tree.map(
        lambda s, x, y: np.testing.assert_allclose(s, x + y, atol=1e-6),
        both,
        gradients["first"],
        gradients["second"],
    )
    np.testing.assert_array_equal(method.remember(step)["mean"], 3)
    assert {"loss", "loss_first", "loss_second", "largest"} <= metrics.keys()
    assert new.variables.memory["mean"].shape == (5,)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_what_is_held_stays_with_its_moments(name):
    config = OptimizerConfig(name=name, weight_decay=0.1, clip_norm=1.0)
    optimizer = optimizers.create(config, total_steps=10)
    params = {"x": jnp.ones(2), "y": {"z": jnp.ones(3), "w": jnp.ones(1)}}
    ones = jax.tree.map(jnp.ones_like, params)
    _, old = optimizer.update(ones, optimizer.init(params), params)
    updates, new = optimizer.update(ones, old, params)
    moved = jax.tree.map(jnp.add, params, updates)
    held = {"x": False, "y": True}
    kept, state = optimizers.hold(optimizer, held, (params, old), (moved, new))
    np.testing.assert_array_equal(kept["x"], moved["x"])
    np.testing.assert_array_equal(kept["y"]["z"], 1)
    for (path, a), before, after in zip(
        jax.tree.leaves_with_path(state),
        *map(jax.tree.leaves, (old, new)),
        strict=True,
    ):
        # Moments of x, and the steps of the schedule, go on.
        of_y = "'y'" in jax.tree_util.keystr(path)
        np.testing.assert_array_equal(a, before if of_y else after)
    renewed = jax.tree.map(lambda _: False, params) | {"x": np.True_}
    again = optimizers.renewed_moments(optimizer, new, params, renewed)
    for (path, a), before in zip(
        jax.tree.leaves_with_path(again), jax.tree.leaves(new), strict=True
    ):
        of_x = "'x'" in jax.tree_util.keystr(path)
        np.testing.assert_array_equal(a, 0 * before if of_x else before)


def test_phases_take_turns_by_epoch(npz_file, tmp_path):
    mapping = {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(npz_file)},
        },
        "model": {"hidden": (), "features": 4},
        "method": {"name": NAME},
        "train": {"epochs": 2, "log_every": 7},
    }
    run = loop.prepare(config_lib.from_mapping(config_lib.Config, mapping))
    start = run.initial()
    states = [jax.device_get(start.state.variables.params["encoders"])]
    for stop in (7, None):
        loop.train(run, tmp_path, stop_after=stop, progress=False)
        with Checkpoints(tmp_path) as checkpoints:
            _, snapshot = checkpoints.restore_latest(start)
        states.append(
            jax.device_get(snapshot.state.variables.params)["encoders"]
        )
    for before, after, trained in zip(
        states, states[1:], ("loud", "quiet"), strict=False
    ):
        for name in ("loud", "quiet"):
            same = jax.tree.map(np.array_equal, before[name], after[name])
            # Also by no weight decay and no momentum.
            expected = name != trained
            assert set(jax.tree.leaves(same)) == {expected}
