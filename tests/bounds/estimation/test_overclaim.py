"""What fitted posteriors claim of the least information, and labels deny."""

import numpy as np
import pytest

import bounds
from bounds.errors import InputError
from bounds.estimation import _overclaim
from bounds.estimation._posterior_input import checked, label_prior
from tests.bounds.estimation.test_posteriors import FEW, cases, draw, gate


def overclaim(r1, r2, labels1, labels2=None, *, folds=None, groups=None):
    if labels2 is None:
        given = labels1, None, None
    else:
        given = None, labels1, labels2
    groups = np.arange(len(r1)) if groups is None else groups
    data = checked(r1, r2, None, None, None, None, *given, groups)
    folds = np.zeros(len(r1), int) if folds is None else folds
    rng = np.random.default_rng(0)
    return _overclaim.overclaim(data, label_prior(data), folds, rng, most=1000)


def bent(r, seed):
    """Posteriors that are wrong by a function of themselves, as fitted ones."""
    rng = np.random.default_rng(seed)
    bend = rng.normal(size=(r.shape[1], r.shape[1]))
    p = r * np.exp(np.sin(3 * (r @ bend) + rng.uniform(0, 6, r.shape[1])))
    for _ in range(100):  # with the labels' shares on the whole
        p *= r.mean(0) / p.mean(0)
        p /= p.sum(1, keepdims=True)
    return p


@pytest.mark.parametrize("function", [lambda a, b: a & b, lambda a, b: a + b])
def test_what_labels_confirm_is_no_overclaim(function):
    # As often with each label as its posterior says.
    r1, r2, _, y = cases(gate(function))
    found = overclaim(r1, r2, y)
    assert found.value == pytest.approx(0, abs=1e-9)


def test_exact_posteriors_claim_too_much_by_chance_only():
    for seed in range(3):
        s = draw("equal4", 400, seed)
        folds = np.arange(400) % 2
        found = overclaim(s.posterior1, s.posterior2, s.labels, folds=folds)
        assert abs(found.value) < 3 * found.error
        assert found.error < 0.05


def test_bent_posteriors_look_unique_until_labels_deny_it():
    s = draw("equal31", 240)
    r1, r2 = bent(s.posterior1, 1), bent(s.posterior2, 2)
    plain, with_folds = (
        bounds.pid_of_posteriors(
            r1, r2, labels=s.labels, calibration="temperature", folds=f, **FEW
        )
        for f in (None, np.zeros(240, int))
    )
    assert plain.overclaimed == 0
    before = plain.unique1 + plain.unique2
    assert before > 0.3  # of 0 that are there
    assert with_folds.overclaimed > 0.1
    assert with_folds.unique1 + with_folds.unique2 < before / 2
    # It is no surer for that.
    assert with_folds.deviation["redundancy"] >= plain.deviation["redundancy"]
    for one in (plain, with_folds):
        np.testing.assert_allclose(
            one.information1 + one.information2,
            plain.information1 + plain.information2,
        )


def test_posteriors_that_are_wrong_on_the_whole_are_left_alone():
    s = draw("equal4", 240)
    sharp = [r**6 / (r**6).sum(1, keepdims=True)
             for r in (s.posterior1, s.posterior2)]  # fmt: skip
    votes = [np.eye(4)[r.argmax(1)] for r in sharp]
    for r1, r2 in (sharp, votes):
        plain, with_folds = (
            bounds.pid_of_posteriors(r1, r2, labels=s.labels, folds=f, **FEW)
            for f in (None, np.zeros(240, int))
        )
        assert any("r1 is over" in doubt for doubt in with_folds.doubts)
        assert with_folds.overclaimed == 0
        assert with_folds.unique1 == plain.unique1


def test_labels_of_either_side():
    s = draw("equal4", 300)
    r1, r2 = bent(s.posterior1, 1), bent(s.posterior2, 2)
    same = overclaim(r1, r2, s.labels, s.labels.copy())
    assert same == overclaim(r1, r2, s.labels)
    # Those of one side alone change its terms alone.
    other = draw("equal4", 300, 1).labels
    assert overclaim(r1, r2, s.labels, other) != same


def test_folds_are_solved_apart_and_weigh_by_their_samples():
    s = draw("equal4", 300)
    r1, r2 = bent(s.posterior1, 1), bent(s.posterior2, 2)
    folds = (np.arange(300) < 100).astype(int)
    whole = overclaim(r1, r2, s.labels, folds=folds)
    values = []
    for rows in (slice(0, 100), slice(100, 300)):
        data = checked(r1, r2, *[None] * 4, s.labels, None, None, None)
        prior = label_prior(data)
        rows = np.arange(300)[rows]
        fold = np.where(np.isin(np.arange(300), rows), 0, 1)
        part = data._replace(
            w={k: np.where(fold == 0, x, 0) for k, x in data.w.items()}
        )
        rng = np.random.default_rng(0)
        values.append(
            _overclaim.overclaim(part, prior, fold, rng, most=1000).value
        )
    expected = values[0] / 3 + 2 * values[1] / 3
    assert whole.value == pytest.approx(expected, abs=1e-9)


def test_samples_of_a_group_count_once_for_the_error():
    s = draw("equal4", 200)
    twice = [np.repeat(x, 2, axis=0)
             for x in (s.posterior1, s.posterior2, s.labels)]  # fmt: skip
    groups = np.repeat(np.arange(200), 2)
    alone, grouped, wrong = (
        overclaim(s.posterior1, s.posterior2, s.labels),
        overclaim(*twice, groups=groups),
        overclaim(*twice),
    )
    assert grouped.error == pytest.approx(alone.error, rel=0.05)
    assert wrong.error < 0.8 * alone.error


def test_large_folds_are_sampled():
    s = draw("equal4", 400)
    r1, r2 = bent(s.posterior1, 1), bent(s.posterior2, 2)
    data = checked(r1, r2, *[None] * 4, s.labels, None, None, None)
    of = lambda most: _overclaim.overclaim(
        data, label_prior(data), np.zeros(400, int),
        np.random.default_rng(0), most=most,
    )  # fmt: skip
    few, all_ = of(200), of(400)
    assert few.error > 1.2 * all_.error
    assert abs(few.value - all_.value) < 3 * few.error


def test_a_class_that_a_fold_lacks():
    s = draw("equal4", 200)
    folds = (s.labels == 2).astype(int)
    found = overclaim(s.posterior1, s.posterior2, s.labels, folds=folds)
    assert np.isfinite(found).all()
    assert abs(found.value) < 4 * found.error


def test_folds_of_other_samples_or_without_labels():
    s = draw("equal4", 200)
    r = s.posterior1, s.posterior2
    with pytest.raises(InputError, match="folds are for paired samples with l"):
        bounds.pid_of_posteriors(*r, folds=np.zeros(200, int))
    with pytest.raises(InputError, match="folds has 3 entries for 200 samples"):
        bounds.pid_of_posteriors(*r, labels=s.labels, folds=np.zeros(3, int))
