"""Settings that hold for every test; see CONTRIBUTING.md."""

import os

# Two virtual devices, before JAX starts: pmap and sharding are tested on
# them. More than two with un-awaited steps can deadlock on CPU.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")

import jax
import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _x64_flag_is_never_flipped():
    yield
    assert not jax.config.jax_enable_x64
