"""What is decomposed of several classifiers' answers."""

import math

import numpy as np
import pytest

from bounds import problems
from bounds.errors import InputError
from bounds.estimation import _outputs
from bounds.estimation._outputs import decompose

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
