"""What a model makes of pairs of modalities, from its predictions."""

import numpy as np
import pytest

from arm_jax.analysis import bridge, interactions
from arm_jax.evaluation import Predictions
from arm_jax.reports.training import interactions_table
from arm_jax.valuation import Subsets
from bounds import problems

pytestmark = pytest.mark.usefixtures("nothing_is_fitted_twice")
PROBLEM = problems.named("alone4")
ROWS = 480


@pytest.fixture(scope="module")
def exact():
    return PROBLEM.sample(ROWS, 0)


def predictions(alone, without, full, label, present=None):
    """Those of a model that says these probabilities."""
    log = [np.log(np.maximum(x, 1e-30)) for x in (full, alone, without)]
    log_probs = Subsets(*(np.asarray(x, np.float32) for x in log))
    return Predictions(log_probs, label, np.arange(len(label)), present)


def of_pair(s, present=None):
    alone = np.stack([s.posterior1, s.posterior2])
    return predictions(alone, alone[::-1], s.posterior12, s.labels, present)


@pytest.fixture(scope="module")
def of_two(exact):
    return interactions.of_predictions(of_pair(exact), ("a", "b"))["a + b"]


def test_exact_posteriors_give_the_truth(of_two):
    for term in interactions.TERMS:
        truth = getattr(PROBLEM.truth, term)
        assert of_two[term] == pytest.approx(truth, abs=0.12)
        low, high = of_two["interval"][term]
        assert low <= of_two[term] <= high
    assert of_two["samples"] == ROWS


def test_of_three_the_pair_is_without_the_third(exact, of_two):
    flat = np.full_like(exact.posterior1, 1 / 4)
    s = exact
    found = interactions.of_predictions(
        predictions(
            np.stack([s.posterior1, s.posterior2, flat]),
            np.stack([s.posterior2, s.posterior1, s.posterior12]),
            s.posterior12,
            s.labels,
        ),
        ("a", "b", "c"),
    )
    assert list(found) == ["a + b", "a + c", "b + c"]
    assert found["a + b"] == of_two
    # What knows nothing shares nothing and adds nothing.
    assert found["a + c"]["redundancy"] == pytest.approx(0, abs=1e-3)
    assert found["a + c"]["synergy"] == pytest.approx(0, abs=0.02)


def test_of_four_nothing_predicts_from_a_pair(exact):
    alone = np.stack([exact.posterior1, exact.posterior2] * 2)
    found = interactions.of_predictions(
        predictions(alone, alone, exact.posterior12, exact.labels), "abcd"
    )
    assert len(found) == 6
    assert found["a + b"]["synergy"] is None
    assert "| none |" in interactions_table(found)


def test_examples_that_lack_a_modality_do_not_count(exact, of_two):
    s = exact
    garbled = s._replace(
        **{
            name: np.concatenate([x, np.roll(x[:50], 1, axis=-1)])
            for name, x in s._asdict().items()
            if name.startswith("posterior")
        },
        labels=np.concatenate([s.labels, s.labels[:50]]),
    )
    present = np.ones((ROWS + 50, 2))
    present[ROWS:, 1] = 0
    found = interactions.of_predictions(of_pair(garbled, present), ("a", "b"))
    assert found["a + b"] == of_two
    # Of blanks there are no interactions.
    present[:, 1] = 0
    nothing = of_pair(garbled, present)
    found = interactions.of_predictions(nothing, ("a", "b"))
    assert found["a + b"] == {"reason": "no example has all modalities"}
    assert bridge.of_predictions([nothing] * 2, ("a", "b")) == [{}, {}]


def test_too_few_examples_and_several_labels_are_reasons(exact):
    few = exact._replace(**{k: x[:5] for k, x in exact._asdict().items()})
    found = interactions.of_predictions(of_pair(few), ("a", "b"))
    assert found["a + b"]["reason"].endswith("at least 10 are needed")
    several = of_pair(exact)._replace(label=np.zeros((ROWS, 3), int))
    found = interactions.of_predictions(several, ("a", "b"))
    assert interactions_table(found) == (
        "a + b is left out: examples have several labels, or numbers."
    )


def test_table_has_no_negative_zero():
    pid = dict.fromkeys(interactions.TERMS, 0.0) | {
        "redundancy": -1e-12, "unique1": -0.2, "doubts": ["cannot say"],
        "interval": dict.fromkeys(interactions.TERMS, (-1e-9, 0.25)),
    }  # fmt: skip
    found = {"a + b": pid, "a + c": {"reason": "modality 'c' is odd"}}
    text = interactions_table(found)
    assert "-0.00" not in text
    assert "-0.20 [0.00, 0.25]" in text
    assert text.endswith(
        "\n\na + b: cannot say.\n\na + c is left out: modality 'c' is odd."
    )
    assert list(interactions.computed(found)) == ["a + b"]
