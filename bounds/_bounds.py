"""Bounds on synergy by name: one function each, in a table."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from bounds import _batch, marginals

# From checked marginals to a flat batch of bits.
Bound = Callable[..., np.ndarray]


def bound(table: dict[str, Bound]) -> Callable[[Bound], Bound]:
    """Adds a function of `Marginals` to a table of bounds.

    It is then among what `synergy_interval` takes the best of. Called by its
    name it takes marginals, `[...]`, as well as `Marginals`, and returns
    `[...]`.
    """

    def add(function: Bound) -> Bound:
        table[function.__name__] = function

        @functools.wraps(function)
        def public(
            p12: Any,
            p1y: Any = None,
            p2y: Any = None,
            *,
            project: bool = False,
            **options: Any,
        ) -> np.ndarray:
            m = marginals.of(p12, p1y, p2y, project=project)
            return _batch.restore(function(m, **options), m.lead)

        return public

    return add
