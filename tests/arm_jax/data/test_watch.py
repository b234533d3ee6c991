import importlib.metadata

import numpy as np
import pytest

from arm_jax import data
from arm_jax.data import watch
from arm_jax.errors import InputError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    try:
        importlib.metadata.version("seglearn")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs the extra 'watch': pip install -e '.[watch]'")
    return str(tmp_path_factory.mktemp("tfds"))


@pytest.fixture(scope="module")
def dataset(prepared):
    return data.load("watch", {"data_dir": prepared})


def test_splits_by_subject(dataset):
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    assert sizes == {"train": 2669, "validation": 524, "test": 1484}
    for name, split in dataset.splits.items():
        assert set(split.groups["subject"]) == set(watch.SUBJECTS[name])


def test_ids_are_stable_and_unique(dataset, prepared):
    ids = np.concatenate([split.id for split in dataset.splits.values()])
    assert sorted(ids.tolist()) == list(range(2669 + 524 + 1484))
    again = data.load("watch", {"data_dir": prepared})
    for name, split in dataset.splits.items():
        np.testing.assert_array_equal(again.splits[name].id, split.id)
        for modality, x in split.inputs.items():
            np.testing.assert_array_equal(
                again.splits[name].inputs[modality], x
            )


def test_windows_overlap_by_half_within_a_series(dataset):
    split = dataset.splits["train"]
    same = np.diff(split.groups["series"]) == 0
    for x in split.inputs.values():
        first, second = x[:-1][same, 50:], x[1:][same, :50]
        np.testing.assert_array_equal(first, second)
    assert same.sum() > 2000


def test_one_label_and_subject_a_series(dataset):
    for split in dataset.splits.values():
        for series in np.unique(split.groups["series"]):
            at = split.groups["series"] == series
            assert len(np.unique(split.label[at])) == 1
            assert len(np.unique(split.groups["subject"][at])) == 1


def test_standardised_on_training_windows_only(dataset):
    for modality in ("accel", "gyro"):
        x = dataset.splits["train"].inputs[modality]
        assert x.shape[1:] == (100, 3)
        assert x.dtype == np.float32
        np.testing.assert_allclose(x.mean((0, 1)), 0, atol=1e-4)
        np.testing.assert_allclose(x.std((0, 1)), 1, atol=1e-4)
        other = dataset.splits["test"].inputs[modality]
        assert np.abs(other.mean((0, 1))).max() > 1e-2


def test_missing_package(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    with pytest.raises(InputError, match=r"pip install 'arm-jax\[watch\]'"):
        watch._source_file()


def test_unknown_file_is_not_unpickled(tmp_path):
    path = tmp_path / "watch_dataset.npy"
    path.write_bytes(b"anything")
    with pytest.raises(InputError, match="SHA-256"):
        watch._read_source(path)
