"""The decomposition of posteriors, and their calibration."""

import functools

import numpy as np
import pytest

import bounds
from bounds import problems
from bounds.estimation import (
    _posterior_bootstrap,
    _posterior_checks,
    _posterior_input,
    _posterior_solve,
)

FEW = {"replicates": 20}
PARTS = ("redundancy", "unique1", "unique2", "synergy")


def parts(out):
    return np.array([getattr(out, name) for name in PARTS])


def cases(p, times=10):
    """Posteriors and labels of a table's cells, as often as they weigh."""
    x1, x2, y = np.nonzero(p)
    often = np.rint(p[x1, x2, y] * times / p[p > 0].min()).astype(int)
    x1, x2, y = (np.repeat(x, often) for x in (x1, x2, y))

    def rows(q):
        return q / q.sum(-1, keepdims=True)

    return rows(p.sum(1))[x1], rows(p.sum(0))[x2], rows(p[x1, x2]), y


def gate(function):
    p = np.zeros((2, 2, 1 + max(function(a, b) for a, b in np.ndindex(2, 2))))
    for a, b in np.ndindex(2, 2):
        p[a, b, function(a, b)] = 1 / 4
    return p


@functools.cache
def draw(name, n=200, seed=0):
    return problems.named(name).sample(n, seed)


@functools.cache
def answer(name, n=200, seed=0, **options):
    s = draw(name, n, seed)
    return bounds.pid_of_posteriors(
        s.posterior1, s.posterior2, r12=s.posterior12, labels=s.labels,
        **FEW, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    "function",
    [lambda a, b: a & b, lambda a, b: a ^ b, lambda a, b: 2 * a + b],
)
@pytest.mark.parametrize("correct_bias", [True, False])
def test_samples_that_are_a_table_give_its_decomposition(
    function, correct_bias
):
    p = gate(function)
    r1, r2, r12, y = cases(p)
    # Where p(y) is known, informations lose nothing to it.
    out = bounds.pid_of_posteriors(
        r1, r2, r12=r12, labels=y, correct_bias=correct_bias,
        prior=p.sum((0, 1)), **FEW,
    )  # fmt: skip
    want = bounds.pid(p)
    np.testing.assert_allclose(parts(out), parts(want), atol=5e-3)
    np.testing.assert_allclose(out.total, want.total, atol=1e-9)
    np.testing.assert_allclose(out.hard["r12"], want.total, atol=1e-9)
    assert out.gap < 5e-3
    assert out.doubts == ()
    # What a sample contributes to an information is its own posterior's.
    each, prior = out.contributions, p.sum((0, 1))
    for r, found in (
        (r1, each["redundancy"] + each["unique1"]),
        (r2, each["redundancy"] + each["unique2"]),
        (r12, each["total"]),
    ):
        own = np.sum(r * np.log2(np.where(r > 0, r, 1) / prior), 1)
        np.testing.assert_allclose(found, own, atol=1e-2)


def test_pairs_weights_and_repetitions():
    s = draw("copy4", 40)
    r1, r2 = s.posterior1, s.posterior2
    decompose = functools.partial(
        bounds.pid_of_posteriors,
        correct_bias=False,
        prior=np.full(4, 0.25),
        **FEW,
    )
    out = decompose(r1, r2)
    assert out.synergy is out.total is out.contributions is None
    half = decompose(r1, r2, confidence=0.5)
    for name, (low, high) in out.interval.items():
        low2, high2 = half.interval[name]
        assert low <= low2 <= high2 <= high
    width, width2 = (np.ptp(x.interval["information1"]) for x in (out, half))
    assert width2 < 0.6 * width
    shuffled = decompose(r1, r2[::-1])
    assert abs(out.unique1 - shuffled.unique1) < 5e-3
    # Weights are repetitions, a weight of 0 is an absence.
    often = np.arange(40) % 3
    weighted = decompose(r1, r2, weights1=often, weights2=2.5 * often)
    repeated = decompose(
        np.repeat(r1, often, axis=0), np.repeat(r2, often, axis=0)
    )
    for name in PARTS[:3]:
        difference = getattr(weighted, name) - getattr(repeated, name)
        assert abs(difference) < 1e-2
    # Samples that are paired have one weight.
    one, both = (
        decompose(r1, r2, labels=s.labels, weights1=often, weights2=w)
        for w in (None, often)
    )
    assert parts(one)[:3].tolist() == parts(both)[:3].tolist()


