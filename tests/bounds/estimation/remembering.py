"""What pure functions have made of the same arrays before, kept for a module.

Tests of reports ask for the same classifiers of the same small data again and
again; each is fitted once, and everybody gets a copy.
"""

import contextlib
import hashlib
import pickle

import pytest

from bounds.estimation import _pooled, _posterior_solve, classifiers

SLOW = (
    (classifiers, "posteriors"),
    (_pooled, "pool"),
    (_posterior_solve, "decompose"),
)


@contextlib.contextmanager
def remembering():
    """Within it, no function of `SLOW` computes anything twice."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in SLOW:
            patch.setattr(module, name, _remembered(getattr(module, name)))
        yield


def _remembered(function):
    made = {}

    def call(*args, **options):
        asked = pickle.dumps((args, sorted(options.items())))
        key = hashlib.sha256(asked).digest()
        if key not in made:
            made[key] = pickle.dumps(function(*args, **options))
        return pickle.loads(made[key])

    return call
