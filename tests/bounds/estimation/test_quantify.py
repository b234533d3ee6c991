import math
import tracemalloc

import numpy as np
import pytest

from bounds.errors import InputError
from bounds.estimation import (
    _labelled,
    _predictions,
    _resampling,
    _statistics,
    _unimodal,
    discretize,
    estimators,
    evidence,
    interactions,
    samples,
)
from bounds.estimation.convergence import convergence
from bounds.estimation.evidence import (
    Labelled,
    Predictions,
    Unimodal,
    enough,
    possible_cells,
    verdicts,
)
from bounds.estimation.interactions import Interactions
from bounds.estimation.quantify import quantify
from bounds.estimation.raking import consistent_marginals
from tests.bounds.estimation import quantify_helpers as helpers

FEW = {"replicates": 40, "permutations": 40, "interval_replicates": 10}
N = 4000


@pytest.fixture(scope="module")
def xor():
    """Noisy exclusive or: all synergy."""
    rng = np.random.default_rng(0)
    x1, x2 = rng.integers(2, size=(2, N))
    y = x1 ^ x2 ^ (rng.random(N) < 0.1)
    return x1, x2, y


@pytest.fixture(scope="module")
def copies():
    """Two noisy copies of the label."""
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=N)
    x1, x2 = (y ^ (rng.random(N) < e) for e in (0.1, 0.2))
    return x1, x2, y


def h2(p):
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


@pytest.fixture(scope="module")
def of_xor(xor):
    return quantify(Labelled(samples.count(xor, (2, 2, 2))), **FEW)


@pytest.fixture(scope="module")
def of_copies(copies):
    return quantify(Labelled(samples.count(copies, (2, 2, 2))), **FEW)


def test_labelled_pairs_of_xor(of_xor):
    truth = 1 - h2(0.1)
    synergy = of_xor.estimates["synergy"]
    assert synergy.lower < truth < synergy.upper
    assert synergy.upper - synergy.lower < 0.1
    assert synergy.p_value == pytest.approx(1 / 41)
    assert synergy.null < 0.01
    for name in ("redundancy", "unique1", "unique2"):
        assert of_xor.estimates[name].value < 0.003
    for found, best in (
        (of_xor.accuracy, 0.9),
        (of_xor.accuracy1, 0.5),
        (of_xor.accuracy2, 0.5),
    ):
        assert found.lower < best + 1e-9 < found.upper
        assert found.upper - found.lower < 0.06
    # Without labels of pairs it could be anything.
    assert of_xor.accuracy_bounds.lower < 0.55
    assert of_xor.accuracy_bounds.upper > 0.9
    # Without labels of pairs nothing excludes that there is no synergy.
    assert of_xor.synergy_lower.value < 0.01
    assert of_xor.synergy_upper.value > truth - 0.05
    assert of_xor.gap <= 1e-6


def test_labelled_pairs_of_copies(of_copies):
    found = of_copies.estimates
    for name, noise in (("information1", 0.1), ("information2", 0.2)):
        assert found[name].lower < 1 - h2(noise) < found[name].upper
    assert found["unique2"].value < 0.01
    assert found["redundancy"].lower > 0.2
    np.testing.assert_allclose(
        sum(found[k].plug_in for k in ("redundancy", "unique1")),
        found["information1"].plug_in,
    )


def test_unimodal_labels_agree_with_labelled_pairs(copies, of_copies):
    x1, x2, y = copies
    half = N // 2
    found = quantify(
        Unimodal(
            samples.count([x1[:half], y[:half]], (2, 2)),
            samples.count([x2[half:], y[half:]], (2, 2)),
            samples.count([x1, x2], (2, 2)),
        ),
        **FEW,
    )
    assert "synergy" not in found.estimates
    for name in ("redundancy", "unique1", "information2"):
        one, other = found.estimates[name], of_copies.estimates[name]
        assert one.lower < other.upper
        assert other.lower < one.upper
    # As accurate alone as each is a copy, and no less together.
    for alone, best in ((found.accuracy1, 0.9), (found.accuracy2, 0.8)):
        assert alone.lower < best < alone.upper
        assert alone.upper - alone.lower < 0.06
    assert found.accuracy == found.accuracy_bounds
    assert found.accuracy.lower == found.accuracy1.lower
    assert found.accuracy.upper > 0.9
    # The interval of what was not observed holds what was.
    synergy = of_copies.estimates["synergy"]
    assert found.synergy.lower < synergy.upper
    assert found.synergy.upper > synergy.lower
    assert found.synergy == (
        found.synergy_lower.lower,
        found.synergy_upper.upper,
    )


