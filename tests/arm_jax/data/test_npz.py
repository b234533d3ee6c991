import numpy as np
import pytest

from arm_jax import data
from arm_jax.errors import InputError


@pytest.fixture
def load(npz_arrays, tmp_path):
    """Saves the small task with some arrays changed, and loads it."""

    def changed(changes=None, drop=(), **options):
        arrays = {
            k: v
            for k, v in (npz_arrays | (changes or {})).items()
            if k not in drop
        }
        np.savez(tmp_path / "my.npz", **arrays)
        return data.load("npz", {"path": str(tmp_path / "my.npz")} | options)

    return changed


def test_given_split(load, npz_arrays):
    dataset = load(standardize=False)
    assert {k: len(v) for k, v in dataset.splits.items()} == {
        "train": 140,
        "validation": 50,
        "test": 50,
    }
    assert dataset.shapes == {"loud": (5,), "quiet": (4,)}
    test = dataset.splits["test"]
    np.testing.assert_array_equal(test.id, np.arange(190, 240))
    np.testing.assert_allclose(
        test.inputs["quiet"], npz_arrays["quiet"][190:], rtol=1e-6
    )


def test_standardised_on_training_rows(load):
    train = load().splits["train"].inputs["loud"]
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-5)


def test_constant_feature_is_only_centred(load, npz_arrays):
    loud = npz_arrays["loud"].copy()
    loud[:, 2] = 3.0
    assert not load({"loud": loud}).splits["test"].inputs["loud"][:, 2].any()


def test_chosen_modalities(load):
    assert list(load(modalities=("quiet",)).shapes) == ["quiet"]


def test_drawn_split_is_stratified_and_seeded(load):
    first, same, other = (load(drop=["split"], seed=seed) for seed in (1, 1, 2))
    sizes = {k: len(v) for k, v in first.splits.items()}
    assert sum(sizes.values()) == 240
    assert abs(sizes["test"] - 48) <= 2
    for split in first.splits.values():
        counts = np.bincount(split.label)
        assert counts.max() - counts.min() <= 2
    for name, split in first.splits.items():
        np.testing.assert_array_equal(split.id, same.splits[name].id)
    assert not np.array_equal(first.splits["test"].id, other.splits["test"].id)


def test_groups_stay_on_one_side(load):
    person = np.arange(240) // 8
    dataset = load({"person": person}, drop=["split"], group="person")
    assert "person" not in dataset.shapes
    seen = [set(s.groups["person"]) for s in dataset.splits.values()]
    assert set.union(*seen) == set(range(30))
    assert sum(map(len, seen)) == 30  # no group twice


def test_validation_is_drawn_from_training_rows(load):
    split = np.repeat([0, 2], [190, 50])
    dataset = load({"split": split})
    np.testing.assert_array_equal(
        dataset.splits["test"].id, np.arange(190, 240)
    )
    assert 30 <= len(dataset.splits["validation"]) <= 40


def with_entry(x, index, value):
    x = np.array(x)
    x[index] = value
    return x


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda a: {"quiet": a["quiet"][:-1]},
            r"'quiet' has shape \(239, 4\), but 'label' has 240 rows",
        ),
        (
            lambda a: {"loud": with_entry(a["loud"], (7, 2), np.nan)},
            r"loud\[7, 2\] is nan",
        ),
        (
            lambda a: {"loud": with_entry(a["loud"], (7, 2), np.inf)},
            r"loud\[7, 2\] is inf",
        ),
        (
            lambda a: {"label": with_entry(a["label"], 4, -1)},
            r"label\[4\] is -1, outside 0\.\.2",
        ),
        (
            lambda a: {"label": a["label"].astype(float)},
            r"label must be integers, .* label\.astype\(int\) makes",
        ),
        (
            lambda a: {"label": np.where(a["label"] == 1, 3, a["label"])},
            "no training example of class 1",
        ),
        (
            lambda a: {"split": with_entry(a["split"], 3, 9)},
            r"split\[3\] is 9; known: 0 \(train\)",
        ),
        (
            lambda a: {"loud": a["loud"].astype(str)},
            "my.npz: loud must be numbers, got strings .*; or choose arrays",
        ),
        (
            lambda a: {"loud": a["loud"][:, 0]},
            r"must have rows and features, .* make loud\[:, None\]; or choose",
        ),
        (lambda a: {"loud": a["loud"][:, :0]}, "'loud' has no features"),
        (
            lambda a: {"loud": a["loud"].astype(object)},
            "my.npz: 'loud' holds Python objects",
        ),
    ],
)
def test_what_is_wrong_is_named(load, npz_arrays, change, message):
    with pytest.raises(InputError, match=message):
        load(change(npz_arrays))


def test_labels_beyond_the_given_number_of_classes(load):
    with pytest.raises(InputError, match=r"label\[2\] is 2, outside 0\.\.1"):
        load(num_classes=2)


def test_missing_array(load):
    with pytest.raises(InputError, match="no array 'label'; it has: loud"):
        load(drop=["label"])


def test_missing_modality(load):
    with pytest.raises(InputError, match="no array 'radar'"):
        load(modalities=("radar",))


def test_missing_file():
    with pytest.raises(InputError, match="no file nowhere"):
        data.load("npz", {"path": "nowhere.npz"})


def test_too_few_groups_to_draw(load):
    groups = np.arange(240) % 3
    with pytest.raises(InputError, match=r"too few groups \(3\)"):
        load({"g": groups}, drop=["split"], group="g")
