import errno
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from arm_jax.data import prepared
from arm_jax.errors import InputError


class Fake:
    """A builder that prepares a description and nothing else."""

    name = "fake"
    VERSION = "1.0.0"
    fault = None
    prepared = 0

    def __init__(self, *, data_dir, config, file_format):
        root = data_dir or tfds.core.constants.DATA_DIR
        self.data_path = Path(root) / self.name / self.VERSION

    def download_and_prepare(self):
        Fake.prepared += 1
        if Fake.fault:
            raise Fake.fault
        self.data_path.mkdir(parents=True)
        (self.data_path / "dataset_info.json").write_text("{}")


@pytest.fixture(autouse=True)
def _new(monkeypatch):
    monkeypatch.setattr(Fake, "fault", None)
    monkeypatch.setattr(Fake, "prepared", 0)


def folder_of(root):
    return root / "fake" / "1.0.0"


def test_prepared_once(tmp_path):
    for _ in range(3):
        builder = prepared.prepare(Fake, str(tmp_path))
    assert builder.data_path == folder_of(tmp_path)
    assert Fake.prepared == 1


@pytest.mark.parametrize("description", [None, "", '{"name": "fa', "[1]"])
def test_prepared_in_part_is_prepared_anew(tmp_path, description):
    folder = folder_of(tmp_path)
    folder.mkdir(parents=True)
    (folder / "fake-train.array_record-00000-of-00001").write_bytes(b"1")
    if description is not None:
        (folder / "dataset_info.json").write_text(description)
    prepared.prepare(Fake, str(tmp_path))
    assert Fake.prepared == 1
    assert [file.name for file in folder.iterdir()] == ["dataset_info.json"]


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/x"),
        OSError(errno.EROFS, os.strerror(errno.EROFS)),
        OSError("Not enough disk space."),
        # What the writer of records raises.
        RuntimeError(f"write() failed: {os.strerror(errno.ENOSPC)}; at byte 9"),
    ],
)
def test_folder_that_cannot_be_written(tmp_path, monkeypatch, fault):
    monkeypatch.setattr(Fake, "fault", fault)
    words = getattr(fault, "strerror", None) or os.strerror(errno.ENOSPC)
    if str(fault) == "Not enough disk space.":
        words = "Not enough disk space."
    full = words == os.strerror(errno.ENOSPC)
    room = "make room and repeat the command, or " if full else ""
    with pytest.raises(InputError) as caught:
        prepared.prepare(Fake, str(tmp_path))
    assert str(caught.value) == (
        f"data set fake: cannot keep its records in {tmp_path} ({words}); "
        f"{room}name another folder by --config.data.options.data_dir=FOLDER "
        "or the variable TFDS_DATA_DIR"
    )


def test_default_folder_is_named(monkeypatch):
    # As without a home folder.
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", "/proc/nohome/tfds")
    with pytest.raises(
        InputError, match=r"in /proc/nohome/tfds \(No such file"
    ):
        prepared.prepare(Fake, "")


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"\(Not a directory\)"):
        prepared.prepare(Fake, str(tmp_path / "file"))


def test_other_faults_keep_their_traceback(tmp_path, monkeypatch):
    for fault in (RuntimeError("ours"), KeyError("ours"), ImportError("ours")):
        monkeypatch.setattr(Fake, "fault", fault)
        with pytest.raises(type(fault), match="ours"):
            prepared.prepare(Fake, str(tmp_path))


def test_platform_without_array_record(tmp_path, monkeypatch):
    fault = ModuleNotFoundError("none", name="array_record.python")
    monkeypatch.setattr(Fake, "fault", fault)
    with pytest.raises(InputError, match=r"array-record.* use \.npz files"):
        prepared.prepare(Fake, str(tmp_path))


def test_another_process_was_faster(tmp_path, monkeypatch):
    def late(self):
        folder = folder_of(tmp_path)
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text("{}")
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    monkeypatch.setattr(Fake, "download_and_prepare", late)
    builder = prepared.prepare(Fake, str(tmp_path))
    assert builder.data_path == folder_of(tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("Corrupted Riegeli/records file\nmore"),
        KeyError("train"),
        FileNotFoundError("gone"),
    ],
)
def test_damaged_records_are_named(fault):
    class Builder:
        name = "fake"
        data_path = "/somewhere/fake/1.0.0"

        def as_data_source(self, name):
            yield {"id": 0}
            raise fault

    with pytest.raises(
        InputError, match=r"in /somewhere/fake/1\.0\.0 are damaged .*; remove"
    ) as caught:
        prepared.read(Builder(), ["train"], (), ())
    assert "\n" not in str(caught.value)


def test_records_are_ordered_by_id():
    class Builder:
        def as_data_source(self, name):
            return [
                {"id": k, "label": k % 2, "x": np.full(2, k), "g": k}
                for k in (3, 1, 2)
            ]

    split = prepared.read(Builder(), ["train"], ("x",), ("g",))
    np.testing.assert_array_equal(split.id, [1, 2, 3])
    np.testing.assert_array_equal(split.inputs["x"][:, 0], [1, 2, 3])