def test_classifier_outputs(copies, of_copies):
    x1, x2, y = copies
    outputs = [
        np.array([[1 - e, e], [e, 1 - e]])[x.astype(int)]
        for x, e in ((x1, 0.1), (x2, 0.2))
    ]
    found = quantify(Predictions(*outputs), **FEW)
    for name in ("information1", "information2", "redundancy"):
        assert found.estimates[name].value == pytest.approx(
            of_copies.estimates[name].value, abs=0.03
        )
    for alone, best in ((found.accuracy1, 0.9), (found.accuracy2, 0.8)):
        assert alone == pytest.approx((best, best))
    synergy = of_copies.estimates["synergy"]
    assert found.synergy.lower < synergy.upper
    assert found.synergy.upper > synergy.lower
    assert found.synergy_lower.value <= of_copies.synergy_lower.upper
    assert math.isnan(found.synergy_lower.p_value)


def test_too_few_samples_are_no_number(rng):
    table = samples.count(
        [rng.integers(2, size=20) for _ in range(3)], (2, 2, 2)
    )
    assert enough(table) == (False, 40)
    found = quantify(Labelled(table), **FEW)
    synergy = found.estimates["synergy"]
    assert not synergy.enough
    assert synergy.needed == 40
    for name in ("value", "lower", "upper", "deviation", "null", "p_value"):
        assert math.isnan(getattr(synergy, name))
    assert synergy.plug_in > 0
    # The marginals have four cells each: of them there are enough.
    assert found.estimates["redundancy"].enough
    assert found.synergy_upper.upper > found.label_entropy
    assert found.synergy.upper == found.label_entropy


def test_copied_samples_do_not_count_twice(copies):
    x1, x2, y = (x[:500] for x in copies)
    units = np.repeat(np.arange(500), 4)
    once = quantify(Labelled(samples.count([x1, x2, y], (2, 2, 2))), **FEW)
    four = quantify(
        Labelled(
            samples.count(
                [np.repeat(x, 4) for x in (x1, x2, y)], (2, 2, 2), units=units
            )
        ),
        **FEW,
    )
    assert four.effective == pytest.approx(500, rel=0.01)
    for name in ("redundancy", "synergy"):
        a, b = once.estimates[name], four.estimates[name]
        assert b.deviation == pytest.approx(a.deviation, rel=0.4)
        assert b.plug_in == pytest.approx(a.plug_in, abs=1e-6)


def test_same_seed_same_numbers(copies, of_copies):
    again = quantify(Labelled(samples.count(copies, (2, 2, 2))), **FEW)
    assert again.estimates == of_copies.estimates


def test_convergence_ends_at_the_whole(copies, of_copies):
    table = samples.count(copies, (2, 2, 2))
    found = convergence(table, (0.5, 1.0), repeats=2)
    assert found["size"].tolist() == [N / 2, N]
    np.testing.assert_allclose(
        found["plug_in"]["redundancy"][1],
        of_copies.estimates["redundancy"].plug_in,
        atol=1e-5,
    )


def test_consistent_marginals_agree(rng):
    counts = [rng.integers(1, 9, (5, *k)) for k in ((3, 4), (3, 2), (4, 2))]
    p12, p1y, p2y = tables = consistent_marginals(*counts)
    for p in tables:
        np.testing.assert_allclose(p.sum((1, 2)), 1)
    np.testing.assert_allclose(p12.sum(2), p1y.sum(2), atol=1e-7)
    np.testing.assert_allclose(p12.sum(1), p2y.sum(2), atol=1e-7)
    np.testing.assert_allclose(p1y.sum(1), p2y.sum(1), atol=1e-7)
    # On the mean of what the two tables of a variable say.
    q12, q1y, q2y = (c / c.sum((1, 2), keepdims=True) for c in counts)
    for found, one, other in (
        (p12.sum(2), q12.sum(2), q1y.sum(2)),
        (p12.sum(1), q12.sum(1), q2y.sum(2)),
        (p1y.sum(1), q1y.sum(1), q2y.sum(1)),
    ):
        np.testing.assert_allclose(found, (one + other) / 2, atol=1e-7)


def test_a_symbol_that_one_table_lacks_is_independent_there():
    lacks = np.array([[[4, 4], [0, 0]]])
    full = np.array([[[3, 1], [1, 3]]])
    p12, p1y, _ = consistent_marginals(lacks, full, full)
    np.testing.assert_allclose(p12[0], [[0.375, 0.375], [0.125, 0.125]])
    np.testing.assert_allclose(p1y.sum(2)[0], [0.75, 0.25], atol=1e-7)


def table(x, y, shape=(2, 2)):
    return samples.count([np.asarray(x), np.asarray(y)], shape)


GOOD = ([0, 1, 0, 1], [0, 0, 1, 1])
HALVES = np.full((4, 2), 0.5)


def of_label(rng, noise, k, n):
    """Labels, and a modality of k symbols that sees them at times."""
    y = rng.integers(3, size=n)
    x = np.where(rng.random(n) < noise, rng.integers(k, size=n), y)
    return x, y


