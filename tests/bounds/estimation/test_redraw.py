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
