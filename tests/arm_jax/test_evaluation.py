import numpy as np
from sklearn import metrics

from arm_jax import probing
from arm_jax.analysis import scores
from arm_jax.evaluation import Predictions, summarize
from arm_jax.valuation import Subsets


def test_summary_by_hand():
    full = np.log([[0.5, 0.5 - 1e-9], [0.25, 0.75]])
    alone = np.log([[[0.9, 0.1], [0.4, 0.6]], [[0.8, 0.2], [0.3, 0.7]]])
    alone = alone.swapaxes(0, 1)
    without = alone[::-1]
    predictions = Predictions(
        Subsets(full, alone, without), np.array([0, 1]), np.array([0, 1])
    )
    scores = summarize(predictions, ("a", "b"), np.log([0.5, 0.5]))
    assert scores["accuracy"] == 1.0
    assert scores["accuracy_a"] == 0.5
    assert scores["accuracy_b"] == 0.5
    np.testing.assert_allclose(
        scores["loss"], -(np.log(0.5) + np.log(0.75)) / 2
    )
    np.testing.assert_allclose(
        scores["phi_mi"], (np.log2(0.5 / 0.5) + np.log2(0.75 / 0.5)) / 2
    )
    # Without a there is b: 0.4 and 0.7 on the true classes.
    np.testing.assert_allclose(
        scores["phi_cmi_a"], (np.log2(0.5 / 0.4) + np.log2(0.75 / 0.7)) / 2
    )
    np.testing.assert_allclose(
        scores["phi_cmi_b"], (np.log2(0.5 / 0.9) + np.log2(0.75 / 0.2)) / 2
    )


def test_auroc_is_scikit_learns():
    rng = np.random.default_rng(0)
    for classes in (2, 4):
        label = rng.integers(classes, size=150)
        # With ties, and a class that nobody predicts.
        p = np.round(rng.dirichlet(np.ones(classes), 150), 1) + 0.01
        p[:, -1] /= 50
        p /= p.sum(axis=1, keepdims=True)
        given = p[:, 1] if classes == 2 else p
        expected = metrics.roc_auc_score(label, given, multi_class="ovr")
        np.testing.assert_allclose(scores.auroc(p, label), expected)


def test_scores_of_subsets_by_hand():
    # Of nothing, a, b, both; one example has no b.
    right, wrong = [2.0, 0.0], [0.0, 2.0]
    logits = np.array(
        [
            [right, right, wrong, right],
            [right, wrong, right, right],
            [wrong, right, wrong, wrong],
            [right, right, right, wrong],
        ]
    )
    noisy = np.array([[[1, 0]], [[1, 0]], [[0, 0]], [[1, 1]]])
    present = np.array([[1, 1], [1, 1], [1, 0], [1, 1]], np.float32)
    label = np.zeros(4, int)
    probe = probing.Probe(logits, noisy)
    found = scores.of_run(probe, label, ("a", "b"), ["b"], present)
    assert found["subsets"] == {"a": 3 / 4, "b": 2 / 3, "a+b": 2 / 3}
    assert found["noise"] == {"b": [0.75, 0.25]}
    assert found["patterns"] == {
        "a+b": {"examples": 3, "accuracy": 2 / 3},
        "a": {"examples": 1, "accuracy": 0.0},
    }
    # Each is as sure as the other, 0.88, and all but one in four are right.
    p = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(found["scores"]["a"]["ece"], p - 0.75)
    # Everybody is of one class.
    assert np.isnan(found["scores"]["fused"]["auroc"])
    assert scores.contribution_gap({"phi_cmi_a": 1.0, "phi_cmi_b": 3.0}) == 2
