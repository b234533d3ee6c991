"""A model whose encoder keeps statistics, under methods of every kind."""

import jax
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import loop, methods
from arm_jax.errors import TrainingError
from tests.arm_jax import helpers
from tests.arm_jax.models import normed_encoder

MODALITIES = ("a", "image")
# One with a plain loss, with weights on gradients, with turns, with copies.
METHODS = ("joint", "ogm_ge", "mla", "arm")


@pytest.mark.parametrize("name", METHODS)
def test_pmap_is_jit_on_the_whole_batch(name):
    # Among what is compared is the state of the encoder.
    method = methods.create(name, {})
    state, plain, mapped = helpers.steps(method, MODALITIES)
    assert state.variables.state["encoders"]["image"]["batch_stats"]
    # In float64, in which they are compared, Flax's statistics promote.
    with jax.numpy_dtype_promotion("standard"):
        helpers.check_devices(state, plain, mapped, MODALITIES)


@pytest.mark.parametrize("name", methods.names())
def test_every_method_takes_steps_of_encoders_with_state(name):
    # Without computing anything.
    def states(batch):
        state, plain, _ = helpers.steps(methods.create(name, {}), MODALITIES)
        new, _ = plain.__wrapped__(state, batch)
        return [s.variables.state for s in (state, new)]

    batch = helpers.tiny_batch(modalities=MODALITIES)
    old, new = jax.eval_shape(states, batch)
    assert old == new
    assert jax.tree.leaves(old["encoders"])


@pytest.fixture(scope="module")
def npz_images(tmp_path_factory):
    rng = np.random.default_rng(3)
    label = np.tile(np.arange(3), 60)
    prototypes = rng.normal(size=(3, 8, 8, 1))
    path = tmp_path_factory.mktemp("images") / "images.npz"
    np.savez(
        path,
        a=np.eye(3)[label] + rng.normal(size=(180, 3)),
        image=prototypes[label] + rng.normal(size=(180, 8, 8, 1)),
        label=label,
        split=np.repeat([0, 1, 2], [100, 40, 40]),
    )
    return path


def prepare(npz_images, name):
    mapping = {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(npz_images)},
        },
        "model": {
            "hidden": (8,),
            "features": 6,
            # Small: what it stands for takes minutes to compile.
            "encoders": {"image": {"name": normed_encoder.__name__}},
        },
        "method": {"name": name},
        "optimizer": {"learning_rate": 1e-2},
        "train": {"epochs": 3, "log_every": 3},
    }
    return loop.prepare(config_lib.from_mapping(config_lib.Config, mapping))


def test_resumed_run_is_the_uninterrupted_one(npz_images, tmp_path):
    run = prepare(npz_images, "arm")
    whole = loop.train(run, tmp_path / "whole", progress=False)
    loop.train(run, tmp_path / "parts", stop_after=7, progress=False)
    parts = loop.train(run, tmp_path / "parts", progress=False)
    for a, b in zip(
        jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    lines = [
        (tmp_path / name / "metrics.jsonl").read_text()
        for name in ("whole", "parts")
    ]
    assert lines[0] == lines[1]
    # It has learned, by statistics that are its own.
    (score,) = run.score(whole.last, "test")
    assert score["accuracy_image"] > 0.6
    statistics = whole.last.state["encoders"]["image"]["batch_stats"]
    (norm,) = statistics.values()
    assert np.abs(norm["mean"]).max() > 1e-3


def test_statistics_that_become_nan_name_the_encoder(npz_images, tmp_path):
    run = prepare(npz_images, "joint")
    start = run.initial()
    state = start.state.variables.state
    broken = jax.tree.map(lambda x: x * np.nan, state["encoders"])
    variables = start.state.variables.replace(
        state={**state, "encoders": broken}
    )
    snapshot = start._replace(state=start.state.replace(variables=variables))

    class Broken(loop.Run):
        def initial(self):
            return snapshot

    with pytest.raises(
        TrainingError,
        match=r"config model.encoders.image: .* statistics is nan at step 1",
    ):
        loop.train(Broken(*run), tmp_path, progress=False)
