"""Bounds on synergy by name: one function each, in a table."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from bounds import _leading, marginals
from bounds import options as _options

# From checked marginals to a flat batch of bits.
Bound = Callable[..., np.ndarray]


def bound(table: dict[str, Bound]) -> Callable[[Bound], Bound]:
    """Adds a function of `Marginals` to a table of bounds.

    It is then among what `synergy_interval` takes the best of. Called by its
    name it takes marginals, `[...]`, as well as `Marginals`, and
    `bounds.Options`, and returns `[...]`.
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
            options: _options.Options | None = None,
            **more: Any,
        ) -> np.ndarray:
            fields: Any = {n: more.pop(n) for n in _options.NAMES & more.keys()}
            m = marginals.of(
                p12, p1y, p2y, project=project, options=options, fields=fields
            )
            return _leading.restore(function(m, **more), m.lead)

        # Its signature is not that of the function.
        del public.__wrapped__
        return public

    return add
