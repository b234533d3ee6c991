import numpy as np
import pytest

from bounds import samples


def symbols(rng, n=400):
    return [rng.integers(k, size=n) for k in (2, 3, 2)]


def test_count_and_marginals(rng):
    x1, x2, y = symbols(rng)
    units = rng.integers(40, size=400)
    table = samples.count([x1, x2, y], (2, 3, 2), units=units)
    assert table.counts[1, 2, 0] == np.sum((x1 == 1) & (x2 == 2) & (y == 0))
    assert (table.size, table.units) == (400, 40)
    pair = samples.marginal(table, (1,))
    direct = samples.count([x1, y], (2, 2), units=units)
    np.testing.assert_array_equal(pair.counts, direct.counts)
    np.testing.assert_array_equal(
        pair.by_unit.toarray(), direct.by_unit.toarray()
    )


def test_bootstrap_has_the_multinomial_moments(rng):
    table = samples.count([np.repeat([0, 1], [30, 70])], (2,))
    drawn = samples.bootstrap(table, 4000, rng)
    assert (drawn.sum(1) == 100).all()
    np.testing.assert_allclose(drawn.mean(0), [30, 70], atol=0.5)
    np.testing.assert_allclose(drawn[:, 0].var(), 100 * 0.3 * 0.7, rtol=0.1)


def test_bootstrap_of_units_keeps_units_whole(rng):
    # Each unit is 10 equal samples, so counts are multiples of 10.
    units = np.repeat(np.arange(20), 10)
    table = samples.count([units % 2], (2,), units=units)
    drawn = samples.bootstrap(table, 3000, rng)
    assert (drawn % 10 == 0).all()
    np.testing.assert_allclose(drawn[:, 0].var(), 100 * 20 * 0.25, rtol=0.1)


def test_design_effect_of_copies_is_their_number(rng):
    alone = rng.integers(3, size=300)
    assert samples.design_effect(samples.count([alone], (3,))) == 1
    units = np.repeat(np.arange(300), 7)
    copied = samples.count([np.repeat(alone, 7)], (3,), units=units)
    np.testing.assert_allclose(samples.design_effect(copied), 7, rtol=0.01)
    assert round(samples.effective_size(copied)) == pytest.approx(300, abs=2)


@pytest.mark.parametrize("grouped", [False, True])
def test_left_out_blocks_are_a_partition(rng, grouped):
    arrays = symbols(rng)
    units = rng.integers(30, size=400) if grouped else None
    table = samples.count(arrays, (2, 3, 2), units=units)
    left = samples.leave_out(table, 7, rng)
    assert len(left.counts) == 7
    out = table.counts - left.counts
    assert (out >= 0).all()
    np.testing.assert_array_equal(out.sum(0), table.counts)
    np.testing.assert_allclose(left.kept, left.counts.sum((1, 2, 3)) / 400)


def test_permutation_keeps_margins_and_nothing_else(rng):
    y = np.repeat([0, 1], 200)
    table = samples.count([y, y], (2, 2))
    drawn = samples.permute_last(table, 200, rng)
    np.testing.assert_array_equal(drawn.sum(1), [[200, 200]] * 200)
    np.testing.assert_array_equal(drawn.sum(2), [[200, 200]] * 200)
    assert abs(drawn[:, 0, 0].mean() - 100) < 3


def test_permutation_moves_labels_of_whole_units(rng):
    units = np.repeat(np.arange(20), 10)
    y = units % 2
    table = samples.count([y, y], (2, 2), units=units)
    drawn = samples.permute_last(table, 50, rng)
    assert (drawn % 10 == 0).all()
    np.testing.assert_array_equal(drawn.sum(2), [[100, 100]] * 50)


@pytest.mark.parametrize("grouped", [False, True])
def test_subsample_is_a_part(rng, grouped):
    arrays = symbols(rng)
    units = np.arange(400) // 10 if grouped else None
    table = samples.count(arrays, (2, 3, 2), units=units)
    part = samples.subsample(table, 0.5, rng)
    assert part.size == 200
    assert (part.counts <= table.counts).all()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([0, 1], [0]), "x: 2, y: 1"),
        (([], []), "x has no samples"),
        (([0, 2], [0, 1]), r"x\[1\] is 2, outside 0..1"),
        (([0, 1], [0, -1]), r"y\[1\] is -1, outside 0..1"),
        (([0.0, 1.0], [0, 1]), "x must be integers"),
    ],
)
def test_bad_input_is_named(arrays, message):
    with pytest.raises(ValueError, match=message):
        samples.count(arrays, (2, 2), names=["x", "y"])


def test_units_must_match():
    with pytest.raises(ValueError, match="units has shape"):
        samples.count([np.array([0, 1])], (2,), units=np.array([0]))
