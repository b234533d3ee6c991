import itertools

import numpy as np
import pytest

from arm_jax import shapley


def by_orders(value, players):
    """The definition: the mean over all orders of arrival."""
    phi = np.zeros(players)
    orders = list(itertools.permutations(range(players)))
    for order in orders:
        here = 0
        for player in order:
            phi[player] += value[here | 1 << player] - value[here]
            here |= 1 << player
    return phi / len(orders)


def test_two_players_by_hand():
    np.testing.assert_array_equal(
        shapley.coalitions(2), [[0, 0], [1, 0], [0, 1], [1, 1]]
    )
    # phi_1 = (v(1) - v(0) + v(12) - v(2)) / 2.
    np.testing.assert_allclose(
        2 * shapley.weights(2), [[-1, 1, -1, 1], [-1, -1, 1, 1]]
    )


@pytest.mark.parametrize("players", [1, 2, 3, 5])
def test_is_the_mean_over_orders(rng, players):
    value = rng.normal(size=2**players)
    found = shapley.weights(players) @ value
    np.testing.assert_allclose(found, by_orders(value, players), atol=1e-12)
    np.testing.assert_allclose(found.sum(), value[-1] - value[0])
