import numpy as np
import pytest

from bounds.estimation import classifiers as unimodal


@pytest.mark.parametrize(
    ("label", "can"),
    [
        (np.arange(40) % 4, True),
        # A tenth of the rows, two, cannot hold three classes.
        (np.arange(20) % 3, False),
        (np.r_[np.arange(39) % 2, 2], False),
        ([0, 0, 1, 1], False),
    ],
)
def test_networks_of_few_samples_do_not_stop_early(label, can):
    label = np.asarray(label)
    assert unimodal._can_stop_early(label) == can
    x = np.eye(4)[label % 4] + 0.01 * np.arange(len(label))[:, None]
    p = unimodal.posteriors(
        x, label, x, classes=5, strength=1.0, kind="network"
    )
    np.testing.assert_allclose(p.sum(1), 1)
    assert not p[:, label.max() + 1 :].any()


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
