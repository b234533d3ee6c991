import jax
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import loop, methods
from arm_jax.errors import InputError
from arm_jax.methods.relearning import purity, towards
from tests.arm_jax import helpers

# Two far clusters of four.
CLUSTERS = np.repeat([[0.0, 1.0], [50.0, 3.0]], 4, axis=0).astype(np.float32)
CLUSTERS += np.linspace(0, 0.1, 8, dtype=np.float32)[:, None]
CLEAN = np.repeat([0, 1], 4)
MIXED = np.array([0, 0, 0, 1, 1, 1, 0, 0])


@pytest.mark.parametrize(
    ("features", "label", "expected"),
    [
        (CLUSTERS, CLEAN, 1.0),
        # Three of four, and two of four.
        (CLUSTERS, MIXED, 5 / 8),
        # Nothing to tell apart: the commonest class.
        (np.ones((8, 2)), MIXED, 5 / 8),
        # A column is as good as another, however small.
        (CLUSTERS * [1e-6, 1.0], CLEAN, 1.0),
        # No more clusters than examples.
        (CLUSTERS[:1], np.array([1]), 1.0),
    ],
)
def test_purity_by_hand(features, label, expected):
    assert purity(features, label, 2, seed=0) == expected


def test_purity_of_many_classes(rng):
    label = np.repeat(np.arange(4), 50)
    near = np.eye(4)[label] + 0.05 * rng.normal(size=(200, 4))
    assert purity(near, label, 4, seed=3) == 1
    noise = purity(rng.normal(size=(200, 4)), label, 4, seed=3)
    assert 0.25 <= noise < 0.5


def test_towards_by_hand():
    first = {"w": np.array([1.0, 2.0], np.float32)}
    now = {"w": np.array([3.0, 0.0], np.float32)}
    found = towards(first, now, 0.25)["w"]
    np.testing.assert_allclose(found, [2.5, 0.5])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(towards(first, now, 0.0)["w"], now["w"])


def survey(label):
    """Modality a is clustered by class, b as `label` is not."""
    other = np.tile(CLUSTERS[[0, 4]], (4, 1))
    return methods.Survey({"a": CLUSTERS, "b": other}, None, label, None)


def epoch(number):
    params = {
        "encoders": {"a": np.full(3, 4.0), "b": np.full(3, 5.0)},
        "head": np.ones(2),
    }
    return helpers.EpochByHand(
        # Purities of a: 1 and 5/8; of b: 1/2 and 5/8.
        {"train": survey(CLEAN), "validation": survey(MIXED)},
        number=number,
        params=params,
        initial={**params, "encoders": {"a": np.zeros(3), "b": np.ones(3)}},
    )


def test_diagnosis_by_hand():
    method = methods.create("relearning", {"every": 2, "strength": 2.0})
    due = epoch(4)
    assert method.begin_epoch(due) is None
    params = due.variables.params
    a, b = np.tanh(2 * 3 / 8), np.tanh(2 * 1 / 8)
    np.testing.assert_allclose(params["encoders"]["a"], 4 * (1 - a))
    np.testing.assert_allclose(params["encoders"]["b"], b + 5 * (1 - b))
    np.testing.assert_array_equal(params["head"], 1)
    assert due.keep_moments is False


def test_when_it_is_due():
    method = methods.create("relearning", {"every": 2, "times": 3})
    assert method.starts() == 2
    acted = []
    for number in range(2, 12):
        one = epoch(number)
        method.begin_epoch(one)
        if one.keep_moments is not None:
            acted.append(number)
    assert acted == [2, 4, 6]


def prepare(npz_file, name, options):
    mapping = {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(npz_file)},
        },
        "model": {"hidden": (), "features": 6},
        "method": {"name": name, "options": options},
        "optimizer": {"learning_rate": 1e-2},
        "train": {"epochs": 3, "log_every": 7, "seeds": 2},
    }
    return loop.prepare(config_lib.from_mapping(config_lib.Config, mapping))


def test_resumed_run_is_the_uninterrupted_one(npz_file, tmp_path):
    run = prepare(npz_file, "relearning", {"every": 1, "times": 2})
    whole = loop.train(run, tmp_path / "whole", progress=False)
    # Before the first diagnosis, and between the two.
    for stop in (7, 7):
        loop.train(run, tmp_path / "parts", stop_after=stop, progress=False)
    parts = loop.train(run, tmp_path / "parts", progress=False)
    jax.tree.map(np.testing.assert_array_equal, parts, whole)
    # It did something: without diagnoses this is joint training.
    never = run._replace(method=methods.create("relearning", {"every": 3}))
    plain = loop.train(never, tmp_path / "never", progress=False)
    for m in ("loud", "quiet"):
        leaves = [
            jax.tree.leaves(x.last.params["encoders"][m])
            for x in (whole, plain)
        ]
        assert np.abs(leaves[0][1] - leaves[1][1]).max() > 1e-2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"times": 0}, "times must be at least 1, got 0"),
        ({"strength": -1.0}, "strength must be at least 0, got -1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"method\.options\.{message}"):
        methods.create("relearning", options)
