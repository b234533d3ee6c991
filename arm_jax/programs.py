"""Compiled programs, which JAX keeps, and the room that they take."""

import gc
from pathlib import Path

import jax

# Of Linux: the mappings of this process, a line each, and how many it may have.
_TAKEN = Path("/proc/self/maps")
_ALLOWED = Path("/proc/sys/vm/max_map_count")


def make_room() -> None:
    """Gives programs back if they have taken half of the memory's mappings.

    A training leaves five to seven hundred mappings behind, for JAX keeps its
    programs when it is over; when all are taken, 65,530 by default, XLA aborts
    the process without a word that helps. A comparison of many methods, or a
    notebook, would come to that after a hundred trainings. What is still of use
    is compiled again.
    """
    try:
        with _TAKEN.open("rb") as file:
            taken = sum(1 for _ in file)
        allowed = int(_ALLOWED.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return  # Another system.
    if 2 * taken > allowed:
        jax.clear_caches()
        gc.collect()
