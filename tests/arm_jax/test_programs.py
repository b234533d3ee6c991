import contextlib
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from arm_jax import config, loop, probing, processes, programs, training

_FOLDER = "jax_compilation_cache_dir"
_LEAST = "jax_persistent_cache_min_compile_time_secs"


def compiled(number):
    """Compiles a program that nobody needs any more, as a training leaves."""
    jax.jit(lambda x: jnp.sin(x) + number)(jnp.ones(number)).block_until_ready()


def taken():
    with programs._TAKEN.open("rb") as file:
        return sum(1 for _ in file)


@pytest.mark.skipif(not programs._TAKEN.exists(), reason="needs Linux")
def test_programs_go_when_a_quarter_of_the_room_is_taken(monkeypatch, tmp_path):
    compiled(3)
    jax.clear_caches()
    before = taken()
    for number in range(4, 16):
        compiled(number)
    full = taken()
    assert full > before
    monkeypatch.setattr(programs, "_ALLOWED", tmp_path / "allowed")
    programs._ALLOWED.write_text(f"{5 * full}\n")
    # Other things come and go by twos and threes.
    middle = (before + full) / 2
    assert not programs.make_room()
    assert taken() > middle
    programs._ALLOWED.write_text(f"{3 * full}\n")
    assert programs.make_room()
    assert taken() < middle


def test_where_nothing_tells(monkeypatch, tmp_path):
    monkeypatch.setattr(programs, "_ALLOWED", tmp_path / "nowhere")
    assert not programs.make_room()


@pytest.fixture
def no_cache():
    """As a user starts, who has none."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update(_FOLDER, None)
    compilation_cache.reset_cache()
    yield
    jax.config.update(_FOLDER, before)
    compilation_cache.reset_cache()


@contextlib.contextmanager
def shared():
    """Yields a function that names the programs that are kept."""
    with programs.shared():
        # So small ones are not kept otherwise.
        jax.config.update(_LEAST, 0.0)
        folder = Path(jax.config.jax_compilation_cache_dir)
        yield lambda: {x.name for x in folder.iterdir()}


def test_equal_programs_are_compiled_once(no_cache, tmp_path):
    least = jax.config.jax_persistent_cache_min_compile_time_secs
    # JAX goes on with a folder that it has begun with.
    jax.config.update(_FOLDER, str(tmp_path))
    compiled(3)
    jax.config.update(_FOLDER, None)
    with shared() as kept:
        folder = Path(jax.config.jax_compilation_cache_dir)
        compiled(3)
        first = kept()
        compiled(3)
        assert kept() == first != set()
        compiled(4)
        assert len(kept()) > len(first)
    assert not folder.exists()
    assert jax.config.jax_compilation_cache_dir is None
    assert jax.config.jax_persistent_cache_min_compile_time_secs == least
    compiled(5)
    assert not folder.exists()


def test_a_cache_of_the_users_own_stays(no_cache, tmp_path, monkeypatch):
    jax.config.update(_FOLDER, str(tmp_path))
    with programs.shared():
        assert jax.config.jax_compilation_cache_dir == str(tmp_path)
    jax.config.update(_FOLDER, None)
    monkeypatch.setattr(processes, "alone", lambda: False)
    with programs.shared():
        assert jax.config.jax_compilation_cache_dir is None


@pytest.fixture
def prepared(npz_arrays, tmp_path):
    """Makes a run on one of two folds."""
    turned = npz_arrays | {"label": np.maximum(npz_arrays["label"], 1) - 1}
    turned["label"][:40] = 2
    turned["loud"] = turned["loud"] ** 3
    for name, arrays in (("first", npz_arrays), ("second", turned)):
        np.savez(tmp_path / f"{name}.npz", **arrays)

    def prepare(fold, rate, pool=None, **options):
        mapping = {
            "data": {
                "name": "npz",
                "batch_size": 70,
                "options": {
                    "path": str(tmp_path / f"{fold}.npz"),
                    "standardize": False,
                },
            },
            "method": {"name": "uniform", "options": options},
            "optimizer": {"learning_rate": rate},
            "train": {"epochs": 1},
        }
        return loop.prepare(config.from_mapping(config.Config, mapping), pool)

    return prepare


@pytest.fixture
def weights(tmp_path):
    """Trains, and returns weights."""
    numbers = itertools.count()

    def train(run):
        workdir = tmp_path / str(next(numbers))
        workdir.mkdir()
        outcome = loop.train(run, workdir, progress=False)
        run.probe(outcome.last, "test")
        return np.asarray(jax.tree.leaves(outcome.last.params)[0])

    return train


def test_folds_and_learning_rates_have_the_same_programs(
    no_cache, prepared, weights
):
    with shared() as kept:
        weights(prepared("first", 1e-3))
        names = kept()
        weights(prepared("second", 1e-2))
        assert kept() == names != set()


def test_steps_that_runs_have_in_common_are_traced_once(
    prepared, weights, monkeypatch
):
    traced = []
    for module, name in (
        (training, "make_train_step"),
        (probing, "_with_noise"),
    ):
        original = getattr(module, name)

        def noted(*arguments, original=original, name=name, **options):
            traced.append(name)
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, noted)
    pool = {}
    first = weights(prepared("first", 1e-3, pool))
    assert set(traced) == {"make_train_step", "_with_noise"}
    traced.clear()
    other_rate = weights(prepared("first", 1e-2, pool))
    other_fold = weights(prepared("second", 1e-3, pool))
    assert not traced
    assert len(pool) == 1
    assert not np.array_equal(first, other_rate)
    np.testing.assert_array_equal(other_fold, weights(prepared("second", 1e-3)))
    # Another loss is another step.
    prepared("first", 1e-3, pool, unimodal=2.0)
    assert len(pool) == 2
    # When programs go, so do the steps whose programs they are.
    monkeypatch.setattr(programs, "make_room", lambda: True)
    prepared("second", 1e-2, pool)
    assert len(pool) == 1