def test_informations_take_back_what_they_lose_to_the_mean():
    r = np.eye(4)[np.repeat(np.arange(4), [20, 10, 5, 5])]
    out = bounds.pid_of_posteriors(r, r, r12=r, replicates=400)
    assert out.soft["r12"] == pytest.approx(1.75)
    # Miller and Madow's correction of the label's entropy.
    lost = 3 / (2 * 40 * np.log(2))
    assert out.total - 1.75 == pytest.approx(lost, rel=0.15)
    assert out.redundancy == pytest.approx(out.total, abs=1e-3)
    assert abs(out.unique1) + abs(out.unique2) + abs(out.synergy) < 1e-3
    # What is known of the label loses nothing.
    known = bounds.pid_of_posteriors(r, r, r12=r, prior=r.mean(0), **FEW)
    assert known.total == pytest.approx(1.75)
    assert known.interval["total"][1] == pytest.approx(1.75)
    # Four classes have two bits, whatever the samples.
    even = np.eye(4)[np.arange(40) % 4]
    out = bounds.pid_of_posteriors(even, even, r12=even, **FEW)
    assert out.total == out.interval["total"][1] == 2


def test_few_replicates_correct_as_much():
    """Of two balanced ones, multiplicities have half of the variance."""
    names = ("redundancy", "unique1", "unique2", "information1", "total")
    spread = dict.fromkeys((*names, "information2"), np.array([-0.01, -0.03]))
    lost, excess = _posterior_bootstrap.losses(spread, 0.5)
    assert lost == pytest.approx(dict.fromkeys(("r1", "r2", "r12"), 0.02))
    # The minimum is the sum of three, each less by as much.
    assert excess == pytest.approx(0.04)


def test_every_unit_is_drawn_equally_often(rng):
    s = draw("copy4", 40)
    data = _posterior_input.checked(
        s.posterior1, s.posterior2, None, None, None, None, s.labels,
        None, None, np.arange(40) // 2,
    )  # fmt: skip
    often = sum(
        counts["r1"]
        for counts in _posterior_bootstrap._multiplicities(data, 30, rng)
    )
    np.testing.assert_array_equal(often, 30)


def test_replicates_without_any_weight_are_drawn_again():
    s = draw("copy4", 40)
    sparse = (np.arange(40) < 2).astype(float)
    out = bounds.pid_of_posteriors(
        s.posterior1, s.posterior2, labels=s.labels, weights2=sparse + 1e-300,
        correct_bias=False, prior=np.full(4, 0.25), **FEW,
    )  # fmt: skip
    assert np.isfinite(parts(out)[:3].astype(float)).all()


def test_groups_of_a_subsample_are_those_of_all():
    s = draw("copy4", 400)
    groups = np.arange(400) % 10
    whole, part = (
        bounds.pid_of_posteriors(
            s.posterior1, s.posterior2, groups=groups, max_atoms=most,
            correct_bias=False, replicates=100,
        )
        for most in (800, 400)
    )  # fmt: skip
    # Half of the rows are of all groups: as unsure as all rows, and no less.
    ratio = part.deviation["information1"] / whole.deviation["information1"]
    assert 0.8 < ratio < 2


