import numpy as np
import pytest

from arm_jax.data import dataset as module
from arm_jax.data import scaling
from arm_jax.data.dataset import (
    Dataset,
    Split,
    check_complete,
    checked,
    standardized,
)
from arm_jax.data.labels import check_learnable
from arm_jax.errors import InputError


def splits_of(x, label=None):
    rows = {
        "train": slice(0, 6),
        "validation": slice(6, 8),
        "test": slice(8, 9),
    }
    label = np.arange(9) % 2 if label is None else label
    return {
        name: Split(
            inputs={"x": x[at]},
            label=label[at].astype(np.int32),
            id=np.arange(9, dtype=np.int32)[at],
            groups={"person": np.arange(9)[at]},
        )
        for name, at in rows.items()
    }


def dataset_of(splits, class_names=("no", "yes")):
    return Dataset("mine", class_names, splits)


@pytest.fixture
def splits(rng):
    return splits_of(rng.normal(size=(9, 3)).astype(np.float32))


def test_splits_are_standardised_on_training_rows(rng):
    x = 1.7e9 + rng.normal(size=(9, 2, 3))
    found = standardized(splits_of(x))
    train = x[:6] - 1.7e9
    mean, deviation = train.mean((0, 1)), train.std((0, 1))
    np.testing.assert_allclose(
        np.concatenate([split.inputs["x"] for split in found.values()]),
        (x - 1.7e9 - mean) / deviation,
        atol=1e-5,
    )
    assert list(found) == ["train", "validation", "test"]


def test_a_good_data_set_is_returned(splits):
    dataset = dataset_of(splits)
    assert checked(dataset) is dataset


def changed(split, **changes):
    return module.dataclasses.replace(split, **changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"label": s.label[:1]}, "x has 2 rows, label 1"),
        (lambda s: {"id": s.id[:1]}, "id has 1 rows, label 2"),
        (
            lambda s: {"groups": {"person": np.arange(3)}},
            "person has 3 rows, label 2",
        ),
        (lambda s: {"weights": np.ones(3)}, "weights has 3 rows, label 2"),
        (
            lambda s: {"label": s.label.astype(float)},
            "label must be a vector of integers, got float64",
        ),
        (
            lambda s: {"label": np.eye(2, dtype=int)},
            r"label must be a vector of integers, got int64 \(2, 2\)",
        ),
        (
            lambda s: {"inputs": {"x": s.inputs["x"].astype(float)}},
            "x must be float32, integers or bool, got float64",
        ),
        (
            lambda s: {"inputs": {"x": s.inputs["x"][:, :2]}},
            r"shapes \{'x': \(2,\)\}, those of the training split",
        ),
        (lambda s: {"inputs": {}}, r"shapes \{\}, those of the training"),
        (lambda s: {"label": s.label + 5}, r"label\[0\] is 5, outside 0\.\.1"),
    ],
)
def test_what_is_wrong_with_a_split_is_named(splits, change, message):
    splits["validation"] = changed(
        splits["validation"], **change(splits["validation"])
    )
    with pytest.raises(
        InputError, match=f"mine, split 'validation': .*{message}"
    ):
        checked(dataset_of(splits))


def test_splits_are_the_three(splits):
    del splits["test"]
    with pytest.raises(InputError, match="splits must be train, validation, t"):
        checked(dataset_of(splits))


def test_no_modalities(splits):
    bare = {name: changed(split, inputs={}) for name, split in splits.items()}
    with pytest.raises(InputError, match=r"samples have the shapes \{\}"):
        checked(dataset_of(bare))


def test_empty_split(splits):
    splits["test"] = splits["test"].where(np.zeros(1, bool))
    with pytest.raises(InputError, match="split 'test': no examples"):
        checked(dataset_of(splits))


def message_of(labels, classes, names=()):
    with pytest.raises(InputError) as caught:
        check_learnable("mine", labels, classes, names)
    assert len(str(caught.value)) < 300
    return str(caught.value)