@pytest.fixture
def solvers(monkeypatch):
    """Replaces what is compiled; returns how to forbid more."""
    helpers.without_solvers(monkeypatch)

    def forbid(*names, of=_statistics):
        for name in names:
            monkeypatch.setattr(of, name, helpers.never)

    return forbid


SOLVERS = ("pid", "pid_from_marginals", "synergy_interval")


def test_no_comes_before_anything_is_drawn(solvers, rng):
    solvers(*SOLVERS)
    solvers("accuracy_interval", of=interactions)
    solvers("with_unseen", of=_labelled)
    solvers("bootstrap", "leave_out", "permute_last", of=samples)
    k, n = 200, 2000
    arrays = [rng.integers(k, size=n), rng.integers(k, size=n),
              rng.integers(5, size=n)]  # fmt: skip
    tracemalloc.start()
    table = samples.count(arrays, (k, k, 5))
    found = quantify(Labelled(table))
    # Of a table, 1.6 MB, there are never many.
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()
    needed = {name: e.needed for name, e in found.estimates.items()}
    assert needed["synergy"] == needed["total"] == 5 * k * k * 5
    assert set(needed.values()) == {5000, 1_000_000}
    assert found.synergy_upper.needed == 5 * k * k
    for name, e in found.estimates.items():
        assert not e.enough
        assert math.isnan(e.value)
        assert math.isnan(e.plug_in) == (name in evidence.DECOMPOSITION
                                         or name == "synergy")  # fmt: skip
    first = samples.marginal(table, (1,)).counts
    plug_in = found.estimates["information1"].plug_in
    assert plug_in == pytest.approx(float(estimators.plug_in(first)))
    assert math.isnan(found.synergy.lower)
    assert found.accuracy == (found.label.max(), 1)
    assert found.gap == 0


def test_a_small_table_is_solved_for_its_plug_in_values(solvers, rng):
    solvers("synergy_interval", "pid_from_marginals")
    solvers("bootstrap", of=samples)
    arrays = [np.r_[0, 1, 0, 1, 0, 1], rng.integers(2, size=6),
              np.r_[0, 0, 0, 1, 1, 1]]  # fmt: skip
    found = quantify(Labelled(samples.count(arrays, (2, 2, 2))))
    assert not found.estimates["redundancy"].enough
    assert found.estimates["redundancy"].plug_in >= 0
    assert found.estimates["synergy"].plug_in > -1e-9
    assert found.gap == 1e-7


def test_informations_of_one_modality_need_no_solver(solvers, rng):
    solvers(*SOLVERS)
    x1, y = of_label(rng, 0.4, 3, 400)
    x2 = rng.integers(200, size=400)
    table = samples.count([x1, x2, y], (3, 200, 3))
    verdict = verdicts(Labelled(table))
    assert verdict["information1"] == verdict["accuracy1"] == (True, 45)
    assert verdict["information2"].needed == verdict["redundancy"].needed
    assert not verdict["redundancy"].enough
    found = quantify(Labelled(table), replicates=50, permutations=20)
    one, two = (found.estimates[f"information{i}"] for i in (1, 2))
    assert one.lower < one.value < one.upper
    assert one.null < one.value
    assert one.p_value == pytest.approx(1 / 21)
    assert math.isnan(two.value)
    assert two.plug_in > 0
    assert found.accuracy1.lower > found.label.max()
    assert math.isnan(found.estimates["unique1"].plug_in)


def test_only_marginals_are_solved_without_enough_pairs(solvers, rng):
    solvers("pid", "synergy_interval")
    x1, y = of_label(rng, 0.4, 12, 400)
    x2 = np.where(rng.random(400) < 0.4, rng.integers(12, size=400), y)
    table = samples.count([x1, x2, y], (12, 12, 3))
    found = quantify(Labelled(table), replicates=50, permutations=20)
    assert found.estimates["redundancy"].enough
    assert not found.estimates["synergy"].enough
    assert not found.synergy_lower.enough
    plug = {name: e.plug_in for name, e in found.estimates.items()}
    parts = sum(plug[k] for k in (*evidence.DECOMPOSITION, "synergy"))
    assert parts == pytest.approx(plug["total"])
    assert plug["total"] == pytest.approx(
        float(estimators.plug_in(table.counts.reshape(144, 3)))
    )
    assert math.isnan(found.synergy_lower.plug_in)