def test_equal_laws_are_found_to_be_equal():
    apart, pooled = (answer("equal4", correct_bias=x) for x in (False, True))
    assert apart.unique1 + apart.unique2 > 0.06
    assert pooled.unique1 + pooled.unique2 < 0.03
    assert pooled.bias > 0.03
    # Laws that look the same are taken to have the same information.
    np.testing.assert_allclose(pooled.unique1, pooled.unique2, atol=1e-9)
    assert abs(apart.unique1 - apart.unique2) > 1e-3
    assert abs(pooled.redundancy - problems.named("equal4").truth[0]) < 0.1


@pytest.mark.parametrize("name", ["copy4", "halves16"])
def test_answers_are_near_the_truth(name):
    out, truth = answer(name), problems.named(name).truth
    assert np.abs(parts(out) - truth[:4]).max() < 0.12
    assert abs(out.soft["r1"] - truth.redundancy - truth.unique1) < 0.15
    for part in (*PARTS, "total"):
        low, high = out.interval[part]
        assert low <= getattr(out, part) + 1e-9
        assert getattr(out, part) <= high + out.deviation[part]
        assert 0 <= out.deviation[part] < 0.15
        error = getattr(out, part) - getattr(truth, part)
        assert abs(error) < 3 * out.deviation[part]


def test_contributions_have_the_values_as_means():
    out = answer("copy4")
    for name in (*PARTS, "total"):
        each = out.contributions[name]
        assert each.shape == (200,)
        np.testing.assert_allclose(each.mean(), getattr(out, name), atol=1e-9)
    np.testing.assert_allclose(
        sum(out.contributions[name] for name in PARTS),
        out.contributions["total"],
        atol=1e-9,
    )


def test_large_samples_are_decomposed_in_parts():
    out, whole = answer("copy4", max_atoms=200), answer("copy4")
    assert out.atoms == 200
    assert whole.atoms == 400
    assert out.contributions is None
    assert np.abs(parts(out) - parts(whole)).max() < 0.05
    assert out.deviation["total"] > 0


@pytest.mark.parametrize("name", ["correlated4", "copy4"])
def test_the_bias_of_many_atoms_from_that_of_fewer(name, monkeypatch):
    direct = answer(name).bias
    monkeypatch.setattr(_posterior_solve, "_MEASURED", 100)
    s = draw(name)
    out = bounds.pid_of_posteriors(s.posterior1, s.posterior2, replicates=2)
    assert out.atoms == 400
    assert abs(out.bias - direct) < 0.008


@pytest.mark.parametrize(
    ("law", "size2", "expected"),
    [
        # As it falls from 100 of each modality to 200, and on to 400.
        (lambda n: 0.1 * (n / 200) ** -0.7, 400, 0.1 * 4**-0.7),
        # Not slower nor faster than is known of any.
        (lambda n: 0.1, 400, 0.1 * 4**-0.25),
        (lambda n: 0.1 * (n / 200) ** -3, 400, 0.1 / 4),
        (lambda n: 0.1 if n > 150 else -1.0, 400, 0.1 * 4**-0.25),
        (lambda n: None if n > 150 else 0.1, 400, 0.0),
        # One modality alone has more: 100 and 30, then 50 and 30.
        (lambda n: 0.1 if n > 100 else 0.16, 30, 0.1 * 0.625**2),
    ],
)
def test_the_fall_of_the_bias(law, size2, expected, monkeypatch):
    monkeypatch.setattr(_posterior_solve, "_MEASURED", 100)
    monkeypatch.setattr(
        _posterior_solve, "_measured", lambda _, index, *__: law(len(index))
    )
    bias = _posterior_solve._bias(
        None, np.arange(400), np.arange(size2), None, np.random.default_rng(0)
    )
    assert bias == pytest.approx(expected)


