import numpy as np
import pytest
from sklearn import metrics

from arm_jax import multilabel
from arm_jax.analysis import scores
from arm_jax.evaluation import Predictions, summarize
from arm_jax.probing import Probe
from arm_jax.valuation import Subsets


@pytest.fixture
def tables(rng):
    """Scores with ties and labels; one is never there, one never predicted."""
    label = (rng.random((80, 5)) < (0.5, 0.3, 0.1, 0.0, 0.6)).astype(int)
    p = np.round(0.3 * label + 0.7 * rng.random((80, 5)), 1)
    p[:, 2] *= 0.4
    return p, (p > 0.5).astype(int), label


def test_decisions_are_scored_as_by_scikit_learn(tables):
    _, predicted, label = tables
    assert not predicted[:, 2].any()
    assert not label[:, 3].any()
    for average, score in (
        ("macro", multilabel.macro_f1),
        ("micro", multilabel.micro_f1),
    ):
        expected = metrics.f1_score(
            label, predicted, average=average, zero_division=0
        )
        np.testing.assert_allclose(score(predicted, label), expected)
    assert multilabel.exact_match(predicted, label) == metrics.accuracy_score(
        label, predicted
    )


def test_average_precision_is_scikit_learns(tables):
    p, _, label = tables
    there = label.any(axis=0)
    expected = metrics.average_precision_score(
        label[:, there], p[:, there], average="macro"
    )
    np.testing.assert_allclose(multilabel.average_precision(p, label), expected)
    assert np.isnan(multilabel.average_precision(p[:, 3:4], label[:, 3:4]))


def of_labels(p):
    p = np.clip(p, 0.01, 0.99)
    return np.log(np.stack([1 - p, p], axis=-1))


def test_summary_by_hand():
    p = np.array([[0.9, 0.2], [0.7, 0.6]])
    alone = np.array([p, 1 - p])
    label = np.array([[1, 0], [0, 1]])
    found = summarize(
        Predictions(
            Subsets(*map(of_labels, (p, alone, alone[::-1]))),
            label,
            np.arange(2),
        ),
        ("a", "b"),
        of_labels(np.array([0.5, 0.5])),
    )
    bits = np.log2([0.9 * 0.8, 0.3 * 0.6])
    other = np.log2([0.1 * 0.2, 0.7 * 0.4])
    expected = {
        "accuracy": 3 / 4,
        "exact_match": 1 / 2,
        # Of the labels 2/3 and 1; of 2 right 1 s, 2 true ones and 3 predicted.
        "macro_f1": 5 / 6,
        "micro_f1": 4 / 5,
        "loss": -bits.mean() * np.log(2),
        "phi_mi": bits.mean() + 2,
        "accuracy_a": 3 / 4,
        "accuracy_b": 1 / 4,
        "phi_cmi_a": (bits - other).mean(),
        "phi_cmi_b": 0,
    }
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, atol=1e-9, err_msg=key)


def test_scores_of_subsets(tables):
    p, _, label = tables
    # On no edge of a bin of the calibration, where rounding would decide.
    p = 0.96 * p + 0.017
    logits = np.stack([of_labels(x) for x in (p * 0, 1 - p, p, p)], axis=1)
    found = scores.of_run(
        Probe(logits, np.ones((80, 0, 3))), label, ("a", "b"), ()
    )
    right = ((p > 0.5) == label).mean()
    wrong = ((1 - p > 0.5) == label).mean()
    nothing = (label == 0).mean()
    np.testing.assert_allclose(found["subsets"]["a+b"], right)
    np.testing.assert_allclose(found["subsets"]["a"], wrong)
    np.testing.assert_allclose(sum(found["shapley"].values()), right - nothing)
    fused = found["scores"]["fused"]
    varied = label.any(axis=0)
    np.testing.assert_allclose(
        fused["auroc"],
        metrics.roc_auc_score(
            label[:, varied], np.clip(p, 0.01, 0.99)[:, varied]
        ),
    )
    confidence = np.maximum(p, 1 - p).clip(max=0.99).ravel()
    np.testing.assert_allclose(
        fused["ece"],
        scores.calibration_error(confidence, ((p > 0.5) == label).ravel()),
    )