@pytest.mark.parametrize("permutations", [0, 3])
def test_batches_change_no_number(solvers, monkeypatch, rng, permutations):
    x1, y = of_label(rng, 0.4, 4, 600)
    x2 = np.where(rng.random(600) < 0.4, rng.integers(4, size=600), y)
    table = samples.count([x1, x2, y], (4, 4, 3), units=np.arange(600) // 2)
    options = {"replicates": 23, "interval_replicates": 5,
               "permutations": permutations}  # fmt: skip
    whole = quantify(Labelled(table), **options)
    assert whole.estimates["synergy"].enough
    assert whole.synergy_lower.enough
    calls = []

    def counted(p, **given):
        calls.append((len(p), given["memory_limit"]))
        return helpers.solved_jointly(p)

    monkeypatch.setattr(_statistics, "pid", counted)
    # Five tables at a time; the three permutations fit beside them.
    limit = 5 * 8 * _resampling.LIVE * 48
    parts = quantify(Labelled(table), memory_limit=limit, **options)
    assert {call[1] for call in calls} == {limit}
    assert {call[0] for call in calls[:-1]} == {5}
    assert_same(parts, whole)
    one = quantify(Labelled(table), memory_limit=1, **options)
    if not permutations:
        assert_same(one, whole)


def assert_same(one: Interactions, other: Interactions):
    assert one.estimates.keys() == other.estimates.keys()
    for name in one.estimates:
        np.testing.assert_allclose(one.estimates[name], other.estimates[name])
    for name in ("synergy_lower", "synergy_upper", "information", "accuracy"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name))


def unimodal(rng, n=900, k=3, classes=3):
    x1, y = of_label(rng, 0.4, k, n)
    x2 = np.where(rng.random(n) < 0.4, rng.integers(k, size=n), y)
    half = n // 2
    return Unimodal(
        samples.count([x1[:half], y[:half]], (k, classes)),
        samples.count([x2[half:], y[half:]], (k, classes)),
        samples.count([x1, x2], (k, k)),
    )


def test_unimodal_without_enough_pairs_or_labels(solvers, rng):
    evidence = unimodal(rng, 900, 30)
    assert verdicts(evidence)["redundancy"] == (True, 450)
    assert verdicts(evidence)["bounds"] == (False, 4500)
    solvers("pid", "synergy_interval")
    few = {"replicates": 20, "permutations": 10, "interval_replicates": 5}
    found = quantify(evidence, **few)
    assert found.estimates["redundancy"].enough
    assert math.isnan(found.synergy.lower)
    evidence = unimodal(rng, 300, 30)
    solvers("pid_from_marginals")
    solvers("bootstrap", "leave_out", "permute_last", of=samples)
    found = quantify(evidence, **few)
    assert found.estimates["information1"].plug_in > 0.1
    assert math.isnan(found.estimates["redundancy"].plug_in)
    assert {e.needed for e in found.estimates.values()} == {
        verdicts(evidence)["unique1"].needed
    }


def test_unimodal_in_batches(solvers, rng):
    evidence = unimodal(rng)
    few = {"replicates": 30, "permutations": 10, "interval_replicates": 5}
    whole = quantify(evidence, **few)
    assert whole.synergy_lower.enough
    # The solver's batches are smaller than the draws.
    limit = 8 * _resampling.LIVE * 27 * 30
    assert_same(quantify(evidence, memory_limit=limit, **few), whole)
    small = quantify(evidence, memory_limit=1, **few)
    assert small.estimates["redundancy"].plug_in == pytest.approx(
        whole.estimates["redundancy"].plug_in
    )
    assert small.estimates["redundancy"].lower == pytest.approx(
        whole.estimates["redundancy"].lower, abs=0.1
    )


def test_predictions_in_batches(solvers, rng):
    p = rng.dirichlet([1, 1, 1], size=(2, 200))
    few = {"replicates": 30, "interval_replicates": 5}
    whole = quantify(Predictions(*p, bins=3), **few)
    small = quantify(Predictions(*p, bins=3), memory_limit=1, **few)
    assert_same(small, whole)
    # An information is that of the outputs, not of their bins.
    information = (p[0] * np.log2(p[0])).sum(1).mean()
    label = p[0].mean(0)
    information -= (label * np.log2(label)).sum()
    lost = information - whole.estimates["information1"].plug_in
    assert 0 < lost < information


@pytest.mark.parametrize("kind", ["labelled", "unimodal", "predictions"])
def test_options_are_those_of_what_is_resampled(
    kind, solvers, rng, monkeypatch
):
    efforts = set()

    def bounded(*tables, **given):
        efforts.add(given["effort"])
        return helpers.bounded(*tables)

    monkeypatch.setattr(_statistics, "synergy_interval", bounded)
    if kind == "labelled":
        x1, y = of_label(rng, 0.4, 3, 400)
        table = samples.count([x1, rng.permutation(x1), y], (3, 3, 3))
        evidence = Labelled(table)
    elif kind == "unimodal":
        evidence = unimodal(rng)
    else:
        evidence = Predictions(*rng.dirichlet([1, 1], size=(2, 200)), bins=3)
    few = {"replicates": 50, "permutations": 5, "interval_replicates": 20}
    wide = quantify(evidence, effort="fast", **few)
    narrow = quantify(evidence, level=0.5, **few)
    other = quantify(evidence, seed=1, **few)
    assert efforts == (set() if kind == "predictions" else {"bounds", "fast"})
    for of in (
        lambda found: found.estimates["information1"],
        lambda found: found.synergy_upper,
    ):
        one, two, three = map(of, (wide, narrow, other))
        assert two.value == one.value
        assert two.upper - two.lower < 0.8 * (one.upper - one.lower)
        assert three.deviation != one.deviation


