"""A part of rows with several labels each that has its share of every label.

Sechidis, Tsoumakas and Vlahavas, On the stratification of multi-label data,
ECML PKDD 2011: labels are dealt out from the rarest on, each unit to the side
that still wants most of the label.
"""

import numpy as np


def drawn(
    labels: np.ndarray,
    units: np.ndarray,
    share: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws a part of the units, whole ones.

    Args:
      labels: table of 0 and 1, `[n, labels]`.
      units: rows that go together have one code, `[n]`.
      share: of the rows, between 0 and 1.
      rng: decides between what is as good.

    Returns:
      Whether each row is in the part, bool `[n]`; neither all of them nor none
      if there are two units.
    """
    codes = np.unique(units, return_inverse=True)[1].reshape(-1)
    number = int(codes.max()) + 1
    # The last column counts rows: every unit has some.
    counts = np.zeros((number, labels.shape[1] + 1))
    np.add.at(counts, codes, np.column_stack([labels, np.ones(len(labels))]))
    wanted = np.outer([1 - share, share], counts.sum(0))
    side = np.full(number, -1)
    order = rng.permutation(number)
    while (left := order[side[order] < 0]).size:
        remaining = counts[left].sum(0)
        label = int(np.where(remaining > 0, remaining, np.inf).argmin())
        for unit in left[counts[left, label] > 0]:
            # Who wants most of the label; of several, most rows.
            want = [tuple(w[[label, -1]]) for w in wanted]
            side[unit] = int(want[1] > want[0])
            wanted[side[unit]] -= counts[unit]
    if number > 1 and len(set(side)) == 1:
        side[order[0]] = 1 - side[order[0]]
    return side[codes] == 1
