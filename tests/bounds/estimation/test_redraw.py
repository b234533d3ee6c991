import numpy as np
import pytest

from bounds.estimation import samples
from bounds.estimation._redraw import random_tables
from bounds.estimation.conditional import permute_within


@pytest.mark.parametrize(
    "table",
    [
        [[239], [261]],
        [[239, 261]],
        [[500]],
        [[0, 0, 0], [90, 0, 70]],
        [[0, 40], [0, 0], [0, 60]],
        [[0, 0], [0, 0]],
    ],
)
def test_a_single_row_or_column_is_the_only_table(table, rng):
    table = np.array(table)
    drawn = random_tables(table, 3, rng)
    np.testing.assert_array_equal(drawn, [table] * 3)


def test_random_tables_have_the_margins(rng):
    table = np.array([[300, 0, 20], [0, 0, 0], [10, 0, 200]])
    drawn = random_tables(table, 400, rng)
    np.testing.assert_array_equal(drawn.sum(2), [table.sum(1)] * 400)
    np.testing.assert_array_equal(drawn.sum(1), [table.sum(0)] * 400)
    expected = np.outer(table.sum(1), table.sum(0)) / table.sum()
    np.testing.assert_allclose(drawn.mean(0), expected, atol=2)


def test_a_label_that_is_known_given_the_third_stays(rng):
    # y = x1 & x3 is 0 where x3 is.
    x1, x2, x3 = rng.integers(2, size=(3, 1000))
    table = samples.count([x1, x2, x3, x1 & x3], (2, 2, 2, 2))
    drawn = permute_within(table, 20, rng)
    assert (drawn >= 0).all()
    np.testing.assert_array_equal(drawn.sum(4), [table.counts.sum(3)] * 20)
    np.testing.assert_array_equal(
        drawn[:, :, :, 0], [table.counts[:, :, 0]] * 20
    )


def test_blocks_of_equal_samples_are_left_out(rng):
    table = samples.count([np.ones(500, int)], (2,))
    left = samples.leave_out(table, 4, rng)
    assert left.counts.tolist() == [[0, 375]] * 4


@pytest.mark.parametrize("weighted", [False, True])
def test_a_mixed_unit_leaves_the_others_whole(weighted):
    unit = np.repeat(np.arange(40), 10)
    x, y = unit % 2, unit // 2 % 2
    y[0] = 1
    weights = np.full(400, 2) if weighted else None
    table = samples.count([x, y], (2, 2), units=unit, weights=weights)
    drawn = samples.permute_last(table, 200, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.sum(2), [[200, 200]] * 200)
    # As of 39 units: of samples the deviation would be 5.
    assert 13 < drawn[:, 0, 0].std() < (25 if weighted else 18)
    if not weighted:
        # Nine samples and one of the mixed unit, all of one symbol.
        np.testing.assert_array_equal(drawn.sum(1), [[199, 201]] * 200)
        assert (drawn[:, 1] % 10 == 0).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_samples_of_mixed_units_change_place_among_each_other(weighted):
    # Label and symbol of whole units are 0; of mixed ones anything.
    unit = np.repeat(np.arange(40), 10)
    mixed = unit >= 20
    x, y = mixed * (1 + unit % 2), mixed * (1 + np.arange(400) % 2)
    weights = np.full(400, 2) if weighted else None
    table = samples.count([x, y], (3, 3), units=unit, weights=weights)
    drawn = samples.permute_last(table, 50, np.random.default_rng(0))
    if weighted:
        assert drawn.sum(1).mean(0) == pytest.approx([200, 100, 100], rel=0.1)
    else:
        assert (drawn[:, 0] == [200, 0, 0]).all()
        assert (drawn[:, 1:, 1:] % 10 != 0).any()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_units_in_batches_change_place_by_themselves(
    given, weighted, monkeypatch
):
    monkeypatch.setattr(samples, "_MOST_UNITS", 10)
    unit = np.repeat(np.arange(60), 5)
    x, y, zero = unit % 2, unit // 2 % 2, unit * 0
    weights = np.full(300, 2) if weighted else None
    variables, shape = (
        ([x, zero, zero, y], (2, 1, 2, 2)) if given else ([x, y], (2, 2))
    )
    table = samples.count(variables, shape, units=unit, weights=weights)
    assert (table.units, table.unjoined.shape[0]) == (10, 60)
    rng = np.random.default_rng(0)
    draw = permute_within if given else samples.permute_last
    drawn = draw(table, 200, rng)
    if given:
        drawn = drawn[:, :, 0, 0]
    np.testing.assert_allclose(drawn, 5 * np.rint(drawn / 5))
    # As of 60 units: 5 sqrt(60 / 16); of weighted ones each by itself.
    expected = 5 * np.sqrt(30 / 4 if weighted else 60 / 16)
    assert drawn[:, 0, 0].std() == pytest.approx(expected, rel=0.2)


def test_a_weighted_unit_of_one_label_draws_one(rng):
    # Units of both symbols, of which one has both labels.
    unit = np.repeat(np.arange(40), 10)
    x, y = np.arange(400) % 2, unit % 2
    y[0] = 1
    table = samples.count([x, y], (2, 2), units=unit, weights=np.full(400, 2))
    drawn = samples.permute_last(table, 50, rng)
    assert np.abs(drawn[:, 0] - drawn[:, 1]).max() < 5 + 1e-9
