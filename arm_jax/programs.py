"""Compiled programs, which JAX keeps, and the room that they take."""

import contextlib
import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

from arm_jax import processes

# Of Linux: the mappings of this process, a line each, and how many it may have.
_TAKEN = Path("/proc/self/maps")
_ALLOWED = Path("/proc/sys/vm/max_map_count")
# JAX's setting of where compiled programs are kept.
_KEPT = "jax_compilation_cache_dir"


def make_room() -> bool:
    """Gives programs back if they have taken a quarter of memory's mappings.

    A training leaves five to seven hundred mappings behind, and 50 MB, for JAX
    keeps its programs when it is over; when all are taken, 65,530 by default,
    XLA aborts the process without a word that helps. A comparison of many
    methods, or a notebook, would come to that after a hundred trainings, and
    has a gigabyte of them at a quarter. What is still of use is compiled again.

    Returns:
      Whether programs were given back.
    """
    try:
        with _TAKEN.open("rb") as file:
            taken = sum(1 for _ in file)
        allowed = int(_ALLOWED.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False  # Another system.
    if 4 * taken <= allowed:
        return False
    jax.clear_caches()
    gc.collect()
    return True


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Compiles programs that are equal once, while in the `with`.

    JAX knows a program by the function that it was made of, and trainings that
    differ in a fold or a learning rate make their own; its persistent cache
    knows it by what it computes. It lies in a folder that goes with the
    `with`, for another machine may not run what this one compiled. A cache of
    the user's stays in use. Of several processes only the first would find
    anything, and on GPUs the others wait for it to compile with them: they
    have none.
    """
    if getattr(jax.config, _KEPT) or not processes.alone():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="arm_jax_programs_") as folder:
        settings = {
            _KEPT: folder,
            # Seconds; an evaluation takes less to compile than JAX's 1.
            "jax_persistent_cache_min_compile_time_secs": 0.1,
        }
        before = {name: getattr(jax.config, name) for name in settings}
        try:
            for name, value in settings.items():
                jax.config.update(name, value)
            # Or JAX would go on with the folder that it has begun with.
            compilation_cache.reset_cache()
            yield
        finally:
            for name, value in before.items():
                jax.config.update(name, value)
            compilation_cache.reset_cache()
