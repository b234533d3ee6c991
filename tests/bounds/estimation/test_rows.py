import numpy as np
import pytest

from bounds.errors import InputError
from bounds.estimation import classifiers
from bounds.estimation.options import StudyOptions
from bounds.estimation.rows import divide, halves

LABEL = np.tile([0, 1, 2], 20)
INPUTS = {"a": np.arange(60.0)[:, None], "b": np.arange(60.0)[::-1, None]}


def test_rows_are_fitted_on_or_counted():
    training = np.arange(60) % 4 != 0
    rows = divide(INPUTS, LABEL, StudyOptions(), training=training)
    ((train, test),) = rows.fits
    np.testing.assert_array_equal(test, rows.counted)
    np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(60))
    assert rows.classes == ("0", "1", "2")
    assert rows.half is None
    np.testing.assert_array_equal(rows.counted_label, LABEL[::4])


def test_in_folds_every_row_is_counted_once():
    units = np.arange(60) // 3
    rows = divide(
        INPUTS, LABEL, StudyOptions(folds=4), units=units, classes="xyz"
    )
    counted = np.concatenate([test for _, test in rows.fits])
    np.testing.assert_array_equal(np.sort(counted), np.arange(60))
    for train, test in rows.fits:
        assert not set(units[train]) & set(units[test])
    assert rows.classes == ("x", "y", "z")


def test_halves_are_of_whole_units():
    units = np.arange(60) // 6
    rows = divide(
        INPUTS,
        LABEL,
        StudyOptions(folds=2, knowledge="unimodal"),
        units=units,
    )
    assert len(np.unique(units[rows.half])) == 5
    assert not set(units[rows.half]) & set(units[~rows.half])


@pytest.mark.parametrize("folds", [0, 4])
def test_fits_to_halves_share_no_unit(folds):
    units = np.arange(60) // 3
    training = None if folds else units % 4 != 0
    rows = divide(
        INPUTS, LABEL, StudyOptions(folds=folds), training=training, units=units
    )
    fitted = np.arange(60) if folds else np.flatnonzero(training)
    divisions = halves(rows, 0)
    for (train1, test1), (train2, test2) in divisions:
        assert not set(units[train1]) & set(units[train2])
        assert not set(units[train1]) & set(units[test1])
        assert not set(units[train2]) & set(units[test2])
        counted = np.sort([*test1, *test2])
        np.testing.assert_array_equal(counted, rows.counted)
        np.testing.assert_array_equal(np.sort([*train1, *train2]), fitted)
        for train in (train1, train2):
            np.testing.assert_array_equal(np.unique(LABEL[train]), [0, 1, 2])
    assert len({tuple(train) for (train, _), _ in divisions}) == 3


@pytest.mark.parametrize(
    ("label", "units", "weights"),
    [
        ([0, 0, 0, 1], None, None),
        ([0, 1] * 4, np.zeros(8), None),
        ([0, 1] * 4, [0, 1] * 4, None),  # a unit has one class
        ([0, 1] * 4, None, np.arange(8) < 3),
    ],
)
def test_without_a_class_there_are_no_halves(label, units, weights):
    label = np.array(label)
    found = classifiers.halves_of(
        label, np.arange(len(label)), None if units is None else
        np.array(units), weights, 0,
    )  # fmt: skip
    assert found == []


FIRST = np.arange(60) < 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": StudyOptions()}, "mine: without folds there must be rows"),
        ({"label": np.r_[3, LABEL[1:]]}, "mine: class 3 has one sample"),
        ({"options": StudyOptions(folds=21)}, "class 0 has 20 samples, fewer"),
        ({"units": np.arange(60) // 30}, "2 units are fewer than 3 folds"),
        (
            {
                "options": StudyOptions(),
                "label": np.where(FIRST, 0, LABEL),
                "training": FIRST,
            },
            "all samples outside fold 0 have one label",
        ),
        (
            {
                "options": StudyOptions(),
                "label": np.where(FIRST, LABEL, 0),
                "training": FIRST,
            },
            "the samples that are counted have one label, or none",
        ),
        (
            {
                "options": StudyOptions(),
                "label": np.r_[np.where(FIRST, LABEL, 0)[:-1], 1],
                "training": FIRST,
            },
            "the samples that are counted have one sample of class 1: drop it",
        ),
        (
            {
                "options": StudyOptions(folds=2, knowledge="unimodal"),
                "label": np.repeat([0, 1, 2, 0, 1], 12),
                "units": np.repeat(np.arange(5), 12),
            },
            "half of the (first|second) modality",
        ),
        (
            {"inputs": INPUTS | {"a": np.zeros((60, 2))}},
            "mine: modality 'a' is constant",
        ),
    ],
)
def test_what_cannot_be_divided_is_named(changes, message):
    given = {"inputs": INPUTS, "label": LABEL, "options": StudyOptions(folds=3)}
    given |= changes
    with pytest.raises(InputError, match=message):
        divide(given.pop("inputs"), given.pop("label"), given.pop("options"),
               name="mine", **given)  # fmt: skip


def test_a_half_that_lacks_a_class_is_named():
    label = np.repeat([0, 1, 2, 0, 1], 12)
    label[:2], label[24:26] = 1, 0
    with pytest.raises(InputError, match="half .* lacks class 2"):
        divide(
            INPUTS,
            label,
            StudyOptions(folds=2, knowledge="unimodal"),
            units=np.repeat(np.arange(5), 12),
        )
