"""Shapley values of games with few players, exactly, by all coalitions.

Shapley, A Value for n-Person Games, 1953. Here the players are modalities: a
game gives each subset of them a value, and the Shapley value shares v(all) -
v(none) out among them.
"""

import math

import numpy as np


def coalitions(players: int) -> np.ndarray:
    """All subsets as masks, `[2**players, players]` of 0 and 1.

    Row k has the players whose bit is set in k: the first row is nobody, the
    last everybody.
    """
    return np.arange(2**players)[:, None] >> np.arange(players) & 1


def weights(players: int) -> np.ndarray:
    """Returns `W`, `[players, 2**players]`: `W @ v` are the Shapley values.

    `v` has the value of each coalition, in the order of `coalitions`. A player
    gets the mean, over all orders in which the players may arrive, of what its
    arrival adds.
    """
    members = coalitions(players)
    size = members.sum(axis=1)
    orders = np.asarray(
        [
            # Of those before the player, times of those after it.
            math.factorial(k) * math.factorial(players - 1 - k)
            for k in range(players)
        ]
    )
    joining = orders[size - 1]
    # Everybody (the last row) can be joined by nobody.
    joined = orders[np.minimum(size, players - 1)]
    total = math.factorial(players)
    return np.where(members.T == 1, joining, -joined) / total