def test_few_predictions_are_not_resampled(solvers, rng):
    p = rng.dirichlet([1, 1], size=(2, 9))
    found = quantify(Predictions(*p))
    assert {e.enough for e in found.estimates.values()} == {False}
    assert {e.needed for e in found.estimates.values()} == {10}
    assert math.isnan(found.synergy.lower)
    units = np.repeat(["a", "b", "c"], 100)
    p = rng.dirichlet([1, 1], size=(2, 300))
    found = quantify(Predictions(*p, units=units))
    assert found.effective == 3
    assert not found.estimates["redundancy"].enough


def test_rare_outputs_need_not_be_among_the_rows_of_the_clusters(
    solvers, monkeypatch
):
    monkeypatch.setattr("bounds.estimation.discretize._MOST_ROWS", 20)
    p = np.tile([[0.2, 0.8]], (400, 1))
    p[:2] = [[0.9, 0.1], [0.5, 0.5]]
    found = quantify(Predictions(p, p, bins=3), replicates=5)
    assert found.estimates["information1"].plug_in >= 0


def test_progress_is_shown_if_asked_for(solvers, rng, capsys):
    x1, y = of_label(rng, 0.4, 3, 400)
    table = samples.count([x1, x1, y], (3, 3, 3))
    few = {"replicates": 20, "permutations": 10, "interval_replicates": 5}
    quantify(Labelled(table), **few)
    assert capsys.readouterr().err == ""
    quantify(Labelled(table), progress=True, **few)
    assert "table" in capsys.readouterr().err


def test_convergence_in_batches(solvers, rng):
    x1, y = of_label(rng, 0.4, 3, 300)
    table = samples.count([x1, x1, y], (3, 3, 3))
    whole = convergence(table, (0.3, 1.0), repeats=2)
    parts = convergence(table, (0.3, 1.0), repeats=2, memory_limit=1)
    assert whole["size"].tolist() == [90, 300]
    for key in ("plug_in", "value"):
        for name, x in whole[key].items():
            assert x.shape == (2, 2)
            np.testing.assert_allclose(parts[key][name], x)
    # The whole is drawn whole, and its bias is taken off.
    np.testing.assert_allclose(np.ptp(whole["plug_in"]["redundancy"][1]), 0)
    assert (whole["value"]["redundancy"] < whole["plug_in"]["redundancy"]).all()


