import numpy as np
import pytest

from arm_jax.analysis import interactions
from arm_jax.data import Dataset, Split
from arm_jax.reports.training import interactions_table


def dataset(classes=2, **inputs):
    rows = len(next(iter(inputs.values())))
    label = np.arange(rows) % classes
    split = Split(
        inputs={k: np.asarray(x, np.float32) for k, x in inputs.items()},
        label=label.astype(np.int32),
        id=np.arange(rows),
        groups={},
    )
    names = tuple(map(str, range(classes)))
    return Dataset("made", names, dict.fromkeys(("train", "test"), split))


def of_split(data):
    return interactions.of_split(data, "test", clusters=4)


def column(values):
    return np.asarray(values, float)[:, None]


def test_few_distinct_values_are_their_own_symbols(rng):
    # The label is even or odd, as `sex` says.
    data = dataset(
        sex=column(np.arange(200) % 2),
        flat=np.zeros((200, 3)),
        image=rng.normal(size=(200, 4)),
    )
    found = of_split(data)
    sex = found["image + sex"]
    assert (sex["clusters1"], sex["clusters2"], sex["clusters"]) == (4, 2, 4)
    assert sex["redundancy"] + sex["unique2"] == pytest.approx(1, abs=1e-6)
    flat = found["flat + sex"]
    assert (flat["clusters1"], flat["clusters2"]) == (1, 2)
    wanted = {"redundancy": 0, "unique1": 0, "unique2": 1, "synergy": 0}
    for term, value in wanted.items():
        assert flat[term] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("distinct", [1, 2, 3, 4, 5])
def test_any_number_of_distinct_rows(rng, distinct):
    data = dataset(
        few=column(np.arange(200) % distinct), image=rng.normal(size=(200, 2))
    )
    (found,) = of_split(data).values()
    assert found["clusters1"] == min(distinct, 4)
    assert found["gap"] < 1e-6


def test_a_class_that_is_absent_changes_nothing(rng):
    image, text = rng.normal(size=(2, 60, 3))
    two = dataset(2, image=image, text=text)
    three = Dataset("made", ("0", "1", "2"), two.splits)
    a, b = map(of_split, (two, three))
    for term in interactions.TERMS:
        assert a["image + text"][term] == pytest.approx(
            b["image + text"][term], abs=1e-6
        )


@pytest.mark.parametrize("rows", [1, 2, 3, 11])
def test_splits_of_few_rows(rng, rows):
    image, text = rng.normal(size=(2, rows, 3))
    found = interactions.of_split(dataset(image=image, text=text), "test")
    if rows == 1:
        reason = "1 test example is too few to count"
        assert found == {"image + text": {"reason": reason}}
        text = interactions_table(found)
        assert text == f"image + text is left out: {reason}."
    else:
        assert found["image + text"]["clusters1"] == 2


def test_few_distinct_rows_among_many(rng):
    # Only some of the rows are clustered, and hardly one of them is not 0.
    many = np.zeros(40_000)
    many[:40] = np.arange(40)
    data = dataset(rare=column(many), bit=column(np.arange(40_000) % 2))
    found = interactions.of_split(data, "test")
    reason = found["bit + rare"].get("reason", "")
    assert reason.startswith("modality 'rare': x has ")


def test_table_has_no_negative_zero():
    pid = {"redundancy": -1e-12, "unique1": -0.2, "unique2": 0, "synergy": 0}
    found = {"a + b": pid, "a + c": {"reason": "modality 'c' is odd"}}
    text = interactions_table(found)
    assert "-0.000" not in text
    assert "-0.200" in text
    assert text.endswith("\n\na + c is left out: modality 'c' is odd.")
    assert list(interactions.computed(found)) == ["a + b"]