def test_a_class_without_samples_changes_nothing():
    s = draw("correlated4")
    rows = s.posterior1, s.posterior2, s.posterior12
    wider = [np.pad(r, ((0, 0), (0, 1))) for r in rows]
    out, want = (
        bounds.pid_of_posteriors(r1, r2, r12=r12, **FEW)
        for r1, r2, r12 in (wider, rows)
    )
    assert want.bias > 0.01
    np.testing.assert_allclose(parts(out), parts(want), atol=1e-3)
    assert out.interval["total"][1] <= 2


def test_equal_posteriors_are_one_atom(rng):
    s = draw("copy4", 50)
    often = rng.integers(1, 4, 50)
    p1, p2 = s.posterior1 / 50, s.posterior2 / 50
    prior = (p1.sum(0) + p2.sum(0)) / 2
    p1, p2 = (p * (prior / p.sum(0)) for p in (p1, p2))
    split = np.repeat(p1 / often[:, None], often, axis=0)
    merged, row = _posterior_solve._merged(split)
    assert merged.shape == p1.shape
    np.testing.assert_allclose(merged[row], np.repeat(p1, often, axis=0))
    alone = _posterior_solve.decompose(p1, p2, prior)
    apart = _posterior_solve.decompose(split, p2, prior)
    assert abs(apart[1] - alone[1]) < 1e-6
    np.testing.assert_allclose(
        apart[2], np.repeat(alone[2], often, axis=0), atol=1e-3
    )
    # An atom that is of both modalities pairs with itself.
    same = np.stack([np.arange(len(split)), row])
    itself = _posterior_solve.decompose(split, merged, prior, same)
    assert abs(itself[1] - bounds.information.mutual_information(p1)) < 1e-3


def sharpened(r, power=3):
    r = r**power
    return r / r.sum(1, keepdims=True)


def test_overconfidence_is_said_and_cured():
    s = draw("copy4", 300)
    rows = [sharpened(r) for r in (s.posterior1, s.posterior2, s.posterior12)]
    decompose = functools.partial(
        bounds.pid_of_posteriors,
        *rows[:2],
        r12=rows[2],
        labels=s.labels,
        correct_bias=False,
        **FEW,
    )
    out = decompose()
    assert any("r2 is overconfident" in doubt for doubt in out.doubts)
    assert out.soft["r2"] > out.hard["r2"] + 0.1
    cured = decompose(calibration="temperature")
    assert not any("confident" in doubt for doubt in cured.doubts)
    truth = problems.named("copy4").truth
    assert np.abs(parts(cured) - truth[:4]).max() < 0.15


def test_other_doubts():
    s = draw("copy4")
    few = draw("mixed16", 40)
    out = bounds.pid_of_posteriors(
        few.posterior1, few.posterior2, correct_bias=False, **FEW
    )
    assert any(
        "40 (effective) samples for 16 classes" in doubt for doubt in out.doubts
    )
    flat = np.full_like(s.posterior1, 1 / 4)
    out = bounds.pid_of_posteriors(
        s.posterior1,
        s.posterior2,
        r12=flat,
        prior=np.full(4, 1 / 4),
        correct_bias=False,
        **FEW,
    )
    assert any("synergy is negative" in doubt for doubt in out.doubts)
    assert out.synergy < 0


def test_whole_groups_are_drawn():
    s = draw("copy4")
    # Ten copies of every sample are as sure as one of each, not as ten.
    rows = [np.repeat(r[:50], 4, 0) for r in (s.posterior1, s.posterior2)]
    groups = np.repeat([f"person {i}" for i in range(50)], 4)
    own = bounds.pid_of_posteriors(
        *rows, r12=rows[0], correct_bias=False, replicates=60
    )
    out = bounds.pid_of_posteriors(
        *rows, groups=groups, correct_bias=False, replicates=60
    )
    ratio = out.deviation["unique1"] / own.deviation["unique1"]
    assert 1.5 < ratio < 2.7  # 2


UNIFORM = np.full((20, 2), 0.5)


