"""What is decomposed of several classifiers' answers."""

import math

import numpy as np
import pytest

from bounds import problems
from bounds.errors import InputError
from bounds.estimation import _outputs, classifiers
from bounds.estimation._outputs import decompose
from bounds.estimation._sides import Pair, View
from bounds.estimation.options import StudyOptions
from bounds.estimation.rows import divide

N = 120
OF_THE_JOINT = ("synergy", "total", "conditional1", "conditional2")


def answer(joint, **options):
    """Of a second side that knows nothing, and a given classifier of both."""
    s = problems.named("alone4").sample(N, 0)
    flat = np.full_like(s.posterior1, 0.25)
    return decompose(
        {"own": s.posterior1}, {"own": flat}, {"own": joint(s)}, {}, s.labels,
        folds=np.zeros(N, int), units=None, calibration="", replicates=5,
        seed=0, **options,
    )  # fmt: skip


def worse(s):
    """A classifier of both that is a little worse, by no small error."""
    rng = np.random.default_rng(0)
    noise = np.exp(0.9 * rng.normal(size=s.posterior1.shape))
    p = s.posterior1 * noise
    return p / p.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def unsure():
    with pytest.MonkeyPatch.context() as patch:
        # Late fusion is as good as the side here.
        patch.setattr(_outputs, "fuse", lambda r1, r2, *_, **__: r2)
        found = answer(worse)
        patch.setattr(_outputs, "_unsure_of_joint", lambda pid, *_: pid)
        return found, answer(worse)


def test_a_side_in_the_place_of_both_is_unsure(unsure):
    found, before = unsure
    assert found.classifiers["joint"]["name"] == "first"
    s = problems.named("alone4").sample(N, 0)
    rows = np.arange(N)
    loss = np.log2(s.posterior1[rows, s.labels] / worse(s)[rows, s.labels])
    error = loss.std(ddof=1) / math.sqrt(N)
    assert before.pid.interval["conditional2"] == pytest.approx(
        (0, 0), abs=1e-9
    )
    ends = found.pid.interval["conditional2"]
    assert ends == pytest.approx((0, 1.96 * error), abs=1e-6)
    for name in OF_THE_JOINT:
        assert getattr(found.pid, name) == getattr(before.pid, name)
        (low, high), (low2, high2) = (
            x.pid.interval[name] for x in (found, before)
        )
        assert low == low2
        assert high > high2
        assert found.pid.deviation[name] == pytest.approx(
            math.hypot(before.pid.deviation[name], error)
        )
    for name in ("redundancy", "unique1", "information2"):
        assert found.pid.interval[name] == before.pid.interval[name]


def test_nothing_is_more_than_the_label_has(unsure):
    pid = _outputs._unsure_of_joint(unsure[0].pid, 9.0, 2.0)
    for name in OF_THE_JOINT:
        assert pid.interval[name][1] == 2


@pytest.mark.parametrize("best", ["own", "late fusion", "first"])
def test_what_the_other_half_has_taught(best, monkeypatch):
    s = problems.named("halves16").sample(N, 0)
    flat = np.full_like(s.posterior1, 1 / 16)
    whole = {"first": s.posterior1, "second": s.posterior2}
    if best == "first":
        whole["second"] = flat
    less = {role: (p + flat) / 2 for role, p in whole.items()}

    def product(r1, r2, *_, **__):
        return r1 * r2 / (r1 * r2).sum(1, keepdims=True)

    fuse = product if best == "late fusion" else (lambda *_, **__: flat)
    joint = s.posterior12 if best == "own" else flat
    less["joint"], whole["joint"] = (joint + flat) / 2, joint
    asked = []

    def outputs(role, name):
        asked.append((role, name))
        return less[role]

    monkeypatch.setattr(_outputs, "fuse", fuse)
    monkeypatch.setattr(_outputs, "pid_of_posteriors", lambda *_, **__: None)
    monkeypatch.setattr(_outputs, "_unsure_of_joint", lambda pid, *_: pid)
    found = decompose(
        *({"own": whole[role]} for role in ("first", "second", "joint")),
        {}, s.labels, folds=np.zeros(N, int), units=None, calibration="",
        replicates=5, seed=0,
        halves=[_outputs.Halves(outputs, np.arange(N) % 2)] * 2,
    )  # fmt: skip
    assert found.classifiers["joint"]["name"] == best
    # Of a classifier of both that was not chosen, none is fitted.
    assert asked.count(("joint", "own")) == (best == "own")
    if best == "late fusion":
        whole["joint"], less["joint"] = (
            product(p["first"], p["second"]) for p in (whole, less)
        )
    elif best == "first":
        whole["joint"], less["joint"] = whole["first"], less["first"]
    for role, ends in found.learned.items():
        bits = np.log2(whole[role] / less[role])[np.arange(N), s.labels]
        error = 1.96 * bits.std(ddof=1) / math.sqrt(N)
        middle = bits.mean()
        assert ends == pytest.approx((middle - error, middle + error))
    assert tuple(found.learned) == ("first", "second", "joint")


def test_halves_keep_their_units(monkeypatch):
    given = {}

    def never(*rows, **options):
        given.update(options)
        raise InputError("enough")

    monkeypatch.setattr(_outputs, "pid_of_posteriors", never)
    s = problems.named("alone4").sample(N, 0)
    half, units = np.arange(N) % 3 > 0, np.arange(N) // 4
    found = decompose(
        {"own": s.posterior1}, {"own": s.posterior2}, {}, {}, s.labels,
        folds=np.zeros(N, int), units=units, half=half, calibration="",
        replicates=5, seed=0,
    )  # fmt: skip
    assert found.reason == "enough"
    np.testing.assert_array_equal(given["groups1"], units[half])
    np.testing.assert_array_equal(given["groups2"], units[~half])


@pytest.mark.parametrize("folds", [0, 4])
def test_pairs_of_views_are_fitted_to_halves(folds, monkeypatch):
    given, sizes = {}, []

    def never(*rows, **options):
        given.update(options)
        raise InputError("enough")

    def flat(train, label, test, *, classes, **_):
        sizes.append((len(train), len(test)))
        return np.full((len(test), classes), 1 / classes)

    monkeypatch.setattr(_outputs, "pid_of_posteriors", never)
    monkeypatch.setattr(classifiers, "posteriors", flat)
    x = np.random.default_rng(0).normal(size=(2, N, 3))
    training = None if folds else np.arange(N) % 3 > 0
    options = StudyOptions(folds=folds)
    rows = divide(
        {"a": x[0], "b": x[1]}, np.arange(N) % 4, options, training=training
    )
    views = [View(rows, (name,), options) for name in "ab"]
    pair = Pair(*views, rows, options)
    assert pair.together  # as what is fitted next is to halves
    sizes.clear()
    assert pair.answer().reason == "enough"
    fitted, counted = (N, N) if folds else (80, 40)
    # Three divisions, of either side.
    assert sizes == [(fitted // 2, counted // 2)] * 12
    assert len(given["halves"]) == 3
    for one, two, half in given["halves"]:
        assert one.shape == two.shape == (counted, 4)
        assert half.sum() == counted // 2
