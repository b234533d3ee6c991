"""Closed forms in the place of solvers: what is around them, without compiling.

The redundancy is what the poorer modality knows, which is exact where one
modality is a copy of the other, and adds up everywhere.
"""

import contextlib
from typing import NamedTuple

import numpy as np
import pytest

from bounds import _engine
from bounds.decomposition import PID
from bounds.estimation import _statistics, estimators, interactions


def solved(p1y, p2y, **options):
    """A decomposition without a solver: what the poorer modality has."""
    first, second = estimators.plug_in(p1y), estimators.plug_in(p2y)
    redundancy = np.minimum(first, second)
    none = np.zeros(len(first))
    return PID(redundancy, first - redundancy, second - redundancy, None, None,
               none + 1e-7, none, none)  # fmt: skip


def solved_jointly(p, **options):
    found = solved(p.sum(-2), p.sum(-3))
    total = estimators.plug_in(p.reshape(len(p), -1, p.shape[-1]))
    synergy = total - found.redundancy - found.unique1 - found.unique2
    return found._replace(synergy=synergy, total=total)


def bounded(p12, p1y, p2y, **options):
    found = solved(p1y, p2y)
    least = estimators.plug_in(p12)
    return Band(least, least + 0.5, *found[:3])


class Band(NamedTuple):
    lower: np.ndarray
    upper: np.ndarray
    redundancy: np.ndarray
    unique1: np.ndarray
    unique2: np.ndarray

    @property
    def t_min(self):
        return self.redundancy + self.unique1 + self.unique2


def accurate(information, label, **options):
    return interactions.Range(0.1, 0.9)


def never(*args, **options):
    raise AssertionError("this must not be called")


def without_solvers(monkeypatch):
    for name, function in (
        ("pid", solved_jointly),
        ("pid_from_marginals", solved),
        ("synergy_interval", bounded),
    ):
        monkeypatch.setattr(_statistics, name, function)
    monkeypatch.setattr(interactions, "accuracy_interval", accurate)


@contextlib.contextmanager
def without_compiling():
    """Interprets batches that would be compiled: slower only where repeated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_engine, "FEW_PROBLEMS", 200)
        yield