def test_verdicts_count_what_is_possible():
    x1 = np.repeat([0, 2], 30)
    table = samples.count([x1, x1 // 2, x1 // 2], (4, 2, 2))
    assert possible_cells(table) == 8
    assert enough(table) == (True, 40)
    assert enough() == (True, 0)
    units = np.arange(60) // 2
    copies = samples.count([x1, x1 // 2, x1 // 2], (4, 2, 2), units=units)
    assert enough(copies).needed == math.ceil(
        40 * samples.design_effect(copies)
    )
    assert not enough(copies).enough
    exact = samples.count([np.tile([0, 1], 10)] * 2, (2, 2))
    assert enough(exact) == (True, 20)


def test_what_no_sample_shows_widens_the_interval(solvers):
    # Two values that always come together: no replicate says otherwise.
    x = np.tile([0, 1], 50)
    table = samples.count([x, x, x], (2, 2, 2))
    found = quantify(Labelled(table), replicates=20, permutations=0)
    one = found.estimates["total"]
    assert one.upper - one.lower > 0.05
    assert math.isnan(one.null)
    assert math.isnan(one.p_value)


def options(**changes):
    given = {"replicates": 7, "permutations": 3, "interval_replicates": 2,
             "level": 0.95, "effort": "bounds", "memory_limit": 2**30,
             "rng": np.random.default_rng(0), "progress": False}  # fmt: skip
    return _resampling.Options(**given | changes)


def test_resamples_of_labelled_pairs(rng):
    x1, y = of_label(rng, 0.4, 3, 100)
    table = samples.count([x1, x1, y], (3, 3, 3))
    parts = {p.kind: p for p in _labelled._parts(table, options())}
    sizes = {kind: len(part.stack[0]) for kind, part in parts.items()}
    unseen = estimators.with_unseen(table.counts, 100)
    assert sizes == {"full": 1, "bootstrap": 7, "left_out": 20, "null": 3,
                     "unseen": len(unseen)}  # fmt: skip
    left = parts["left_out"]
    np.testing.assert_allclose(left.kept, left.stack[0].sum((1, 2, 3)) / 100)


def test_resamples_of_predictions_weight_units():
    size = np.r_[np.full(30, 1.0), 70.0]
    parts = {p.kind: p for p in _predictions._parts(size, 4, options())}
    left = parts["left_out"]
    # Each block is left out once, and the large unit counts 70 samples.
    (weights,) = left.stack
    np.testing.assert_array_equal((1 - weights).sum(0), 1)
    np.testing.assert_allclose(left.kept, 1 - (1 - weights) @ size / 100)
    assert len(weights) == 20
    assert parts["bootstrap"].stack[0].sum(1).tolist() == [31] * 3


def test_the_bounds_are_of_the_first_resamples():
    parts = [
        _resampling.Part("full", (np.full((1, 2), 0),)),
        _resampling.Part("bootstrap", (np.full((3, 2), 1),)),
        _resampling.Part("bootstrap", (np.full((3, 2), 2),)),
        _resampling.Part("left_out", (np.full((3, 2), 3),), np.ones(3)),
        _resampling.Part("null", (np.full((2, 2), 4),)),
        _resampling.Part("unseen", (np.full((5, 2), 5),)),
    ]
    kept = []
    passed = list(_resampling.tee(parts, kept, 4, lambda x: (x[:, 0],)))
    assert passed == parts
    values = np.concatenate([part.stack[0] for part in kept])
    np.testing.assert_array_equal(
        values, np.repeat([0, 1, 2, 4, 5], [1, 3, 1, 2, 5])
    )


class Resampled:
    """Statistics that are known."""

    kept = np.array([0.5, 0.8, 0.7])

    def __init__(self, **values):
        self.get = lambda kind, name: np.asarray(values[kind], float)


def test_an_estimate_by_its_definition():
    boot = [0.3, 0.5, 0.4, 0.45]
    resampled = Resampled(
        bootstrap=boot,
        left_out=[0.42, 0.41, 0.43],
        null=[0.01, 0.02, 0.4, 0.4 - 1e-7, 0.0],
        unseen=[0.4, 0.35, 0.47],
    )
    found = interactions.estimate(
        "total", evidence.Verdict(True, 7), 0.4, resampled, 0.8
    )
    bias = 0.5 * 0.42 + 0.8 * 0.41 + 0.7 * 0.43 - 2 * 0.4
    assert found.value == pytest.approx(0.4 - bias)
    ends = estimators.interval(0.4, bias, boot, unseen=0.07, level=0.8)
    assert (found.lower, found.upper) == pytest.approx(tuple(map(float, ends)))
    assert found.deviation == pytest.approx(np.std(boot, ddof=1))
    assert found.null == pytest.approx(0.4 - 0.2 * 1e-7)
    # Ties to within the solver's tolerance reach it; and itself is counted.
    assert found.p_value == pytest.approx(3 / 6)
    assert (found.plug_in, found.enough, found.needed) == (0.4, True, 7)


def test_without_blocks_the_bias_is_the_bootstraps():
    resampled = Resampled(bootstrap=[0.3, 0.6], null=[], unseen=[])
    resampled.kept = np.zeros(0)
    found = interactions.estimate(
        "lower", evidence.Verdict(True, 7), 0.4, resampled, 0.95
    )
    assert found.value == pytest.approx(0.4 - 0.05)
    assert math.isnan(found.null)


def test_the_best_classifier_takes_the_likeliest_label():
    counts = np.array([[3, 1, 0], [2, 4, 5]])
    assert _statistics._best_accuracy(counts[None]) == [8 / 15]
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    x1, x2 = np.array([0] * 4 + [1] * 6), np.array([0, 1] * 5)
    table = samples.count([x1, x2, y], (2, 2, 2))
    found = _statistics.closed_forms(table.counts)
    assert found["accuracy1"] == found["accuracy"] == 1
    assert found["accuracy2"] == pytest.approx(0.6)


@pytest.mark.parametrize("bins", [2, 8])
def test_what_predictions_say_by_hand(solvers, rng, bins):
    # The first knows much, the second little; 8 values each.
    n = 400
    sure, unsure = rng.uniform(0, 1, 8), rng.uniform(0.3, 0.8, 8)
    p1, p2 = (
        np.stack([1 - v, v], 1)[rng.integers(8, size=n)] for v in (sure, unsure)
    )
    evidence = Predictions(p1, p2, bins=bins)
    found = quantify(evidence, replicates=5, seed=3)
    label = (p1.mean(0) + p2.mean(0)) / 2
    entropy = -(label * np.log2(label)).sum()
    informations, uniques = [], []
    for p in (p1, p2):
        fitted = discretize.fit_posteriors(p, bins, seed=3)
        table = np.stack(
            [p[fitted(p) == s].sum(0) for s in range(bins)]
        ) / n * (label / p.mean(0))  # fmt: skip
        informations.append(float(estimators.plug_in(table)))
        mean = p.mean(0)
        all_of_it = -(mean * np.log2(mean)).sum() + (p * np.log2(p)).sum() / n
        uniques.append(max(all_of_it - informations[-1], 0))
    redundancy = min(informations)
    assert (np.array(uniques) > 1e-4).all() == (bins == 2)
    for i in range(2):
        uniques[i] += informations[i] - redundancy
    w = _predictions._WEIGHTS[:, None, None]
    chernoff = -np.log2((p1 ** (1 - w) * p2**w).sum(-1)).mean(-1)
    w = w[:, 0, 0]
    lower = max((chernoff - w * uniques[0] - (1 - w) * uniques[1]).max(), 0)
    upper = max(entropy - max(informations), lower)
    plug = {name: e.plug_in for name, e in found.estimates.items()}
    assert plug["information1"] == pytest.approx(informations[0])
    assert plug["information2"] == pytest.approx(informations[1])
    assert found.synergy_lower.plug_in == pytest.approx(lower)
    assert found.synergy_upper.plug_in == pytest.approx(upper)
    np.testing.assert_allclose(found.label, label)
    reached = [p.max(1).mean() for p in (p1, p2)]
    for alone, best in zip((found.accuracy1, found.accuracy2), reached,
                           strict=True):  # fmt: skip
        assert alone.lower < best < alone.upper


def test_both_modalities_are_no_worse_than_either(solvers, rng):
    # The bounds on both are 0.1 to 0.9 here, whatever is known.
    x1, y = of_label(rng, 0.05, 3, 600)
    table = samples.count([x1, rng.integers(2, size=600), y], (3, 2, 3))
    found = quantify(Labelled(table), replicates=20, permutations=0)
    assert found.accuracy1.lower > 0.9
    assert found.accuracy_bounds == (found.accuracy1.lower,) * 2


def test_sizes_are_those_of_the_smallest_set(solvers, rng):
    first, _, pairs = unimodal(rng, classes=5)
    units = np.arange(40) // 4
    small = samples.count(
        [np.arange(40) % 3, np.repeat([0, 1, 2], [12, 12, 16])], (3, 5),
        units=units,
    )  # fmt: skip
    found = quantify(Unimodal(first, small, pairs))
    assert found.size == 40
    assert found.effective == pytest.approx(samples.effective_size(small))
    assert found.effective < 40
    # Two classes never occur.
    assert found.cells == 3 * 3 * 3


def test_disagreements_by_hand():
    a, b = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.9, 0.1], [0.0, 1]])
    found = _predictions._disagreements(a, b)
    w = _predictions._WEIGHTS
    np.testing.assert_allclose(
        found[0], -np.log2(0.5 ** (1 - w) * (0.9**w + 0.1**w))
    )
    # Opposite certainties have no overlap, and cannot both be true.
    np.testing.assert_array_equal(found[1], 0)


def test_unseen_cells_of_several_tables_come_in_turn():
    first = samples.count([[0, 1, 1], [0, 1, 1]], (2, 2))
    full = samples.count([[0, 0, 1, 1], [0, 1, 0, 1]], (2, 2))
    one, two = _unimodal._unseen_in_turn(first, full)
    assert one.shape == two.shape == (3, 2, 2)
    np.testing.assert_allclose(one.sum((1, 2)), 1)
    np.testing.assert_allclose(one[0], estimators.with_unseen(
        first.counts, 3)[0])  # fmt: skip
    assert (one[1:, [0, 1], [1, 0]].sum(1) > 0).all()
    np.testing.assert_allclose(two, 0.25)


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        (
            lambda: Unimodal(
                table([0, 1, 0], [0, 0, 0]), table(*GOOD), table(*GOOD)
            ),
            "label 1 occurs 2 times in the second labelled set but never",
        ),
        (
            lambda: Unimodal(
                table([0, 1, 0], [0, 0, 1]), table(*GOOD), table(*GOOD)
            ),
            "label 1 has one sample in the first labelled set",
        ),
        (
            lambda: Unimodal(
                table([0, 0, 0, 0], [0, 0, 1, 1]), table(*GOOD), table(*GOOD)
            ),
            "the first modality is constant",
        ),
        (
            lambda: Unimodal(table(*GOOD), table(*GOOD), table(*GOOD, (3, 2))),
            "alphabets differ",
        ),
        (
            lambda: Unimodal(
                table([0, 1], [0, 0]), table([0, 1], [0, 0]), table(*GOOD)
            ),
            "all samples have one label",
        ),
        (
            lambda: Predictions(np.ones((4, 2)) / 2, np.ones((3, 2)) / 2),
            r"shapes \(4, 2\) and \(3, 2\)",
        ),
        (
            lambda: Predictions(np.ones((1, 2)) / 2, np.ones((1, 2)) / 2),
            "n and y at least 2, got shapes",
        ),
        (
            lambda: Predictions(np.ones((3, 1)), np.ones((3, 1))),
            "n and y at least 2, got shapes",
        ),
        (
            lambda: Predictions(
                np.ones((2, 2)) / 2, np.array([[0.5, 0.5], [0.5, 0.9]])
            ),
            r"second\[1\] sums to 1.4, no distribution",
        ),
        (
            lambda: Predictions([0.5, 0.5], [0.5, 0.5]),
            "first must have one row of probabilities per sample",
        ),
        (
            lambda: Predictions(np.ma.masked_array([[1.0, 0.0]], True), [[1]]),
            r"first\[0, 0\] is masked",
        ),
        (
            lambda: Predictions(HALVES, HALVES, bins=1),
            "bins must be at least 2, got 1",
        ),
        (
            lambda: Predictions(HALVES, HALVES, units=[0, 1, 2]),
            "units has 3 entries, first has 4",
        ),
        (
            lambda: Predictions(HALVES, HALVES, units=["a", "b", "c", None]),
            r"units\[3\] is None",
        ),
        (
            lambda: table(*GOOD).counts,
            "evidence must be Labelled, Unimodal or Predictions, got ndarray",
        ),
        (
            lambda: Labelled(np.ones((2, 2, 2))),
            "table must be what samples.count returns, got ndarray",
        ),
        (lambda: Labelled(table(*GOOD)), "table must count 3 variables"),
        (
            lambda: Unimodal(table(*GOOD), None, table(*GOOD)),
            "second must be what samples.count returns, got NoneType",
        ),
    ],
)
def test_bad_input_is_named(evidence, message):
    with pytest.raises(InputError, match=message):
        quantify(evidence(), **FEW)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicates": 0}, "replicates must be at least 2, got 0"),
        ({"replicates": 1000.0}, "replicates must be an integer, got 1000.0"),
        ({"permutations": -1}, "permutations must be at least 0, got -1"),
        ({"permutations": None}, "permutations must be an integer, got None"),
        ({"interval_replicates": 1}, "interval_replicates must be at least 2"),
        ({"level": 95}, "level must be between 0 and 1, got 95"),
        ({"level": math.nan}, "level must be between 0 and 1, got nan"),
        ({"level": "high"}, "level must be a number, got 'high'"),
        ({"seed": None}, "seed must be an integer, got None"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"seed": "a"}, "seed must be an integer, got 'a'"),
        ({"effort": "slow"}, "effort must be one of bounds, fast, exact, got"),
        ({"memory_limit": 0}, "memory_limit must be at least 1, got 0"),
    ],
)
def test_bad_options_are_named(options, message):
    evidence = Labelled(samples.count([*GOOD, GOOD[0]], (2, 2, 2)))
    with pytest.raises(InputError, match=message):
        quantify(evidence, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: convergence(t.counts), "table must be what"),
        (lambda t: convergence(samples.marginal(t, (0,))), "count 3 variables"),
        (lambda t: convergence(t, ()), "fractions is empty"),
        (lambda t: convergence(t, (0.5, 2)), "fraction must be at most 1"),
        (lambda t: convergence(t, (0.5, -1)), "fraction must be positive"),
        (lambda t: convergence(t, repeats=0), "repeats must be at least 1"),
        (lambda t: convergence(t, seed=-1), "seed must be at least 0"),
        (lambda t: enough(t, t.counts), r"tables\[1\] must be what"),
        (lambda t: verdicts(t), "must be Labelled or Unimodal, got Samples"),
        (lambda t: verdicts(Labelled(None)), "table must be what .*NoneType"),
        (lambda t: consistent_marginals([1], [1], [1]), "p12 must have 2 axes"),
        (
            lambda t: consistent_marginals(*[np.ones((2, 2, 2))] * 2,
                                           np.ones((2, 3, 2))),
            "alphabets differ",
        ),
        (
            lambda t: consistent_marginals(*[np.ones((2, 2, 2))] * 2,
                                           np.ones((3, 2, 2))),
            "alphabets differ",
        ),
        (
            lambda t: consistent_marginals(*[np.ones((2, 2, 2))] * 2,
                                           np.zeros((2, 2, 2))),
            r"p2y\[0\] has no samples",
        ),
        (
            lambda t: consistent_marginals(*[np.ones((2, 2, 2))] * 2,
                                           -np.ones((2, 2, 2))),
            r"p2y\[0, 0, 0\] is -1",
        ),
    ],
)  # fmt: skip
def test_other_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call(samples.count([*GOOD, GOOD[0]], (2, 2, 2)))