def edited(at, value):
    r = UNIFORM.copy()
    r[at] = value
    return r


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((edited((3, 1), np.nan), UNIFORM), {}, r"r1\[3, 1\] is nan"),
        ((UNIFORM, edited((4, 0), 0.7)), {}, r"r2\[4\] sums to 1\.2"),
        ((UNIFORM - 1, UNIFORM), {}, r"r1\[0, 0\] is -0\.5.*of logits take"),
        ((UNIFORM, 3 * UNIFORM), {}, r"r2\[0\] sums to 3.*of logits take"),
        ((UNIFORM, UNIFORM[:, :1] * 2), {}, "r2 has 1 classes, r1 has 2"),
        ((UNIFORM, UNIFORM[:9]), {}, "r2 has 9 samples; at least 10"),
        ((UNIFORM, np.eye(2)[[0] * 20]), {}, "r2 gives class 1 no mass, r1"),
        (
            (UNIFORM, 0 * UNIFORM + [0.3, 0.7]),
            {},
            r"r1 and r2 contradict each other on p\(y=0\): 0\.5 against 0\.3",
        ),
        (
            (UNIFORM, UNIFORM),
            {"prior": [0.2, 0.8]},
            "prior and r1 contradict each other on p",
        ),
        ((UNIFORM, UNIFORM), {"prior": [1.0]}, "prior has 1 classes"),
        ((UNIFORM, UNIFORM), {"prior": [1.5, -0.5]}, r"prior\[1\] is -0\.5, a"),
        ((UNIFORM, UNIFORM), {"correct_bias": "no"}, "True or False, got 'no'"),
        ((UNIFORM, UNIFORM), {"halves": 3}, "halves must be a sequence, got 3"),
        (
            (UNIFORM, UNIFORM),
            {"labels": [0, 1] * 10, "halves": [3]},
            r"halves\[0\] must be a sequence, got 3",
        ),
        (
            (UNIFORM, UNIFORM),
            {"weights1": [-1] + [1] * 19},
            r"weights1\[0\] is negative: -1",
        ),
        ((UNIFORM, UNIFORM), {"weights2": [0] * 20}, "weights2 are all zero"),
        ((UNIFORM, UNIFORM), {"weights2": [1]}, r"shape \(20,\), got \(1,\)"),
        ((UNIFORM, UNIFORM), {"labels": [2] * 20}, r"labels\[0\] is 2, not a"),
        (
            (UNIFORM, UNIFORM[:15]),
            {"labels": [0, 1] * 10},
            "r2 has 15 samples, r1 has 20",
        ),
        (
            (UNIFORM, UNIFORM),
            {"labels": [0, 1] * 10, "labels1": [0, 1] * 10},
            "not both",
        ),
        (
            (UNIFORM, UNIFORM),
            {"calibration": "vector"},
            "needs labels of the samples of r1",
        ),
        ((UNIFORM, UNIFORM), {"calibration": "platt"}, "one of temperature"),
        ((UNIFORM, UNIFORM), {"groups": [0] * 20}, "1 groups are too few"),
        ((UNIFORM, UNIFORM), {"confidence": 95}, "confidence"),
    ],
)
def test_bad_input(arguments, options, message):
    with pytest.raises(bounds.InputError, match=message):
        bounds.pid_of_posteriors(*arguments, **options)


def test_calibration_finds_the_temperature():
    s = draw("copy4", 1500)
    out = bounds.calibrate(sharpened(s.posterior2), s.labels)
    np.testing.assert_allclose(out.temperatures, 3, rtol=0.15)
    assert out.after < out.before
    assert np.abs(out.probabilities - s.posterior2).max() < 0.08
    logits = 3 * np.log(s.posterior2) + 5
    same = bounds.calibrate(logits, s.labels, given="logits")
    np.testing.assert_allclose(same.probabilities, out.probabilities, atol=1e-3)


