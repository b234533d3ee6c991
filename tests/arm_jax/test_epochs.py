"""What a method can do between two epochs."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from arm_jax import config as config_lib
from arm_jax import epochs, loop
from arm_jax.errors import InputError
from arm_jax.methods import Copies, Method


def prepare(npz_file, seeds):
    mapping = {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(npz_file)},
        },
        "model": {"hidden": (), "features": 6},
        "optimizer": {"learning_rate": 1e-2, "weight_decay": 0.0},
        "train": {"epochs": 2, "log_every": 7, "seeds": seeds},
    }
    return loop.prepare(config_lib.from_mapping(config_lib.Config, mapping))


@pytest.fixture(scope="module")
def pair(npz_file):
    return prepare(npz_file, seeds=2)


@pytest.fixture(scope="module")
def single(npz_file):
    return prepare(npz_file, seeds=1)


def begin(run, hook, snapshot=None, number=0):
    """The snapshot after `hook(epoch)` was the method's."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Hooked(Method):
        def begin_epoch(self, epoch):
            return hook(epoch)

    hooked = run._replace(method=Hooked())
    return epochs.begin(hooked, snapshot or run.initial(), number)


def trained(run):
    """A snapshot whose optimiser has moments."""
    snapshot = run.initial()
    ones = jax.tree.map(lambda x: x + 1, snapshot.state.opt_state)
    return snapshot._replace(state=snapshot.state.replace(opt_state=ones))


def test_surveys_are_the_predictions_of_any_split(pair):
    seen = []
    snapshot = pair.initial()
    assert begin(pair, lambda e: seen.append(e), snapshot) is snapshot
    assert [e.rng.integers(1000) for e in seen] == [
        np.random.default_rng([seed, 0]).integers(1000) for seed in (0, 1)
    ]
    for split in ("train", "validation", "test"):
        found = pair.predict(snapshot.state.variables, split)
        for epoch, expected in zip(seen, found, strict=True):
            survey = epoch.survey(split)
            for a, b in zip(survey.log_probs, expected.log_probs, strict=True):
                np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(survey.label, expected.label)
            assert survey.features["loud"].shape == (len(survey.label), 6)
    # Of other variables: without parameters all classes are alike.
    (epoch, _) = seen
    nothing = jax.tree.map(np.zeros_like, epoch.variables)
    survey = epoch.survey("test", nothing)
    np.testing.assert_allclose(survey.log_probs.full, np.log(1 / 3), rtol=1e-6)
    # Those put in place count from then on, for that run alone.
    epoch.replace(params=nothing.params)
    again = epoch.survey("test").log_probs.full
    np.testing.assert_array_equal(again, survey.log_probs.full)
    other = seen[1].survey("test").log_probs.full
    assert np.abs(other - np.log(1 / 3)).max() > 0.1
    with pytest.raises(ValueError, match="no split 'all'; there are test, tr"):
        epoch.survey("all")


@pytest.mark.parametrize("keep", [False, True])
def test_replaced_parameters_and_their_moments(pair, keep):
    before = trained(pair)
    numbers = itertools.count()

    def hook(epoch):
        if next(numbers) == 0:
            return
        params = epoch.variables.params
        quiet = epoch.initial.params["encoders"]["quiet"]
        encoders = params["encoders"] | {
            "quiet": jax.tree.map(lambda x: x + 1, quiet)
        }
        epoch.replace(params=params | {"encoders": encoders}, keep_moments=keep)

    after = begin(pair, hook, before)
    flat = lambda tree: jax.tree.leaves_with_path(tree)
    for (path, x), (_, y) in zip(
        flat(before.state.variables), flat(after.state.variables), strict=True
    ):
        np.testing.assert_array_equal(x[0], y[0])
        moved = 1 if "'encoders'" in str(path) and "'quiet'" in str(path) else 0
        moved *= "params" in str(path)
        np.testing.assert_array_equal(x[1] + moved, y[1])
    renewed = 0
    for (path, x), (_, y) in zip(
        flat(before.state.opt_state), flat(after.state.opt_state), strict=True
    ):
        fresh = not keep and "'quiet'" in str(path) and "encoders" in str(path)
        renewed += fresh
        np.testing.assert_array_equal(x[0], y[0])
        np.testing.assert_array_equal(0 * x[1] if fresh else x[1], y[1])
    # Two moments of a kernel and of a bias, and how many steps they are of.
    assert renewed == (0 if keep else 6)


