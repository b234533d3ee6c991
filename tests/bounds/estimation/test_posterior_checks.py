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
    assert doubtful <= 1
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


def surprised(r, labels):
    data = checked(r, r, labels)
    prior = data.w["r1"] @ r
    soft = _posterior_input.informations(data, prior)
    return _posterior_checks.miscalibration(data, prior, soft)[1]


@pytest.mark.parametrize("wrong", [1, 8, 30])
def test_rows_that_are_sure_and_wrong_are_said(wrong):
    # The more that they lose, the more differences scatter.
    y = np.arange(100) % 2
    seen = np.where(np.arange(100) < wrong, 1 - y, y)
    assert "overconfident" in surprised(np.eye(2)[seen], y)["r1"]
    assert surprised(np.eye(2)[y], y) == {}


@pytest.mark.parametrize(
    ("n", "rare", "doubtful"),
    # Of a hundred rows that are 99 % sure, none or two may be wrong, not six;
    # of a thousand, none.
    [
        (100, 0, False), (100, 2, False), (100, 6, True),
        (1000, 0, True), (1000, 10, False),
    ],
)  # fmt: skip
def test_a_rare_label_is_rare(n, rare, doubtful):
    r = np.tile([0.99, 0.01], (n, 1))
    r[: n // 2] = r[: n // 2, ::-1]
    y = (np.arange(n) < n // 2).astype(int)
    y[:rare] ^= 1
    assert bool(surprised(r, y)) == doubtful


def test_dependence_makes_surprises_ordinary():
    # Ten persons that are sharpened too much, or windows of their own.
    r = np.tile([0.9, 0.1], (1000, 1))
    r[:500] = r[:500, ::-1]
    y = (np.arange(1000) < 500).astype(int)
    wrong = np.isin(np.arange(1000) // 100, [0, 5])
    y[wrong] ^= 1
    for groups, doubtful in ((np.arange(1000) // 100, False), (None, True)):
        data = checked(r, r, y, groups)
        prior = np.array([0.5, 0.5])
        soft = _posterior_input.informations(data, prior)
        found = _posterior_checks.miscalibration(data, prior, soft)[1]
        assert bool(found) == doubtful


def test_groups_of_samples_that_are_not_paired():
    # Four copies of every sample are as sure as one of each, not as four.
    rows = [
        np.random.default_rng(i).dirichlet([1, 1], 40 + 10 * i) for i in (0, 1)
    ]
    copies = [np.repeat(r, 4, 0) for r in rows]
    codes = [np.repeat(np.arange(len(r)), 4) for r in rows]
    options = {"correct_bias": False, "replicates": 60, "prior": [0.5, 0.5]}
    alone, out, ignored = (
        bounds.pid_of_posteriors(*r, **options, **groups).deviation
        for r, groups in (
            (rows, {}),
            (copies, {"groups1": codes[0], "groups2": codes[1]}),
            (copies, {}),
        )
    )
    for name in ("information1", "information2"):
        assert out[name] == pytest.approx(alone[name], rel=0.25)
        assert ignored[name] < 0.7 * alone[name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups1": [1]}, "groups1 has 1 entries for 20 samples"),
        ({"groups2": [1]}, "groups2 has 1 entries for 20 samples"),
        ({"groups1": np.arange(20), "labels": np.arange(20) % 2},
         "groups1 and groups2 are for samples that are not paired"),
        ({"groups2": np.arange(20), "groups": np.arange(20)},
         "groups1 and groups2 are for samples that are not paired"),
    ],
)  # fmt: skip
def test_bad_groups_are_named(options, message):
    p = np.full((20, 2), 0.5)
    with pytest.raises(bounds.InputError, match=message):
        bounds.pid_of_posteriors(p, p, **options)
