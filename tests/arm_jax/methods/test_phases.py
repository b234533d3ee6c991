"""Methods with phases, copies in training and teachers, in whole trainings."""

import dataclasses

import jax
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import data, loop, methods
from arm_jax.errors import InputError

# By method: options, and the number of epochs.
CASES = {
    "arl": ({"warmup": 1}, 2),
    "g_blending": ({"every": 1}, 2),
    "linear_probe": ({}, 2),
    "modality_valuation": ({"warmup": 1}, 2),
    "reconboost": ({}, 4),
    "umt": ({"teacher": 1}, 2),
}


def config(path, name, options, epochs=4):
    mapping = {
        "data": {
            "name": "npz",
            "batch_size": 46,
            "options": {"path": str(path)},
        },
        "model": {
            "hidden": (),
            "features": 5,
            "encoders": {
                "loud": {"name": "tests.arm_jax.models.normed_encoder"}
            },
        },
        "method": {"name": name, "options": options},
        "optimizer": {"learning_rate": 0.1, "weight_decay": 0.1},
        "train": {"epochs": epochs, "log_every": 1},
    }
    return config_lib.from_mapping(config_lib.Config, mapping)


@pytest.fixture(scope="module", params=CASES)
def trained(request, npz_file, tmp_path_factory):
    """Name, run, what it began with, and what it ended with."""
    name = request.param
    run = loop.prepare(config(npz_file, name, *CASES[name]))
    start = jax.device_get(run.initial().state.variables)
    folder = tmp_path_factory.mktemp(name)
    outcome = loop.train(run, folder, progress=False)
    return name, run, start, outcome


def test_resumed_run_is_the_uninterrupted_one(trained, tmp_path):
    _, run, _, whole = trained
    # In the middle of each epoch, and so of each phase; they have 3 steps, with
    # copies 4.
    parts = loop.train(run, tmp_path, stop_after=1, progress=False)
    while parts is None:
        parts = loop.train(run, tmp_path, stop_after=3, progress=False)
    jax.tree.map(np.testing.assert_array_equal, whole, parts)


def test_what_became_of_it(trained):
    name, run, start, outcome = trained
    end = jax.device_get(outcome.last)
    (score,) = run.score(outcome.last, "test")
    # Of three classes, and with statistics that are the encoder's own.
    assert score["accuracy"] > 0.5
    statistics = [v.state["encoders"] for v in (start, end)]
    assert _moved(*statistics)
    encoders = {
        m: _moved(start.params["encoders"][m], end.params["encoders"][m])
        for m in ("loud", "quiet")
    }
    assert all(encoders.values())
    if name in CHECKS:
        CHECKS[name](run, end, score)


def _blended(run, end, score):
    weights = end.memory["weights"][0]
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    assert weights.min() >= 0
    assert np.ptp(weights) > 0.01


def _taught(run, end, score):
    assert end.memory["ready"][0] == 1
    for m in ("loud", "quiet"):
        pair = (end.memory["encoders"][m], end.params["encoders"][m])
        for a, b in zip(*map(jax.tree.leaves, pair), strict=True):
            assert not np.array_equal(a, b)


def _probed(run, end, score):
    assert end.memory["probes"][0] == 1
    assert score["accuracy_loud"] > 0.5


def _boosted(run, end, score):
    # Who rests keeps parameters and statistics.
    batch = next(loop.batches_of(run, run.initial().copies, 0, 0))
    for member, name in enumerate(("loud", "quiet")):
        before = jax.device_get(run.initial().state.variables)
        state, metrics = run.train_step(run.initial().state, batch, member)
        after = state.variables
        # What was decided for those at rest, and undone, is no update.
        moves = jax.tree.map(
            lambda x, y: ((x - y) ** 2).sum(), after.params, before.params
        )
        norm = np.sqrt(sum(map(float, jax.tree.leaves(moves))))
        np.testing.assert_allclose(metrics["update_norm"], norm, rtol=1e-4)
        for m in ("loud", "quiet"):
            for part in ("encoders", "method"):
                pair = before.params[part][m], after.params[part][m]
                assert _moved(*pair) == (m == name)
        kept = [v.state["encoders"]["loud"] for v in (before, after)]
        assert _moved(*kept) == (name == "loud")


def _moved(before, after):
    pairs = zip(*map(jax.tree.leaves, (before, after)), strict=True)
    return any(not np.array_equal(x, y) for x, y in pairs)


CHECKS = {
    "arl": lambda run, end, score: np.testing.assert_array_equal(
        end.memory["warm"], 1
    ),
    "g_blending": _blended,
    "linear_probe": _probed,
    "reconboost": _boosted,
    "umt": _taught,
}


@pytest.mark.parametrize(
    ("name", "options", "least"),
    [
        ("g_blending", {"every": 5}, 5),
        ("reconboost", {"stage": 2}, 6),
        ("umt", {"teacher": 6}, 6),
    ],
)
def test_phases_that_are_longer_than_the_training(
    npz_file, name, options, least
):
    message = rf"'{name}' needs {least} epochs, more than .* train\.epochs, 4"
    with pytest.raises(InputError, match=message):
        loop.prepare(config(npz_file, name, options))


@pytest.mark.parametrize("name", ["arl", "modality_valuation"])
def test_warm_up_that_is_longer_than_the_training(npz_file, name):
    message = rf"'{name}' has a warm-up of 4 epochs.* config train\.epochs, 4"
    with pytest.raises(InputError, match=message):
        loop.prepare(config(npz_file, name, {"warmup": 4}))


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (2, r"copies on 70 of the 140 .* than config data\.batch_size, 92"),
        (200, r"options\.folds must be at most the 140 training .* got 200"),
    ],
)
def test_copies_that_see_less_than_a_batch(npz_file, folds, message):
    # Before the first epoch; the copies are trained after the warm-up.
    one = config(npz_file, "arm_guided", {"folds": folds})
    data_config = dataclasses.replace(one.data, batch_size=92)
    with pytest.raises(InputError, match=message):
        loop.prepare(dataclasses.replace(one, data=data_config))


def test_factors_of_another_number_of_modalities(npz_file):
    # Where a comparison checks all its methods, before the first is trained.
    one = config(npz_file, "late_fusion", {"weight_decays": (1.0,)})
    method = methods.create(one.method.name, one.method.options)
    dataset = data.load(one.data.name, one.data.options)
    with pytest.raises(InputError, match=r"options\.weight_decays must have"):
        loop.model_for(one, method, dataset)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("arm_released", {}),
        ("greedy", {"released": True}),
        ("lfm", {}),
        ("pmr", {}),
    ],
)
def test_features_of_several_widths(npz_file, name, options):
    # Likewise.
    one = config(npz_file, name, options)
    encoders = one.model.encoders | {"quiet": {"features": 4}}
    model = dataclasses.replace(one.model, encoders=encoders)
    one = dataclasses.replace(one, model=model)
    method = methods.create(one.method.name, one.method.options)
    dataset = data.load(one.data.name, one.data.options)
    with pytest.raises(InputError, match=r"one width.*model\.encoders"):
        loop.model_for(one, method, dataset)