def test_copies_of_nothing_are_none(pair):
    """Checkpoints hold no empty arrays."""
    start = pair.initial()
    nothing = Copies(np.zeros(0, np.int32), np.ones((0, 2)))
    assert begin(pair, lambda e: nothing, start) is start
    one = Copies(np.zeros(1, np.int32), np.ones((1, 2)))
    with pytest.raises(InputError, match="0 copies of 2 modalities were ann"):
        begin(pair, lambda e: one, start)


def test_replaced_memory_of_another_shape(pair):
    params = pair.initial().state.variables.params
    for new, message in (
        ({"encoders": {}}, "params were replaced by another tree"),
        (
            jax.tree.map(lambda x: np.zeros((1, 2)), params),
            r"params\['encoders'\]\['loud'\].* are float32\[6\], and were rep",
        ),
    ):
        with pytest.raises(InputError, match=message):
            begin(pair, lambda e, new=new: e.replace(params=new))


def test_a_fork_is_the_training_that_it_tries(single, tmp_path):
    forks, start = [], single.initial()
    snapshot = begin(
        single,
        lambda e: forks.extend(e.fork(n * e.steps) for n in (2, 0)),
        start,
    )
    # The run itself is where it was, and its arrays are still there.
    assert snapshot is start
    for x, y in zip(
        jax.tree.leaves(start.state.variables),
        jax.tree.leaves(forks[1]),
        strict=True,
    ):
        np.testing.assert_array_equal(x[0], y)
    outcome = loop.train(single, tmp_path, progress=False)
    for x, y in zip(
        jax.tree.leaves(outcome.last), jax.tree.leaves(forks[0]), strict=True
    ):
        np.testing.assert_array_equal(x[0], y)


def test_a_fork_is_of_its_run(pair):
    forks, start = [], pair.initial()
    begin(pair, lambda e: forks.append(e.fork(3)), start)
    state = start.state
    batches = loop.batches_of(pair, start.copies, epoch=0, start=0)
    for batch in itertools.islice(batches, 3):
        state, _ = pair.train_step(state, batch)
        jax.block_until_ready(state)
    for index, fork in enumerate(forks):
        for x, y in zip(
            jax.tree.leaves(state.variables),
            jax.tree.leaves(fork),
            strict=True,
        ):
            np.testing.assert_allclose(y, x[index], atol=1e-6)


def test_a_fork_of_some_rows(single):
    rows = np.arange(0, 140, 3)
    train = single.dataset.splits["train"]
    is_other = ~np.isin(np.arange(140), rows)[:, None]
    changed = dataclasses.replace(
        train, inputs={m: x + 9 * is_other for m, x in train.inputs.items()}
    )
    splits = {**single.dataset.splits, "train": changed}
    dataset = dataclasses.replace(single.dataset, splits=splits)
    forks = []
    for run in (single, single._replace(dataset=dataset)):
        # Of two batches an epoch, so that the third is of the next one.
        begin(run, lambda e: forks.extend([e.fork(3, rows=rows), e.fork(3)]))
    some, every, again, otherwise = (x.params for x in forks)
    jax.tree.map(np.testing.assert_array_equal, some, again)
    same = jax.tree.map(np.array_equal, every, otherwise)
    assert not any(jax.tree.leaves(same["encoders"]))


def test_a_fork_of_some_modalities_and_from_elsewhere(single):
    found = {}

    def hook(epoch):
        found["start"] = epoch.variables
        found["loud"] = epoch.fork(3, mask=(1, 0))
        params = epoch.variables.params
        zeros = jax.tree.map(np.zeros_like, params["encoders"])
        other = epoch.variables.replace(params=params | {"encoders": zeros})
        found["other"] = epoch.fork(0, variables=other)
        with pytest.raises(ValueError, match=r"mask must be 2 numbers 0 or 1"):
            epoch.fork(1, mask=(1, 0, 1))

    begin(single, hook)
    encoders = {k: v.params["encoders"] for k, v in found.items()}
    same = lambda name: set(
        jax.tree.leaves(
            jax.tree.map(
                np.array_equal, encoders["start"][name], encoders["loud"][name]
            )
        )
    )
    assert (same("loud"), same("quiet")) == ({False}, {True})
    assert not any(x.any() for x in jax.tree.leaves(encoders["other"]))
