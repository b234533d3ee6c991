"""One object of options for every entry point."""

import dataclasses
import functools
import inspect

import jax
import numpy as np
import pytest

import bounds
from bounds import InputError, Options, coupling, marginals
from bounds import synergy_lower as lower
from bounds import synergy_upper as upper
from bounds.options import NAMES, Fields, merged

HALF = np.full((2, 2), 0.25)
TABLE = np.full((2, 2, 2), 0.125)
THREE = (HALF, HALF, HALF)
# Every function that solves batches, and whether it rounds outward.
ENTRIES = {
    "pid": (functools.partial(bounds.pid, TABLE), False),
    "pid_from_marginals": (
        functools.partial(bounds.pid_from_marginals, HALF, HALF),
        False,
    ),
    "greedy": (functools.partial(coupling.greedy, HALF[0] * 2, [1]), False),
    "coupling": (
        functools.partial(coupling.majorization, HALF[0] * 2, [1]),
        False,
    ),
    "maxent": (functools.partial(bounds.maxent, *THREE), True),
    "consistent": (functools.partial(marginals.consistent, *THREE), True),
    "Marginals": (functools.partial(bounds.Marginals, *THREE), True),
    "synergy_interval": (
        functools.partial(bounds.synergy_interval, *THREE, effort="bounds"),
        True,
    ),
    "accuracy_interval": (
        functools.partial(bounds.accuracy_interval, 0.0, [0.5, 0.5]),
        True,
    ),
    "from_predictions": (
        functools.partial(lower.from_predictions, 2 * HALF, 2 * HALF, 0, 0),
        True,
    ),
    "exact": (functools.partial(upper.exact, *THREE), True),
    "chord": (functools.partial(upper.chord, *THREE), True),
    "chernoff": (functools.partial(lower.chernoff, *THREE), True),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_point_takes_the_object_and_its_fields(name, capsys):
    call, outward = ENTRIES[name]
    assert "options" in inspect.signature(call).parameters
    wanted = jax.tree.leaves(call())
    options = Options(memory_limit=1e6, progress=True, tol=1e-9)
    given = jax.tree.leaves(call(options=options))
    assert "1/1" in capsys.readouterr().err
    fields = {n: getattr(options, n) for n in NAMES - {"progress"}}
    by_keyword = jax.tree.leaves(
        call(options=options, progress=False, **fields)
    )
    assert not capsys.readouterr().err
    if name != "Marginals":
        for a, b, c in zip(wanted, given, by_keyword, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)
    with pytest.raises(InputError, match="must be bounds.Options, got {'tol'"):
        call(options={"tol": 1e-6})
    with pytest.raises(InputError, match="memory_limit must be a positive"):
        call(options=options, memory_limit=0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'tols'"):
        call(tols=1e-6)
    if outward:
        with pytest.raises(InputError, match="dtype must be float64 here"):
            call(dtype=np.float32)
    else:
        call(dtype=np.float32)


def test_keywords_are_the_fields():
    assert set(Fields.__annotations__) == NAMES
    assert Options() == merged(None, {}) == merged(Options(), {})
    assert hash(Options(devices=jax.devices())) != hash(Options())
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().tol = 1.0


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"tol": -1e-9}, "tol must be a positive number or 0, got -1e-09"),
        ({"tol": np.inf}, "tol must be a positive number or 0, got inf"),
        ({"dtype": np.float16}, "dtype must be float32 or float64"),
        ({"devices": []}, "devices is empty"),
        ({"devices": "cpu"}, "must be a sequence of JAX devices"),
        ({"memory_limit": np.inf}, "memory_limit must be a positive number"),
        ({"progress": "no"}, "progress must be True or False, got 'no'"),
        ({"progress": 1}, "progress must be True or False, got 1"),
    ],
)
def test_fields_that_are_none(field, message):
    with pytest.raises(InputError, match=message):
        Options(**field)


def test_forms_of_fields():
    device = jax.devices()[0]
    options = Options(devices=device, dtype="float32", tol=np.float32(0.5))
    assert options.devices == (device,)
    assert options.dtype == np.float32
    assert options.tolerance(1e-9) == 0.5
    assert Options().tolerance(1e-9) == 1e-9


@pytest.mark.parametrize("name", ["pid", "pid_from_marginals", "maxent"])
def test_iterations_need_a_tolerance(name):
    with pytest.raises(InputError, match="tol must be a positive number here"):
        ENTRIES[name][0](tol=0)


def test_marginals_hand_their_options_to_bounds(capsys):
    m = bounds.Marginals(*THREE, progress=True)
    capsys.readouterr()
    first = upper.chord(m)
    assert "1/1" in capsys.readouterr().err
    assert m.options.progress
    # A call's own come first, and what is solved stays solved.
    again = bounds.synergy_interval(m, effort="bounds", progress=False)
    assert not capsys.readouterr().err
    np.testing.assert_array_equal(again.by_bound["upper"]["chord"], first)