def test_labels_with_holes():
    labels = {"train": np.repeat([101, 2050, 3999], 9)}
    assert message_of(labels, 4000) == (
        "mine: no training example of class 0, 1, 2 and 3994 more (K is 4000); "
        "classes are 0 to K-1 without holes, such as "
        "np.unique(label, return_inverse=True)[1]"
    )
    # As many as int64 holds, at no cost.
    assert f"and {2**63 - 5} more" in message_of(
        {"train": np.array([0, 2**63 - 1])}, 2**63
    )


def test_one_missing_class_is_named():
    labels = {"train": np.array([0, 2]), "test": np.array([0])}
    message = message_of(labels, 3, ("no", "maybe", "yes"))
    assert "no training example of class 1 (maybe) (K is 3)" in message


def test_class_of_other_splits_only():
    labels = {"train": np.array([0, 2]), "test": np.array([1])}
    message = message_of(labels, 3)
    assert "class 1 (K is 3); rows of class 1 are in other splits" in message


def test_classes_may_lack_in_other_splits():
    labels = {"train": np.array([0, 1, 2]), "test": np.array([1])}
    check_learnable("mine", labels, 3)


@pytest.mark.parametrize("classes", [0, 1])
def test_too_few_classes(classes):
    assert "two classes or more" in message_of(
        {"train": np.zeros(3, int)}, classes
    )


def test_rows_that_are_not_complete_are_counted(rng, monkeypatch):
    monkeypatch.setattr(scaling, "_BLOCK", 40)
    x = rng.normal(size=(600, 5))
    x[4::10, 2:] = np.nan
    with pytest.raises(InputError) as caught:
        check_complete("my.npz: image", x)
    assert str(caught.value).startswith(
        "my.npz: image[4, 2] is nan, and 60 of 600 rows (10.0%) have such "
        "entries: drop these rows, fill them, or say which rows lack"
    )


def test_digest_tells_all_that_was_loaded(splits):
    def with_train(**changes):
        return {**splits, "train": changed(splits["train"], **changes)}

    train = splits["train"]
    x = train.inputs["x"].copy()
    x[5, 2] = np.nextafter(x[5, 2], 9)
    variants = [
        dataset_of(splits),
        dataset_of(splits, ("yes", "no")),
        dataset_of(splits, ("no,", "yes")),
        dataset_of(with_train(inputs={"x": x})),
        dataset_of(with_train(inputs={"z": train.inputs["x"]})),
        dataset_of(
            with_train(inputs={"x": train.inputs["x"].reshape(6, 1, 3)})
        ),
        dataset_of(with_train(label=1 - train.label)),
        dataset_of(with_train(id=train.id + 1)),
        dataset_of(with_train(groups={})),
        dataset_of(with_train(groups={"persons": train.groups["person"]})),
        dataset_of(with_train(groups={"person": train.groups["person"] + 1})),
        dataset_of({**splits, "test": splits["validation"]}),
    ]
    digests = [dataset.digest for dataset in variants]
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 12 for digest in digests)


def test_digest_of_equal_data_is_equal(splits):
    train = splits["train"]
    same = changed(
        train,
        inputs={"x": np.asfortranarray(train.inputs["x"])},
        label=train.label.astype(np.int64),
        groups={"person": train.groups["person"].astype(">i4")},
    )
    reordered = {name: splits[name] for name in ("test", "validation")}
    assert (
        dataset_of(splits).digest
        == dataset_of(
            {**reordered, "train": same}, ["no", np.str_("yes")]
        ).digest
    )


def test_digest_of_known_data():
    # Found by other processes and on other machines, too.
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    row = np.arange(3)
    split = Split({"b": x, "a": -x}, label=row, id=row, groups={"g": row})
    splits = dict.fromkeys(("train", "validation", "test"), split)
    assert dataset_of(splits, ("0", "1", "2")).digest == "8533ec56d825"