def test_vector_scaling_moves_single_classes():
    s = draw("copy4", 1500)
    bent = s.posterior2 * [3, 1, 1, 1]
    bent /= bent.sum(1, keepdims=True)
    one, all_ = (
        bounds.calibrate(bent, s.labels, kind=kind)
        for kind in ("temperature", "vector")
    )
    assert all_.after < one.after - 0.02
    assert np.abs(all_.probabilities - s.posterior2).mean() < 0.03


def test_posteriors_are_calibrated_by_their_weights_and_groups():
    s, w, groups = draw("copy4", 40), np.arange(40) % 3, np.arange(40) // 2
    data = _posterior_input.checked(
        s.posterior1, s.posterior2, None, None, w, None, s.labels, None, None,
        groups,
    )  # fmt: skip
    found = _posterior_input.calibrated(data, "temperature", 0).r["r2"]
    for given in ({"weights": w, "groups": groups}, {"groups": groups}):
        out = bounds.calibrate(s.posterior2, s.labels, **given).probabilities
        assert np.allclose(found, out, atol=1e-9) == ("weights" in given)


def test_calibration_keeps_groups_together_and_refuses_nonsense():
    s = draw("copy4")
    r, y = s.posterior1, s.labels
    groups = np.arange(200) // 50
    w = 1.0 + np.arange(200) % 3
    out = bounds.calibrate(r, y, groups=groups, folds=4, weights=w)
    assert len(out.temperatures) == 4
    for bits, p in ((out.before, r), (out.after, out.probabilities)):
        kept = np.log2(p[np.arange(200), y])
        assert bits == pytest.approx(-np.average(kept, weights=w))
    for options, message in (
        ({"groups": groups}, "4 groups are too few for 5 folds"),
        ({"kind": "spline"}, "one of temperature, vector"),
        ({"given": "scores"}, "one of probabilities, logits"),
        ({"weights": -np.ones(200)}, r"weights\[0\] is negative"),
    ):
        with pytest.raises(bounds.InputError, match=message):
            bounds.calibrate(r, y, **options)
    with pytest.raises(bounds.InputError, match=r"labels\[0\] is 4"):
        bounds.calibrate(r, y + 4 - y[0])
    with pytest.raises(bounds.InputError, match="one row per sample"):
        bounds.calibrate(r[0], y, given="logits")


def test_no_interval_has_more_than_there_is():
    """What the minimum is unsure of is cut off by the informations."""
    values = {
        "redundancy": 0.01, "unique1": 0.0, "unique2": 0.01, "synergy": -0.004,
        "total": 0.016, "information1": 0.01, "information2": 0.02,
        "conditional1": -0.004, "conditional2": 0.006,
    }  # fmt: skip
    wide = {
        "redundancy": (0.0, 0.07), "unique1": (0.0, 0.04),
        "unique2": (0.0, 0.07), "synergy": (-0.06, 0.05),
        "total": (0.01, 0.02), "information1": (0.008, 0.015),
        "information2": (0.018, 0.025), "conditional1": (-0.01, 0.002),
        "conditional2": (0.001, 0.009),
    }  # fmt: skip
    cut = _posterior_checks.possible(wide, values)
    assert cut == wide | {
        "redundancy": (0.0, 0.015),
        "unique1": (0.0, 0.015),
        "unique2": (0.0, 0.025),
        # conditional2 - information2 is more than conditional1 - information1.
        "synergy": (pytest.approx(0.001 - 0.025), 0.002),
    }
    # A value that a poor joint classifier has made is not left outside.
    low = values | {"synergy": -0.05}
    assert _posterior_checks.possible(wide, low)["synergy"] == (-0.05, 0.002)
    # Without pairs there is no synergy.
    three = ("redundancy", "unique1", "unique2", "information1", "information2")
    parts_ = [{k: d[k] for k in three} for d in (wide, values)]
    assert _posterior_checks.possible(*parts_)["redundancy"] == (0.0, 0.015)
