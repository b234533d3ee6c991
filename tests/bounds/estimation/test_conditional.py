import numpy as np
import pytest

from arm_jax.reports.quantify import given_table
from bounds import several
from bounds.errors import InputError
from bounds.estimation import conditional, samples
from bounds.estimation._given import given_third
from bounds.estimation._sides import View
from bounds.estimation.conditional import permute_within, quantify_given
from bounds.estimation.options import ResamplingOptions, StudyOptions
from bounds.estimation.rows import divide
from tests.bounds.estimation import quantify_helpers as helpers

N = 2000


@pytest.fixture(scope="module")
def table():
    """y = a ^ c with noise, b knows nothing; given c, all is unique to a."""
    rng = np.random.default_rng(0)
    a, b, c = rng.integers(2, size=(3, N))
    y = a ^ c ^ (rng.random(N) < 0.1)
    return samples.count([a, b, c, y], (2, 2, 2, 2))


def entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def test_unique_information_given_the_rest(table, monkeypatch):
    monkeypatch.setattr(several, "pid", helpers.solved_jointly)
    found = quantify_given(table, replicates=40, permutations=40)
    truth = 1 - entropy(0.1)
    for name, value in (
        ("unique1", truth), ("unique2", 0), ("redundancy", 0), ("synergy", 0),
        ("total", truth), ("information1", truth), ("information2", 0),
    ):  # fmt: skip
        one = found.estimates[name]
        assert one.enough
        assert one.lower <= value <= one.upper + 1e-3, name
    assert found.estimates["unique1"].p_value < 0.05
    assert found.estimates["information2"].p_value > 0.05
    narrow = quantify_given(table, replicates=40, permutations=0, level=0.5)
    narrow, one = narrow.estimates["unique1"], found.estimates["unique1"]
    assert narrow.upper - narrow.lower < 0.8 * (one.upper - one.lower)
    assert found.size == N
    assert found.gap == pytest.approx(1e-7)


def test_too_few_samples_are_said_and_nothing_is_solved(monkeypatch):
    monkeypatch.setattr(several, "pid", helpers.never)
    x = np.arange(20) % 2
    table = samples.count([x, x, x, x], (2, 2, 2, 2))
    found = quantify_given(table)
    assert not any(one.enough for one in found.estimates.values())
    assert found.estimates["synergy"].needed == 80
    assert found.estimates["redundancy"].needed == 40


@pytest.mark.parametrize("kind", ["plain", "units", "weights"])
def test_the_null_keeps_what_is_given(kind):
    rng = np.random.default_rng(1)
    x, c = rng.integers(3, size=300), rng.integers(2, size=300)
    y = c ^ (x == 1) ^ (rng.random(300) < 0.2)
    given = {
        "plain": {},
        "units": {"units": np.arange(300) // 3},
        "weights": {"weights": rng.random(300)},
    }[kind]
    table = samples.count([x, x, c, y], (3, 3, 2, 2), **given)
    drawn = permute_within(table, 200, rng)
    assert drawn.dtype == table.counts.dtype
    np.testing.assert_allclose(drawn.sum(4), [table.counts.sum(3)] * 200)
    kept = drawn.sum((1, 2))
    # Units that change place may be of unequal size.
    if kind != "plain":
        kept = kept.mean(0, keepdims=True)
    tolerance = 1e-9 if kind == "plain" else 0.02
    np.testing.assert_allclose(
        kept, np.broadcast_to(table.counts.sum((0, 1)), kept.shape),
        atol=300 * tolerance,
    )  # fmt: skip
    # And nothing of what the pair knows.
    mean = drawn.mean(0)
    alone = mean.sum(3, keepdims=True) * mean.sum((0, 1))
    alone /= mean.sum((0, 1, 3))[:, None]
    np.testing.assert_allclose(mean, alone, atol=3)


def test_the_null_moves_whole_units():
    # Units of ten samples with one label and one value of x3 each.
    unit = np.repeat(np.arange(40), 10)
    label, c = unit % 2, unit // 20
    table = samples.count([label, label, c, label], (2, 2, 2, 2), units=unit)
    drawn = permute_within(table, 30, np.random.default_rng(2))
    assert (drawn % 10 == 0).all()
    assert (drawn != table.counts).any()


def test_bad_input_is_named(table):
    with pytest.raises(InputError, match="table must count 4 variables"):
        quantify_given(samples.marginal(table, (0,)))
    with pytest.raises(InputError, match="replicates must be at least 2"):
        conditional.quantify_given(table, replicates=1)


def test_every_pair_given_each_third(monkeypatch):
    monkeypatch.setattr(several, "pid", helpers.solved_jointly)
    rng = np.random.default_rng(4)
    a, b, c = rng.integers(2, size=(3, 400))
    label = a ^ c
    inputs = {"a": a[:, None], "b": b[:, None], "c": c[:, None]}
    inputs = {name: x.astype(float) for name, x in inputs.items()}
    few = ResamplingOptions(replicates=10, permutations=5)
    options = StudyOptions(folds=2, resampling=few)
    rows = divide(inputs, label, options)
    views = {(name,): View(rows, (name,), options) for name in inputs}
    found = given_third(views, rows, options)
    assert list(found) == ["a & b | c", "a & c | b", "b & c | a"]
    one = found["a & b | c"]
    assert one["estimates"]["unique1"]["value"] == pytest.approx(1, abs=0.02)
    assert one["symbols"] == [2, 2, 2]
    assert found["a & c | b"]["estimates"]["synergy"]["value"] > 0.98
    header, cells = given_table({"given": found})
    assert cells[0][:3] == ["a & b", "c", "2"]
    assert cells[0][header.index("U1")].startswith("1.0")
    # One that cannot be counted is said, and the others stay.
    monkeypatch.setattr(views[("c",)], "_values", None)
    monkeypatch.setattr(views[("c",)], "_symbols", {})
    monkeypatch.setattr(views[("c",)], "posteriors", np.full((400, 2), 0.5))
    failed = given_third(views, rows, options)["a & b | c"]
    assert "modality 'c' has one symbol" in failed["failed"]
    assert "one symbol" in given_table({"given": {"x": failed}})[1][0][-1]
