import numpy as np

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
