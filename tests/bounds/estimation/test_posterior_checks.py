"""What is said of posteriors whose samples depend on each other by unit."""

import functools

import numpy as np
import pytest

import bounds
from bounds.estimation import _posterior_checks, _posterior_input

PERSONS, WINDOWS = 20, 100
GROUPS = np.repeat(np.arange(PERSONS), WINDOWS)


def persons(seed, noises=(1.0, 1.5)):
    """A label, and exact posteriors of one observation of each, by person."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=PERSONS)
    rows = []
    for noise in noises:
        x = 2 * y - 1 + noise * rng.normal(size=PERSONS)
        p = 1 / (1 + np.exp(-2 * x / noise**2))
        rows.append(np.stack([1 - p, p], 1)[GROUPS])
    return rows, y[GROUPS]


def checked(r1, r2, labels=None, groups=None, prior=None):
    return _posterior_input.checked(
        r1, r2, None, prior, None, None, labels, None, None, groups
    )


def test_windows_of_few_persons_contradict_no_prior():
    doubtful = 0
    for seed in range(20):
        (r1, r2), y = persons(seed)
        data = checked(r1, r2, y, GROUPS, [0.5, 0.5])
        prior = _posterior_input.label_prior(data)
        soft = _posterior_input.informations(data, prior)
        _, doubts = _posterior_checks.miscalibration(data, prior, soft)
        doubtful += bool(doubts)
    assert doubtful <= 5
    # Persons of a window each do.
    with pytest.raises(bounds.InputError, match="contradict each other"):
        _posterior_input.label_prior(
            checked(r1, r2, y, None, [0.5 - 0.1, 0.5 + 0.1])
        )


def test_informations_differ_by_person():
    (r1, r2), y = persons(0)
    difference = functools.partial(
        _posterior_input.error_of_difference, prior=np.array([0.5, 0.5])
    )
    by_person = difference(checked(r1, r2, y, GROUPS))
    one = difference(checked(r1[::WINDOWS], r2[::WINDOWS], y[::WINDOWS]))
    assert by_person == pytest.approx(one)
    assert by_person > 5 * difference(checked(r1, r2, y))


def few(labels, groups):
    r = np.eye(2)[labels] * 0.8 + 0.1
    data = checked(r, r, labels, groups)
    doubts = _posterior_checks.other_doubts(
        data, np.array([0.5, 0.5]), {}, {}, 0.0
    )
    return [doubt.split(" (effective)")[0] for doubt in doubts]


def test_samples_of_a_class_that_share_a_unit_are_one():
    y = np.arange(PERSONS)[GROUPS] % 2
    assert few(y, GROUPS) == []
    assert few(y, GROUPS // 2) == []
    assert few(y, GROUPS // 10) == ["r1 has 4", "r2 has 4"]
    assert few(y, GROUPS * 0) == ["r1 has 2", "r2 has 2"]
    assert few(y, None) == []
