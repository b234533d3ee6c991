import numpy as np
import pytest

import bounds
from bounds import synergy_lower
from tests.bounds import synergy_helpers as helpers


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(3)
    return np.concatenate(
        [helpers.random_tables(rng, (2, 2, 2), 80, a) for a in (1, 0.3, 0.05)]
    )


def test_order_and_validity(tables):
    m = helpers.marginals(tables)
    truth = bounds.pid(tables)
    chain = [
        f(*m)
        for f in (
            synergy_lower.disagreement,
            synergy_lower.bhattacharyya,
            synergy_lower.chernoff,
            synergy_lower.redundancy,
        )
    ]
    chain.append(truth.synergy + truth.gap)
    sure = truth.gap < 1e-8
    for low, high in zip(chain, chain[1:], strict=False):
        assert (low <= high + 1e-8)[sure].all()
    paper = synergy_lower.paper_disagreement(*m)
    assert (paper <= chain[0] + 1e-12).all()
    assert (chain[2] > 0).mean() > 0.5


def test_and_gate_is_known_exactly():
    p = np.zeros((2, 2, 2))
    p[[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]] = 0.25
    value = synergy_lower.redundancy(*helpers.marginals(p))
    assert value == pytest.approx(0.5, abs=1e-8)


def test_predictions_agree_with_tables(tables):
    p = tables[0]
    p12, p1y, p2y = helpers.marginals(p)
    pid = bounds.pid_from_marginals(p1y, p2y)
    a = np.repeat(p1y / p1y.sum(1, keepdims=True), 2, 0)
    b = np.tile(p2y / p2y.sum(1, keepdims=True), (2, 1))
    # As many pairs of each kind as their probability asks for.
    pairs = np.repeat(np.arange(4), np.round(1e4 * p12.ravel()).astype(int))
    out = synergy_lower.from_predictions(
        a[pairs], b[pairs], pid.unique1, pid.unique2
    )
    m = (p12, p1y, p2y)
    for name in ("chernoff", "bhattacharyya", "disagreement"):
        table = getattr(synergy_lower, name)(*m)
        assert getattr(out, name) == pytest.approx(table, abs=1e-3)
    assert out.paper == pytest.approx(
        synergy_lower.paper_disagreement(*m), abs=1e-3
    )


def test_best_weight(tables):
    p = tables[:16]
    p12, p1y, p2y = helpers.marginals(p)
    pid = bounds.pid_from_marginals(p1y, p2y)
    a = (p1y / p1y.sum(-1, keepdims=True))[:, :, None]
    b = (p2y / p2y.sum(-1, keepdims=True))[:, None]
    value = -np.inf
    for w in np.linspace(0.001, 0.999, 999):
        overlap = np.sum(a ** (1 - w) * b**w, -1)
        value = np.maximum(
            value,
            np.sum(-p12 * np.log2(overlap), (1, 2))
            - w * pid.unique1
            - (1 - w) * pid.unique2,
        )
    best = synergy_lower.chernoff(p12, p1y, p2y)
    # The grid leaves out the ends, where w may be best.
    assert (best >= value - 1e-7).all()
    np.testing.assert_allclose(best, value, atol=1e-4)


def test_bad_input(tables):
    with pytest.raises(ValueError, match="not a lower bound"):
        synergy_lower.paper_disagreement(*helpers.marginals(tables[0]), c=1)
    with pytest.raises(ValueError, match="must both have shape"):
        synergy_lower.from_predictions([[0.5, 0.5]], [[1.0]], 0, 0)
