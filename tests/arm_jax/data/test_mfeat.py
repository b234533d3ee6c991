import numpy as np
import pytest

from arm_jax import data
from arm_jax.data import mfeat
from arm_jax.errors import InputError
from tests.arm_jax.data import sources


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(5)
    views = {
        key: rng.integers(0, 9, (60, width))
        for key, width in mfeat.WIDTHS.items()
    }
    return views | {
        "label": np.arange(60) % 10,
        "split": np.repeat([0, 1, 2], [30, 10, 20]),
    }


@pytest.fixture(scope="module")
def load(arrays, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mfeat")

    def load(changes=None):
        np.savez(folder / "mfeat.npz", **arrays | (changes or {}))
        options = {"path": str(folder / "mfeat.npz"), "data_dir": str(folder)}
        return data.load("mfeat", options)

    return load


@pytest.fixture(scope="module")
def dataset(load):
    return load()


def test_given_split_and_rows(dataset, arrays):
    bounds = {"train": (0, 30), "validation": (30, 40), "test": (40, 60)}
    for name, (start, stop) in bounds.items():
        split = dataset.splits[name]
        np.testing.assert_array_equal(split.id, np.arange(start, stop))
        np.testing.assert_array_equal(split.label, split.id % 10)
        for key, x in split.inputs.items():
            train = arrays[key][:30]
            np.testing.assert_allclose(
                x,
                (arrays[key][split.id] - train.mean(0)) / train.std(0),
                atol=1e-5,
            )


def test_views(dataset):
    assert dataset.shapes == {k: (v,) for k, v in mfeat.WIDTHS.items()}
    assert dataset.class_names == tuple("0123456789")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"split": np.zeros(59, int)},
            r"'split' has shape \(59,\), expected \(60,\)",
        ),
        ({"split": np.full(60, 3)}, r"split\[0\] is 3, outside 0\.\.2"),
        ({"label": np.arange(60)}, r"label\[10\] is 10, outside 0\.\.9"),
    ],
)
def test_what_is_wrong_with_the_file_is_named(load, changes, message):
    with pytest.raises(InputError, match=message):
        load(changes)


def test_the_real_file(tmp_path):
    options = {"path": sources.shared("mfeat"), "data_dir": str(tmp_path)}
    dataset = data.load("mfeat", options)
    for name, size in (("train", 120), ("validation", 20), ("test", 60)):
        label = dataset.splits[name].label
        np.testing.assert_array_equal(np.bincount(label), size)
