import itertools

import numpy as np
import pytest
import scipy.stats

from bounds.errors import InputError
from bounds.estimation import discovery, screening
from bounds.estimation.screening import screen
from tests.bounds.estimation import quantify_helpers as helpers


@pytest.mark.parametrize("method", discovery.METHODS)
@pytest.mark.parametrize("shape", [(1,), (7,), (40,), (5, 8)])
def test_adjusted_p_values_are_scipys(method, shape, rng):
    p = rng.random(shape) ** 3
    p.ravel()[::3] = p.ravel()[0]  # ties
    expected = scipy.stats.false_discovery_control(
        p, axis=None, method=method
    ).reshape(shape)
    np.testing.assert_allclose(discovery.adjusted(p, method), expected)


def test_benjamini_and_hochbergs_own_example():
    # Their section 3.2: 4 of 15 at 0.05, where Bonferroni has 3.
    p = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
    ]  # fmt: skip
    assert (discovery.adjusted(p, "bh") <= 0.05).sum() == 4
    assert (discovery.adjusted(p, "by") <= 0.05).sum() == 3


@pytest.mark.parametrize(
    ("p", "message"),
    [
        ([0.5, 1.5], r"p_values\[1\] is 1.5, outside 0 to 1"),
        ([[0.5], [-0.1]], r"p_values\[1, 0\] is -0.1"),
        ([np.nan], r"p_values\[0\] is nan"),
        ([], "p_values is empty"),
    ],
)
def test_bad_p_values_are_named(p, message):
    with pytest.raises(InputError, match=message):
        discovery.adjusted(p)


TABLE = np.random.default_rng(0).integers(0, 9, size=(2, 3, 4))


@pytest.mark.parametrize(
    ("which", "within"),
    [(0, False), (1, False), (-1, False), (0, True), (1, True)],
)
def test_what_a_permutation_keeps(which, within, rng):
    drawn = screening._permuted(TABLE, which, within, 50, rng)
    assert drawn.shape == (50, *TABLE.shape)
    axis = which % 3
    # The law of the other two, and that of what is permuted.
    kept = [(axis,), tuple(a for a in range(3) if a != axis)]
    if within:
        # And its joint law with the other modality.
        kept.append((2,))
    for axes in kept:
        moved = tuple(a + 1 for a in axes)
        expected = np.broadcast_to(
            TABLE.sum(axes), (50, *TABLE.sum(axes).shape)
        )
        np.testing.assert_array_equal(drawn.sum(moved), expected)
    assert (drawn != TABLE).any()


@pytest.fixture(scope="module")
def modalities():
    """c = a ^ b of two coins, a copy of the label, and two that are mute."""
    rng = np.random.default_rng(2)
    a, b, mute, three = (rng.integers(k, size=600) for k in (2, 2, 2, 3))
    label = a ^ b ^ (rng.random(600) < 0.1)
    copy = label ^ (rng.random(600) < 0.2)
    return {"a": a, "b": b, "copy": copy, "mute": mute, "three": three}, label


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("synergy", {("a", "b")}),
        ("redundancy", set()),
        ("total", {("a", "b"), *itertools.product("ab", ["copy"]),
                   ("copy", "mute"), ("copy", "three")}),
    ],
)  # fmt: skip
def test_what_is_found(modalities, quantity, expected, monkeypatch):
    # Exact where at most one of a pair tells anything by itself.
    monkeypatch.setattr(
        screening, "pid", lambda p, **_: helpers.solved_jointly(p)
    )
    symbols, label = modalities
    found = screen(symbols, label, quantity=quantity, permutations=1000)
    names = found.names
    pairs = {
        (names[i], names[j])
        for i, j in zip(
            found.first[found.found], found.second[found.found], strict=True
        )
    }
    assert pairs == expected
    # Work goes where it matters: most pairs end after some tens of draws.
    if quantity == "synergy":
        assert np.median(found.permutations) < 300
        assert found.permutations.max() <= 2000
        # Of each of both: until ten have reached the value.
        assert found.permutations.min() >= 2 * 10
    square = found.square(found.value)
    np.testing.assert_array_equal(square, square.T)
    assert np.isnan(np.diag(square)).all()


def test_the_larger_p_value_counts(modalities, monkeypatch):
    monkeypatch.setattr(
        screening, "pid", lambda p, **_: helpers.solved_jointly(p)
    )
    symbols, label = modalities
    many = len(symbols) * (len(symbols) - 1) // 2
    answers = iter([0.3, 0.01])

    def tested(tables, *args):
        p = np.full(many, next(answers))
        return screening._Tested(p, p, np.full(many, 7))

    monkeypatch.setattr(screening, "_tested", tested)
    found = screen(symbols, label, quantity="redundancy")
    np.testing.assert_array_equal(found.p_value, 0.3)


def test_p_values_of_nothing_are_even(monkeypatch):
    monkeypatch.setattr(
        screening, "pid", lambda p, **_: helpers.solved_jointly(p)
    )
    rng = np.random.default_rng(3)
    symbols = {str(i): rng.integers(3, size=200) for i in range(16)}
    found = screen(
        symbols, rng.integers(2, size=200), quantity="total", permutations=199
    )
    assert not found.found.any()
    # 120 pairs; not independent, so a wide margin.
    assert 0.2 < np.mean(found.p_value <= 0.5) < 0.8
    assert found.p_value.min() >= 1 / 200
    # All that there is, is what sampling gives.
    assert found.null.mean() == pytest.approx(found.plug_in.mean(), rel=0.1)
    np.testing.assert_array_equal(
        found.value, np.maximum(found.plug_in - found.null, 0)
    )


GOOD = {"a": [0, 1] * 5, "b": [0, 0, 1, 1, 0] * 2}
LABEL = [0, 1, 1, 0, 1] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbols": {"a": [0, 1] * 5}}, "two modalities or more, got 1"),
        ({"symbols": [[0, 1] * 5] * 2}, "symbols must map names to vectors"),
        ({"symbols": GOOD | {"c": [1] * 10}}, "'c' has one value"),
        ({"symbols": GOOD | {"c": [0.5] * 10}}, "c must be integers"),
        ({"symbols": GOOD | {"c": [0, 1]}}, "paired vectors"),
        ({"label": [1] * 10}, "'label' has one value"),
        ({"quantity": "unique"}, "quantity must be one of"),
        (
            {"quantity": "unique1"},
            "quantity must not be 'unique1': .* screen redundancy, synergy, to",
        ),
        ({"quantity": "unique2"}, "quantity must not be 'unique2'"),
        ({"method": "bonferroni"}, "method must be one of"),
        ({"level": 0}, "level must be"),
        ({"permutations": -1}, "permutations must be at least 0"),
    ],
)
def test_bad_input_is_named(change, message):
    options = {"symbols": GOOD, "label": LABEL} | change
    with pytest.raises(InputError, match=message):
        screen(options.pop("symbols"), options.pop("label"), **options)


@pytest.mark.parametrize(("method", "most"), [("bh", 0.25), ("by", 0.1)])
def test_the_share_of_false_discoveries(method, most, monkeypatch):
    monkeypatch.setattr(
        screening, "pid", lambda p, **_: helpers.solved_jointly(p)
    )
    false = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = {str(i): rng.integers(3, size=150) for i in range(8)}
        label = (x["0"] == x["1"]) ^ (rng.random(150) < 0.2)
        found = screen(x, label, quantity="total", method=method, level=0.2)
        true = (found.first == 0) & (found.second == 1)
        assert found.found[true].all()
        false.append((found.found & ~true).sum() / found.found.sum())
    assert np.mean(false) <= most
