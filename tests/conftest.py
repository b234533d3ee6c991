"""Settings and fixtures that hold for every test; see CONTRIBUTING.md."""

import importlib.metadata
import os

# Two virtual devices, before JAX starts: pmap and sharding are tested on
# them. More than two with un-awaited steps can deadlock on CPU.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# Most programs run once or twice here, so that compiling them well takes longer
# than running them; fusion emitters alone are two thirds of it, and a module
# for each thread a fifth of what is left. What they compute is the same but for
# rounding.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0"
    # An unknown flag ends the process; later ones may not know these.
    + (
        " --xla_cpu_use_fusion_emitters=false"
        " --xla_cpu_parallel_codegen_split_count=1"
    )
    * importlib.metadata.version("jaxlib").startswith("0.10."),
)

# Where in the sources an operation stands serves error messages of XLA alone,
# and looking for it is a tenth of tracing and lowering.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")

import contextlib
import ctypes
import functools
import gc
import threading
from pathlib import Path

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


@pytest.fixture(autouse=True, scope="session")
def _programs_are_compiled_once(tmp_path_factory):
    """Most of the time is compilation, often of the same program again.

    In a folder of this worker and run: two workers would read what the other
    has half written, and no test may depend on an earlier run.
    """
    folder = str(tmp_path_factory.mktemp("compiled"))
    jax.config.update("jax_compilation_cache_dir", folder)
    # Half of all compiling is of small programs, half of which come again.
    least = "jax_persistent_cache_min_compile_time_secs"
    jax.config.update(least, 0.0)
    # Of the commands under test, two of which may run at a time.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ[least.upper()] = "0.3"


# What is made at import and in collection stays: looking through it for
# garbage is a third of a worker's start. What tests leave goes by hand.
gc.disable()


def pytest_collection_finish():
    gc.freeze()


@functools.cache
def _context(thread: int):
    return _make_context()


# A program is lowered in a context of its own, and loading the dialects into
# that takes longer than lowering a small one. Nothing of a program stays in it
# but types and constants, and those until memory is given back. It is none of
# JAX's promises that there is such a function, and contexts are for one thread.
with contextlib.suppress(ImportError, AttributeError):
    from jax._src.interpreters import mlir

    _make_context = mlir.make_ir_context
    mlir.make_ir_context = lambda: _context(threading.get_ident())


# Bytes of a worker. Two, and what they start, are to stay below 3 GB.
_MOST = 1.1e9


def _resident():
    with contextlib.suppress(OSError):
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return np.inf  # Unknown.


def _give_memory_back():
    """Together the programs of all tests would fill it."""
    jax.clear_caches()
    _context.cache_clear()
    gc.collect()
    # glibc keeps what the compiler has freed, a gigabyte of it; there are
    # other allocators.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(autouse=True, scope="module")
def _after_each_file():
    yield
    _give_memory_back()


@pytest.fixture(autouse=True)
def _within_a_long_file():
    yield
    # Not sooner: what is eager is a program for each operation, and compiled
    # again after this.
    if _resident() > _MOST:
        _give_memory_back()


@pytest.fixture(scope="module")
def nothing_is_fitted_twice():
    """For `pytest.mark.usefixtures` of a file."""
    from tests.bounds.estimation.remembering import remembering

    with remembering():
        yield


@pytest.fixture(scope="session")
def npz_arrays() -> dict[str, np.ndarray]:
    """A small task: `loud` and `quiet` see the class, one of them better."""
    rng = np.random.default_rng(7)
    label = np.tile(np.arange(3), 80)
    prototypes = np.eye(3)[label]
    return {
        "loud": prototypes @ rng.normal(size=(3, 5))
        + 0.3 * rng.normal(size=(240, 5)),
        "quiet": prototypes @ rng.normal(size=(3, 4))
        + 1.0 * rng.normal(size=(240, 4)),
        "label": label,
        "split": np.repeat([0, 1, 2], [140, 50, 50]),
    }


@pytest.fixture(scope="session")
def npz_file(npz_arrays, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(path, **npz_arrays)
    return path
