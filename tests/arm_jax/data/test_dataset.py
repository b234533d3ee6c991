import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arm_jax.data import dataset as module
from arm_jax.data.dataset import (
    Dataset,
    Split,
    check_complete,
    check_learnable,
    checked,
    standardized,
    standardized_parts,
)
from arm_jax.errors import InputError


def scaled(x, train=None):
    """Standardises `x`, of which `train` rows are for training, else all."""
    rows = np.arange(len(x)) if train is None else train
    (out,) = standardized_parts("x", [(x, rows)])
    return out


def reference(x):
    """By integers of any size."""
    whole = [[int(v) for v in row] for row in x.tolist()]
    least = [min(column) for column in zip(*whole, strict=True)]
    x = np.array(
        [[v - m for v, m in zip(row, least, strict=True)] for row in whole],
        np.float64,
    )
    return (x - x.mean(0)) / x.std(0)


@pytest.mark.parametrize(
    ("base", "dtype"),
    [
        (1.7e9, np.float64),
        (1e12, np.float64),
        (-1e12, np.float64),
        (1e5, np.float32),
        (1e6, np.longdouble),
        (1e17, np.longdouble),
        (0, np.float16),
    ],
)
def test_offset_leaves_what_is_told_apart(rng, base, dtype):
    noise = rng.normal(size=(600, 2)).astype(np.float16).astype(np.float64)
    x = (np.array(base, dtype) + noise.astype(dtype)).astype(dtype)
    exact = (x.astype(np.longdouble) - x[0]).astype(np.float64)
    expected = (exact - exact.mean(0)) / exact.std(0)
    found = scaled(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    for channel in range(2):
        assert len(np.unique(found[:, channel])) == len(
            np.unique(x[:, channel])
        )


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (2**62, 2**62 + 5000, np.int64),
        (-(2**63), -(2**63) + 5000, np.int64),
        (2**64 - 5000, 2**64, np.uint64),
        (-(2**63), 2**63, np.int64),
        (0, 2**64, np.uint64),
        (2**31 - 99, 2**31, np.int32),
        (0, 255, np.uint8),
    ],
)
def test_integers_are_exact(rng, low, high, dtype):
    x = rng.integers(low, high, (500, 2), dtype, endpoint=False)
    np.testing.assert_allclose(scaled(x), reference(x), atol=1e-6)


def test_booleans():
    x = np.array([[0], [0], [1], [1]], bool)
    np.testing.assert_array_equal(scaled(x), [[-1], [-1], [1], [1]])


@pytest.mark.parametrize("value", [1.7e9, 0.1, -1 / 3, 1e300, 1e-300, 0.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constant_channel_is_zero(value, dtype):
    with np.errstate(over="ignore"):
        x = np.full((10_007, 2), value).astype(dtype)
    if not np.isfinite(x).all():
        return
    assert not scaled(x).any()


def test_constant_up_to_rounding_is_only_centred(rng):
    x = np.full((999, 1), 1.7e9)
    x += rng.integers(-1, 2, x.shape) * np.spacing(1.7e9)
    assert np.abs(scaled(x)).max() < 1e-6
    # Integers are as they are.
    x = 2**53 - rng.integers(2, size=(999, 1))
    assert set(np.abs(scaled(x)).round(1).ravel()) == {1.0}


def test_mean_of_far_values_is_corrected(rng):
    # A plain sum of these is off by some deviations.
    x = 1e15 + rng.normal(size=(200_000, 1))
    found = scaled(x).astype(np.float64)
    np.testing.assert_allclose(found.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(), 1, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("far", [1e9, -1e12, 1e30])
def test_outliers_that_blur_the_others_are_refused(rng, dtype, far):
    x = rng.normal(size=(600, 3)).astype(dtype)
    x[77, 1] = far
    with pytest.raises(InputError, match=r"x: channel 1, .* has outliers so"):
        scaled(x)


def test_moderate_outliers_are_taken(rng):
    x = rng.normal(size=(600, 3))
    x[77, 1] = -9999
    expected = (x - x.mean(0)) / x.std(0)
    np.testing.assert_allclose(scaled(x), expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1e200, 1e-200, 1e-160])
def test_channels_whose_squares_float64_lacks_are_refused(rng, factor):
    x = np.stack([rng.normal(size=50), factor * rng.normal(size=50)], 1)
    with pytest.raises(InputError, match="x: channel 1, .* by a factor first"):
        scaled(x)


def test_far_values_outside_of_training(rng):
    x = rng.normal(size=(50, 2))
    x[40, 1] = 1e60
    parts = [(x, np.arange(40)), (x, np.arange(40, 50))]
    with pytest.raises(InputError, match=r"x: 1e\+60 is .* deviations"):
        standardized_parts("x", parts)


def test_blocks_change_nothing(rng, monkeypatch):
    x = 50 + rng.normal(size=(301, 4, 3))
    parts = [(x, rng.permutation(301)[:200]), (x, np.arange(250, 301))]
    whole = standardized_parts("x", parts)
    for size in (1, 12, 100, 1000):
        monkeypatch.setattr(module, "_BLOCK", size)
        for a, b in zip(whole, standardized_parts("x", parts), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_no_array_of_all_rows_in_float64(rng, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 1000)
    sizes = []

    def subtract(*args, **kwargs):
        sizes.append(args[0].size)
        return np_subtract(*args, **kwargs)

    np_subtract = np.subtract
    monkeypatch.setattr(module.np, "subtract", subtract)
    scaled(rng.normal(size=(5000, 10)).astype(np.float32))
    assert 0 < max(sizes) <= 1000


@given(
    st.integers(2, 40),
    st.integers(1, 3),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e3),
)
def test_affine_maps_do_not_matter(n, channels, shift, factor):
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, channels))
    np.testing.assert_allclose(scaled(shift + factor * x), scaled(x), atol=1e-4)


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
            "x must be float32, got float64",
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


def test_vectors_have_no_channels(rng):
    with pytest.raises(InputError, match=r"must have rows and channels, got"):
        scaled(rng.normal(size=9))


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
    monkeypatch.setattr(module, "_BLOCK", 40)
    x = rng.normal(size=(600, 5))
    x[4::10, 2:] = np.nan
    with pytest.raises(InputError) as caught:
        check_complete("my.npz: image", x)
    assert str(caught.value).startswith(
        "my.npz: image[4, 2] is nan, and 60 of 600 rows (10.0%) have such "
        "entries: drop these rows, or fill them"
    )
    assert "missing modalities is not supported yet" in str(caught.value)


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
