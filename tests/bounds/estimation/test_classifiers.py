import numpy as np
import pytest

from bounds.estimation import classifiers as unimodal


@pytest.mark.parametrize(
    "label", [np.arange(40) % 4, np.r_[np.arange(39) % 2, 2], [0, 0, 1, 1]]
)
def test_networks_of_few_samples(label):
    label = np.asarray(label)
    x = np.eye(4)[label % 4] + 0.01 * np.arange(len(label))[:, None]
    p = unimodal.posteriors(
        x, label, x, classes=5, strength=1.0, kind="network"
    )
    np.testing.assert_allclose(p.sum(1), 1)
    assert not p[:, label.max() + 1 :].any()


def test_networks_begin_where_their_seed_says(rng, monkeypatch):
    monkeypatch.setattr(unimodal, "_EPOCHS", 1)
    monkeypatch.setattr(unimodal, "_STEPS", 1)
    x, label = rng.normal(size=(8, 2)), np.arange(8) % 2
    one, again, other = (
        unimodal.posteriors(
            x, label, x, classes=2, strength=1.0, kind="network", seed=seed
        )
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other, atol=1e-6)


def test_networks_find_interactions_in_a_hundred_samples(rng):
    sign = rng.choice([-1, 1], (200, 2))
    x = sign + 0.1 * rng.normal(size=sign.shape)
    label = (sign[:, 0] != sign[:, 1]).astype(int)
    p = unimodal.posteriors(
        x[:100], label[:100], x[100:], classes=2, strength=1, kind="network"
    )
    # Not sure, by its penalty, which calibration mends; but right.
    np.testing.assert_array_equal(p.argmax(1), label[100:])


def test_accuracy_of_units(rng):
    p = np.eye(2)[[0, 0, 1, 1]]
    label = np.array([0, 0, 1, 0])
    found = unimodal.accuracy(p, label, np.array([0, 0, 1, 1]), replicates=200)
    assert found["accuracy"] == 0.75
    # A replicate is one unit twice, or both.
    assert (found["lower"], found["upper"]) == (0.5, 1)
    alone = unimodal.accuracy(p, label, None, replicates=200)
    assert 0.25 <= alone["lower"] < 0.5


def test_folds_keep_units_whole():
    units = np.arange(60) // 5
    label = np.arange(60) % 2
    for train, test in unimodal.folds_of(label, units, 3, 0):
        assert not set(units[train]) & set(units[test])
        assert len(train) + len(test) == 60
    tested = [t for _, t in unimodal.folds_of(label, None, 3, 0)]
    assert sorted(np.concatenate(tested)) == list(range(60))


def test_summary_forgets_the_phase():
    x = np.sin(np.arange(24))[None, :, None] * [1.0, 2.0]
    found = unimodal.summary(np.concatenate([x, x[:, ::-1]]))
    assert found.shape == (2, 10)
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[0, :2], x.mean((0, 1)))
    np.testing.assert_allclose(found[0, 4:6], np.abs(np.diff(x[0], axis=0))
                               .mean(0))  # fmt: skip
