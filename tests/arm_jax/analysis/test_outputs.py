import numpy as np
import pytest

from arm_jax import valuation
from arm_jax.analysis import outputs as analysis
from arm_jax.data.outputs import of_arrays
from arm_jax.reports import outputs as report
from arm_jax.studies.outputs import valuate_outputs

# Who is right, of a, b and both, and how often: 22 samples in all.
CASES = {
    (1, 1, 1): 7, (1, 0, 1): 4, (0, 1, 1): 3, (0, 0, 1): 2,
    (1, 1, 0): 1, (1, 0, 0): 3, (0, 1, 0): 1, (0, 0, 0): 1,
}  # fmt: skip


@pytest.fixture
def outputs():
    right = np.repeat(list(CASES), list(CASES.values()), axis=0)
    # The second class is the likelier one: 14 samples.
    label = (np.arange(22) % 3 > 0).astype(int)
    # 0.8 on the predicted class.
    p = lambda r: np.eye(2)[np.where(r, label, 1 - label)] * 0.6 + 0.2
    a, b, both = (p(right[:, i]) for i in range(3))
    return of_arrays({"a": a, "b": b, "a+b": both, "label": label})


def test_agreement_by_hand(outputs):
    found = analysis.agreement(outputs, "a", "b")
    assert found == pytest.approx(
        (7 / 22, 4 / 22, 3 / 22, 2 / 22, 5 / 22, 1 / 22)
    )
    assert sum(found) == pytest.approx(1)


def test_scores_by_hand(outputs):
    scores = analysis.scores(outputs)
    assert list(scores) == ["a", "b", "a+b"]
    assert scores["a"]["accuracy"] == pytest.approx(15 / 22)
    # Always 80 % sure.
    assert scores["a"]["ece"] == pytest.approx(0.8 - 15 / 22)
    assert scores["a+b"]["accuracy"] == pytest.approx(16 / 22)
    bits = -16 / 22 * np.log2(0.8) - 6 / 22 * np.log2(0.2)
    assert scores["a+b"]["cross_entropy"] == pytest.approx(bits)


def test_calibration_by_hand():
    confidence = np.array([1.0, 0.95, 0.9, 0.9, 0.55])
    right = np.array([False, True, True, False, True])
    # Bins of 1/15: 1.0 with 0.95 in the last one, 0.9 twice, 0.55.
    by_hand = (abs(1.95 - 1) + abs(1.8 - 1) + abs(0.55 - 1)) / 5
    found = analysis.calibration_error(confidence, right)
    assert found == pytest.approx(by_hand)
    # An outlier that overflows must not cost a training its results.
    confidence[0] = np.nan
    assert np.isnan(analysis.calibration_error(confidence, right))


def test_contributions_are_those_of_the_valuation(outputs):
    phi = analysis.contributions(outputs)
    single = lambda m: outputs.log_probs[frozenset(m)].astype(np.float32)
    subsets = valuation.Subsets(
        single("ab"),
        np.stack([single(m) for m in "ab"]),
        np.stack([single(m) for m in "ba"]),
    )
    by_hand = {
        "phi_mi": valuation.joint_contribution(
            subsets, outputs.log_prior, outputs.label
        ),
        "phi_cmi": valuation.conditional_contributions(
            subsets, outputs.label
        ).T,
        "expected_phi_mi": valuation.expected_joint_contribution(
            subsets, outputs.log_prior
        ),
        "expected_phi_cmi": valuation.expected_conditional_contributions(
            subsets
        ).T,
    }
    for key, value in by_hand.items():
        np.testing.assert_allclose(
            phi[key], np.asarray(value) / np.log(2), atol=1e-6
        )


def test_shares_sum_to_the_gain_over_guessing(outputs):
    shares = analysis.accuracy_shares(outputs)
    assert sum(shares.values()) == pytest.approx(16 / 22 - 14 / 22)
    # Half of what a adds to nothing, and half of what it adds to b.
    a = (15 / 22 - 14 / 22) / 2 + (16 / 22 - 12 / 22) / 2
    assert shares["a"] == pytest.approx(a)


