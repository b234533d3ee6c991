import numpy as np
import pytest

import bounds
from tests.bounds import synergy_helpers as helpers

EQUAL = np.array([[0.5, 0], [0, 0.5]])
OPPOSITE = EQUAL[::-1]


def test_consistent_input_is_not_moved(rng):
    p = helpers.random_tables(rng, (2, 2, 2), 6, 0.3).reshape(2, 3, 2, 2, 2)
    out = bounds.marginals.consistent(*helpers.marginals(p))
    assert out.lead == (2, 3)
    assert not out.distance.any()
    np.testing.assert_allclose(out.p1y.reshape(2, 3, 2, 2), p.sum(-2))


def test_pair_that_disagrees_is_named():
    p2y = np.array([[0.5, 0.1], [0, 0.4]])
    message = r"p12 and p2y disagree about p\(x2\) by 0\.1 in total"
    with pytest.raises(ValueError, match=message):
        bounds.marginals.consistent(EQUAL, EQUAL, p2y)
    message = r"p12 and p1y of table \[1\] disagree about p\(x1\) by 0\.1 in"
    with pytest.raises(ValueError, match=message):
        bounds.marginals.consistent(
            EQUAL, np.stack([EQUAL, [[0.6, 0], [0, 0.4]]]), EQUAL
        )


def test_pairs_agree_but_no_joint():
    message = "no common joint though each two agree.* distance 1;"
    for function in (bounds.maxent, bounds.synergy_interval):
        with pytest.raises(ValueError, match=message):
            function(EQUAL, EQUAL, OPPOSITE)


def test_projection_is_nearest_and_consistent(rng):
    p = helpers.random_tables(rng, (2, 2, 2), 1)[0]
    exact = helpers.marginals(p)
    # Counts of different samples, as they come in practice.
    noisy = [rng.multinomial(500, m.ravel()).reshape(2, 2) / 500 for m in exact]
    out = bounds.marginals.consistent(*noisy, project=True)
    moved = [
        abs(a[0] - b).sum() / 2 for a, b in zip(out.arrays, noisy, strict=True)
    ]
    assert out.distance[0] == pytest.approx(sum(moved))
    truth = [abs(a - b).sum() / 2 for a, b in zip(exact, noisy, strict=True)]
    assert 0 < out.distance[0] <= sum(truth)
    again = bounds.marginals.consistent(*(a[0] for a in out.arrays))
    assert not again.distance.any()
    interval = bounds.synergy_interval(*noisy, project=True)
    assert interval.distance == out.distance[0]
    assert 0 <= interval.lower <= interval.upper


def test_projection_where_only_the_triple_disagrees():
    out = bounds.marginals.consistent(EQUAL, EQUAL, OPPOSITE, project=True)
    assert out.distance[0] == pytest.approx(1)


def contradiction(size):
    """Marginals that have no joint, by about `size`."""
    # A pair of symbols that no label allows.
    p12 = EQUAL * (1 - 2 * size)
    return p12 + size * EQUAL[::-1] * 2, EQUAL, EQUAL


def hidden_contradiction(size):
    """Likewise, but every pair has labels: three signs cannot all differ.

    Two of them differ in 0.9 of the cases, and at most in those in which either
    differs from the third, 0.2: the distance is 0.7 of `size`.
    """
    alike = np.array([[0.45, 0.05], [0.05, 0.45]])
    fitting = np.random.default_rng(0).dirichlet(np.ones(8)).reshape(2, 2, 2)
    out = np.zeros((3, 4, 4))
    for m, a, b in zip(
        out,
        helpers.marginals(fitting),
        (alike, alike, alike[::-1]),
        strict=True,
    ):
        m[:2, :2], m[2:, 2:] = (1 - size) * a, size * b
    return out


@pytest.mark.parametrize(
    ("make", "size", "distance"),
    [
        (contradiction, 1e-7, 2e-7),
        (contradiction, 1e-12, 2e-12),
        (hidden_contradiction, 1e-9, 0.7e-9),
    ],
)
def test_small_contradictions_are_moved_and_told(make, size, distance):
    out = bounds.synergy_interval(*make(size), effort="bounds")
    assert out.distance == pytest.approx(distance, rel=1e-3)
    assert 0 <= out.lower <= out.upper
    assert out.gap < 1e-6
    for kind in out.by_bound.values():
        assert np.isfinite(list(kind.values())).all()


def test_bad_input():
    with pytest.raises(ValueError, match="p12 has 2 values of x2, p2y has 3"):
        bounds.marginals.consistent(EQUAL, EQUAL, np.full((3, 2), 1 / 6))
    with pytest.raises(ValueError, match="p1y sums to 2"):
        bounds.marginals.consistent(EQUAL, 2 * EQUAL, EQUAL)
    out = bounds.marginals.consistent(
        4 * EQUAL, 2 * EQUAL, EQUAL, normalize=True
    )
    np.testing.assert_allclose(out.p12[0], EQUAL)
