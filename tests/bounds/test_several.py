import itertools
import math

import numpy as np
import pytest

import bounds
from bounds import several
from bounds.errors import InputError
from bounds.several import Split
from tests.bounds.estimation import quantify_helpers


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_compiled():
    with quantify_helpers.without_compiling():
        yield


TERMS = ("redundancy", "unique1", "unique2", "synergy")


def law(function, bits=3):
    """Independent coins x1, x2, x3 and y, a function of them."""
    p = np.zeros((2,) * bits + (2,))
    for x in itertools.product((0, 1), repeat=bits):
        p[(*x, function(*x))] = 2.0**-bits
    return p


def terms(pid):
    return [float(getattr(pid, name)) for name in TERMS]


# Redundancy, unique informations and synergy in closed form.
AND = (0.75 * math.log2(4 / 3), 0.0, 0.0, 0.5)
CLOSED = [
    # All that there is needs all three: any pair knows nothing.
    (lambda a, b, c: a ^ b ^ c, Split((0,), (1,)), (0, 0, 0, 0)),
    (lambda a, b, c: a ^ b ^ c, Split((0,), (1, 2)), (0, 0, 0, 1)),
    (lambda a, b, c: a ^ b ^ c, Split((0,), (1,), (2,)), (0, 0, 0, 1)),
    # Given c, what a knows of a ^ c is all, and b's is nothing.
    (lambda a, b, c: a ^ c, Split((0,), (1,)), (0, 0, 0, 0)),
    (lambda a, b, c: a ^ c, Split((0,), (1,), (2,)), (0, 1, 0, 0)),
    (lambda a, b, c: b ^ c, Split((0,), (1,), (2,)), (0, 0, 1, 0)),
    (lambda a, b, c: a ^ b, Split((0,), (1,), (2,)), (0, 0, 0, 1)),
    # An and of two where the third is 1: half of it.
    (
        lambda a, b, c: a & b & c,
        Split((0,), (1,), (2,)),
        tuple(x / 2 for x in AND),
    ),
    (lambda a, b, c: a & b, Split((0,), (1,), (2,)), AND),
    (lambda a, b, c: a & b, Split((0,), (1, 2)), AND),
]


@pytest.mark.parametrize(("function", "split", "expected"), CLOSED)
def test_closed_forms(function, split, expected):
    found = several.pid_of(law(function), split)
    np.testing.assert_allclose(terms(found), expected, atol=1e-6)
    assert found.gap < 1e-6


def test_copies_are_redundant_given_anything_else():
    p = np.zeros((2, 2, 3, 2))
    for a, c in itertools.product(range(2), range(3)):
        p[a, a, c, a] = (1 + c) / 12
    found = several.pid_of(p, Split((0,), (1,), (2,)))
    np.testing.assert_allclose(terms(found), (1, 0, 0, 0), atol=1e-6)
    # Given one of the copies, the other has nothing to add.
    given = several.pid_of(p, Split((0,), (2,), (1,)))
    np.testing.assert_allclose(terms(given), 0, atol=1e-6)


@pytest.fixture(scope="module")
def random():
    p = np.random.default_rng(0).dirichlet(np.full(48, 0.7))
    return p.reshape(2, 3, 2, 4)


def mutual(p, axes):
    """I(axes; last axis) of a table, in bits."""
    rest = tuple(i for i in range(p.ndim - 1) if i not in axes)
    q = p.sum(rest).reshape(-1, p.shape[-1])
    marginals = q.sum(1, keepdims=True) * q.sum(0)
    return float(np.sum(q * np.log2(q / marginals)))


def test_terms_add_up_to_the_conditional_informations(random):
    found = several.pids_of(random, tol=1e-6)
    assert list(found) == several.splits(3)
    for split, pid in found.items():
        first, second, given = split
        known = mutual(random, given) if given else 0.0
        assert float(pid.total) == pytest.approx(
            mutual(random, (*first, *second, *given)) - known, abs=1e-8
        )
        for side, own in ((first, pid.unique1), (second, pid.unique2)):
            assert float(pid.redundancy + own) == pytest.approx(
                mutual(random, (*side, *given)) - known, abs=1e-6
            )
        one = several.pid_of(random, split)
        np.testing.assert_allclose(terms(pid), terms(one), atol=1e-6)


