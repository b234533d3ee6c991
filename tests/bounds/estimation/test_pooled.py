"""Laws of posteriors on one set of atoms, fitted posteriors among them."""

import numpy as np
import pytest

import bounds
from bounds.estimation import _pooled
from tests.bounds.estimation.test_overclaim import bent
from tests.bounds.estimation.test_posteriors import FEW, draw

SIZE = 240
HALF = np.arange(SIZE) % 2


def fitted(r, seed):
    """Posteriors of one fit of all, and of one for each half."""
    halves = [bent(r, 10 * seed + i) for i in (1, 2)]
    return bent(r, 10 * seed), np.where(HALF[:, None], *halves)


def pooled(name, halves):
    s = draw(name, SIZE)
    (r1, h1), (r2, h2) = fitted(s.posterior1, 1), fitted(s.posterior2, 2)
    w = np.full(SIZE, 1 / SIZE)
    given = [_pooled.Halves(h1, h2, np.tile(HALF, 2))] if halves else ()
    folds = np.tile(np.arange(SIZE) % 5, 2)
    return _pooled.pool(r1, r2, w, w, folds, given)


def test_what_fits_have_wrong_does_not_make_laws_unlike():
    laws = pooled("equal4", halves=False)
    assert np.abs(laws.weights1 - laws.weights2).sum() > 0.5
    laws = pooled("equal4", halves=True)
    np.testing.assert_array_equal(laws.weights1, laws.weights2)


def test_what_halves_agree_on_stays():
    without, given = (pooled("alone4", halves) for halves in (False, True))
    apart = [np.abs(x.weights1 - x.weights2).sum() for x in (without, given)]
    assert apart[1] > 0.8 * apart[0] > 0.8


def test_of_several_divisions_the_least_counts():
    s = draw("alone4", SIZE)
    (r1, h1), (r2, h2) = fitted(s.posterior1, 1), fitted(s.posterior2, 2)
    w, halves = np.full(SIZE, 1 / SIZE), np.tile(HALF, 2)
    folds = np.tile(np.arange(SIZE) % 5, 2)
    # In one of them it does not hold at all.
    given = [_pooled.Halves(*h, halves) for h in ((h1, h2), (h1, h1), (h1, h2))]
    laws = _pooled.pool(r1, r2, w, w, folds, given)
    np.testing.assert_array_equal(laws.weights1, laws.weights2)


def test_halves_change_the_bias():
    s = draw("equal4", SIZE)
    (r1, h1), (r2, h2) = fitted(s.posterior1, 1), fitted(s.posterior2, 2)
    without, given = (
        bounds.pid_of_posteriors(r1, r2, labels=s.labels, halves=h, **FEW)
        for h in ((), [(h1, h2, HALF)])
    )
    assert given.bias > without.bias + 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h[:2], r"must be \(r1, r2, half\), got 2 entries"),
        (
            lambda h: (h[0], h[1][:-1], h[2]),
            r"\[1\] has shape .* r2 has .240, 4",
        ),
        (lambda h: (2 * h[0], *h[1:]), r"halves\[0\]\[0\]\[0\] sums to 2"),
        (lambda h: (*h[:2], 0 * HALF), "two values for 240 .* got 1 for 240"),
        (lambda h: (*h[:2], HALF[1:]), "got 2 for 239"),
    ],
)
def test_bad_halves(change, message):
    s = draw("equal4", SIZE)
    halves = change((s.posterior1, s.posterior2, HALF))
    with pytest.raises(bounds.InputError, match=message):
        bounds.pid_of_posteriors(
            s.posterior1, s.posterior2, labels=s.labels, halves=[halves], **FEW
        )


def test_halves_are_of_pairs():
    s = draw("equal4", SIZE)
    halves = s.posterior1, s.posterior2, HALF
    with pytest.raises(bounds.InputError, match="halves are for paired"):
        bounds.pid_of_posteriors(
            s.posterior1, s.posterior2, halves=[halves], **FEW
        )