def test_three_modalities_without_pairs(rng):
    label = rng.integers(3, size=40)
    x = lambda: rng.normal(size=(40, 3))
    arrays = {"a": x(), "b": x(), "c": x(), "a+b+c": x(), "label": label}
    results = analysis.summary(of_arrays(arrays))
    assert results["contributions"] is results["shapley"] is None
    assert results["agreement"] == dict.fromkeys(["a & b", "a & c", "b & c"])
    text = report.markdown(results | {"file": "x"})
    assert "There are no contributions" in text
    with_pairs = of_arrays(arrays | {"a+b": x(), "a+c": x(), "c+b": x()})
    results = analysis.summary(with_pairs)
    assert results["contributions"]["phi_cmi"].shape == (3,)
    assert set(results["shapley"]) == set("abc")
    assert results["agreement"]["b & c"] is not None


def test_decomposition_of_posteriors_that_are_true(rng):
    # Two noisy views: one of the bit and one of nothing.
    label = rng.integers(2, size=400)
    seen = np.where(rng.random(400) < 0.1, 1 - label, label)
    p = np.eye(2)[seen] * 0.8 + 0.1
    nothing = np.full((400, 2), 0.5)
    found = analysis.decomposition(
        of_arrays({"a": p, "b": nothing, "a+b": p, "label": label,
                   "prior": [1, 1]}), "a", "b"
    )  # fmt: skip
    information = 1 + 0.9 * np.log2(0.9) + 0.1 * np.log2(0.1)
    assert found["value"]["unique1"] == pytest.approx(information, abs=0.03)
    for name in ("redundancy", "unique2", "synergy"):
        assert found["value"][name] == pytest.approx(0, abs=0.02)
    low, high = found["interval"]["unique1"]
    assert low < found["value"]["unique1"] < high


def test_what_labels_and_prior_say_of_the_outputs_is_a_doubt():
    label = np.arange(400) % 2
    # Right on three quarters of either class, and nearly sure of all.
    sure = np.eye(2)[np.where(np.arange(400) % 8 < 2, 1 - label, label)]
    sure = 0.98 * sure + 0.01
    arrays = {"a": sure, "b": np.full((400, 2), 0.5), "a+b": sure}
    arrays["label"] = label
    found = analysis.decomposition(of_arrays(arrays), "a", "b")
    assert "r1 is overconfident" in found["doubts"][0]
    # Of other training data: no answer.
    other = of_arrays(arrays | {"prior": [9, 1]})
    found = analysis.decomposition(other, "a", "b")
    assert found.keys() == {"doubts"}
    assert "prior" in found["doubts"][0]


def test_too_few_samples_are_a_doubt():
    p = np.array([[0.6, 0.4], [0.4, 0.6]] * 3)
    outputs = of_arrays({"a": p, "b": p, "a+b": p, "label": [0, 1] * 3})
    found = analysis.decomposition(outputs, "a", "b")
    assert found.keys() == {"doubts"}
    text = report.markdown(analysis.summary(outputs) | {"file": "x"})
    assert f"- a & b: {found['doubts'][0]}" in text


def test_a_folder_of_results(tmp_path, rng):
    label = rng.integers(3, size=40)
    p = np.eye(3)[label]
    wrong = np.eye(3)[(label + (np.arange(40) < 4)) % 3]
    # Some have no probability at all.
    np.savez(tmp_path / "o.npz", a=p, b=wrong, **{"a+b": p}, label=label)
    results = valuate_outputs(tmp_path / "o.npz", tmp_path / "run")
    assert results["contributions"]["phi_cmi"][0] is None
    assert results["contributions"]["expected_phi_mi"] > 1
    names = {f.name for f in (tmp_path / "run").rglob("*") if f.is_file()}
    assert {"results.json", "report.md", "contributions.npz"} <= names
    text = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    (row,) = [x for x in text.splitlines() if x.startswith("| a        |")]
    assert row.split("|")[2].strip() == "not finite"
    assert "](figures/contributions.svg)\n" in text
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "With a, the model is right on 100.0 % of 40 samples." in page
    with np.load(tmp_path / "run" / "contributions.npz") as file:
        assert file["phi_cmi"].shape == (40, 2)
        np.testing.assert_array_equal(np.isinf(file["phi_cmi"][:, 0]),
                                      np.arange(40) < 4)  # fmt: skip