def test_nothing_given_is_the_ordinary_decomposition(random):
    found = several.pid_of(random, Split((2,), (1,)))
    direct = bounds.pid(random.sum(0).transpose(1, 0, 2))
    np.testing.assert_allclose(terms(found), terms(direct), atol=1e-8)
    # The sides' order exchanges the unique informations alone.
    other = several.pid_of(random, Split((1,), (2,)))
    np.testing.assert_allclose(
        terms(other), [terms(found)[i] for i in (0, 2, 1, 3)], atol=1e-6
    )


def test_a_batch_is_its_tables(random):
    other = np.random.default_rng(1).dirichlet(np.ones(48)).reshape(2, 3, 2, 4)
    other[:, :, 1] = 0  # a given value that never occurs
    batch = np.stack([random, other / other.sum()])
    split = Split((0,), (1,), (2,))
    found = several.pid_of(batch, split, modalities=3)
    for i, p in enumerate(batch):
        one = several.pid_of(p, split)
        for name in TERMS:
            np.testing.assert_allclose(
                getattr(found, name)[i], getattr(one, name), atol=1e-6
            )
    counts = several.pid_of(batch * 1000, split, modalities=3, normalize=True)
    np.testing.assert_allclose(counts.synergy, found.synergy, atol=1e-6)


def test_the_worst_status_of_what_is_given_is_told(random):
    p = random.copy()
    # Of the first given value nothing is left to solve.
    p[:, :, 0] = 0
    p[0, 0, 0, 0] = 1
    found = several.pid_of(p / p.sum(), Split((0,), (1,), (2,)), max_steps=1)
    assert found.status == bounds.Status.STEP_LIMIT
    assert found.steps == 1


def test_splits_and_their_names():
    assert several.splits(2) == [Split((0,), (1,))]
    names = [several.named(s, "abc") for s in several.splits(3)]
    assert names == [
        "a & b", "a & c", "b & c", "a & b + c", "b & a + c", "c & a + b",
        "a & b | c", "a & c | b", "b & c | a",
    ]  # fmt: skip
    assert len(several.splits(4, rest=False)) == 6 + 12
    assert len(several.splits(4, given=False)) == 6 + 4


def test_sides_may_be_lists(random):
    found = several.pids_of(random, [Split([0], [1])], tol=1e-6)
    assert set(found) == {Split((0,), (1,))}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: several.splits(1), "modalities must be at least 2"),
        (
            lambda p: several.pid_of(p, Split((0,), (0,))),
            "second has modality 0, which is in two places",
        ),
        (
            lambda p: several.pid_of(p, Split((0,), (1,), (3,))),
            "given has modality 3; there are 0 to 2",
        ),
        (lambda p: several.pid_of(p, Split((), (1,))), "first has no modality"),
        (lambda p: several.pids_of(p, []), "chosen is empty"),
        (lambda p: several.pids_of(p, 3), "chosen must be a sequence, got 3"),
        (
            lambda p: several.pids_of(p, Split((0,), (1,))),
            r"a split must be \(first, second\) or .*, got \(0,\)",
        ),
        (lambda p: several.pid_of(p, (0, 1)), r"of modalities, got \(0, 1\)"),
        (lambda p: several.table_of(p, None), "a split must be .* got None"),
        (lambda p: several.pids_of(p[0, 0]), r"label, got shape \(2, 4\)"),
        (
            lambda p: several.pid_of(2 * p, Split((0,), (1,))),
            "p sums to 2",
        ),
        (
            lambda p: several.pids_of(p, normalize="no"),
            "normalize must be True or False, got 'no'",
        ),
        (
            lambda p: several.by_name({Split((0,), (1,), (2,)): p}, ["a", "b"]),
            "one for each of 3 modalities or more, got a, b",
        ),
        (
            lambda p: several.by_name({Split((0,), (1,)): p}, ["a", "a"]),
            "names must be different",
        ),
    ],
)
def test_bad_input_is_named(random, call, message):
    with pytest.raises(InputError, match=message):
        call(random)
