import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bounds import problems
from bounds.estimation import discriminant


@pytest.fixture
def samples():
    return problems.named("mixed16").sample(600, 0)


def test_agrees_with_scikit_learn(samples):
    # On unscaled features: scikit-learn standardises them before it shrinks.
    x = samples.x1 / samples.x1.std(0)
    label = samples.labels
    centred = x - np.array([x[label == y].mean(0) for y in range(16)])[label]
    x /= centred.std(0)
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(
        x, label
    )
    p = discriminant.posteriors(x, label, x, classes=16)
    # It shrinks each class for itself, which is another amount.
    assert np.abs(p - reference.predict_proba(x)).max() < 0.03
    assert (p.argmax(1) == reference.predict(x)).mean() > 0.99


def test_finds_the_posteriors_of_normal_classes():
    problem = problems.named("correlated4")
    fitted, fresh = problem.sample(20_000, 1), problem.sample(500, 2)
    x, new = (np.concatenate([s.x1, s.x2], 1) for s in (fitted, fresh))
    p = discriminant.posteriors(x, fitted.labels, new, classes=4)
    assert np.abs(p - fresh.posterior12).mean() < 0.002


def test_weights_are_multiplicities(samples, monkeypatch):
    # The amount of shrinkage takes copies for samples.
    monkeypatch.setattr(
        discriminant, "ledoit_wolf_shrinkage", lambda *a, **b: 0.1
    )
    x, label = samples.x1, samples.labels
    often = np.random.default_rng(0).integers(1, 4, len(label))
    rows = np.repeat(np.arange(len(label)), often)
    weighted, repeated = (
        discriminant.posteriors(x[r], label[r], x, classes=16, weights=w)
        for r, w in ((slice(None), 5.0 * often), (rows, None))
    )
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


def test_few_samples_of_many_features_and_absent_classes(rng):
    x = rng.normal(size=(12, 40))
    label = np.arange(12) % 3 * 2
    p = discriminant.posteriors(x, label, x, classes=6)
    np.testing.assert_allclose(p.sum(1), 1)
    assert not p[:, [1, 3, 5]].any()
    # Every class is a point.
    p = discriminant.posteriors(
        np.eye(3)[label // 2], label, np.eye(3), classes=6
    )
    assert (p.argmax(1) == [0, 2, 4]).all()
