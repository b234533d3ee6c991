"""The reader of files; nothing is compiled."""

import json
import pickle
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax.errors import InputError
from arm_jax.models.weights import safetensors
from tests.arm_jax.models.weights.state_dicts import save

ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.array([1.5, -2.0], np.float16),
    "brain": np.array([1.5, -2.0], jnp.bfloat16),
    "double": np.array([[0.1]]),
    "count": np.array(3, np.int64),
    "none": np.zeros((0, 4), np.float32),
    "yes": np.array([True, False]),
}


def test_tensors_come_back_as_they_are(tmp_path):
    tensors = safetensors.tensors(save(tmp_path / "a.safetensors", ARRAYS))
    assert tensors.keys() == ARRAYS.keys()
    for name, x in ARRAYS.items():
        found = tensors[name].read()
        assert found.dtype == x.dtype
        assert tensors[name].shape == x.shape
        np.testing.assert_array_equal(found, x)
        assert tensors[name].is_floating == (name not in ("count", "yes"))


def broken(tmp_path, content):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    return file


def zipped(tmp_path):
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    return (tmp_path / "zip").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: copy it anew"),
        (pickle.dumps({"a": 1}), "is a pickle: pickles can run any code"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\n <!DOCTYPE html><html>", "is a web page: download the file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "is an HDF5 file"),
        (b"abc", "no .safetensors file, or is truncated"),
        (b"\xff" * 100, "no .safetensors file, or is truncated"),
        (bytes(100), "no .safetensors file, or is truncated"),
        ((90).to_bytes(8, "little") + b"{}" * 20, "or is truncated"),
        ((2).to_bytes(8, "little") + b"[]", "no .safetensors file"),
        ((2).to_bytes(8, "little") + b"{x", "header cannot be read"),
        ((2).to_bytes(8, "little") + b"{}1", "has 11 bytes, its header says"),
    ],
)
def test_what_is_no_such_file(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as caught:
        safetensors.tensors(broken(tmp_path, content))
    assert "model.safetensors" in str(caught.value)


def test_archives_of_pytorch_are_pickles(tmp_path):
    file = broken(tmp_path, zipped(tmp_path))
    assert safetensors.is_pickle(file)
    with pytest.raises(InputError, match=r"is a pickle: .*save_file"):
        safetensors.tensors(file)


def test_truncated_at_any_byte(tmp_path):
    whole = save(tmp_path / "a.safetensors", ARRAYS).read_bytes()
    for end in range(0, len(whole), 7):
        with pytest.raises(InputError, match=r"copy it anew|truncated"):
            safetensors.tensors(broken(tmp_path, whole[:end]))


def entry(dtype="F32", shape=(2, 3), offsets=(0, 24)):
    return {
        "a": {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}
    }


@pytest.mark.parametrize(
    "header",
    [
        entry(dtype="F8_E4M3"),
        entry(dtype=["F32"]),
        entry(shape=(2, 4)),
        entry(shape=(-2, -3)),
        entry(shape=(2.0, 3)),
        entry(shape=3),
        entry(shape=(2**40, 2**40)),
        entry(offsets=(-24, 0)),
        entry(offsets=(0, 24, 48)),
        entry(offsets=(4, 28)),
        {"a": {"dtype": "F32", "shape": [2, 3]}},
        {"a": 3},
        # A second one over the first.
        {"b": entry()["a"]},
    ],
)
def test_headers_that_lie(tmp_path, header):
    file = save(tmp_path / "a.safetensors", {"a": ARRAYS["a"]}, header)
    with pytest.raises(InputError, match="is damaged: "):
        safetensors.tensors(file)


def test_headers_are_bounded(tmp_path):
    length = safetensors._LONGEST_HEADER + 1
    file = broken(tmp_path, length.to_bytes(8, "little") + b"{}")
    with file.open("r+b") as opened:  # as long as it says, and sparse
        opened.truncate(8 + length)
    with pytest.raises(InputError, match=r"no .safetensors file"):
        safetensors.tensors(file)


def test_json_that_is_too_deep(tmp_path):
    text = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    file = broken(tmp_path, len(text).to_bytes(8, "little") + text)
    with pytest.raises(InputError, match="header cannot be read"):
        safetensors.tensors(file)


def test_files_that_change_or_go_away(tmp_path):
    file = save(tmp_path / "a.safetensors", ARRAYS)
    tensor = safetensors.tensors(file)["a"]
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="has become shorter"):
        tensor.read()
    file.unlink()
    with pytest.raises(InputError, match=r"cannot read .*: No such file"):
        tensor.read()
    with pytest.raises(InputError, match="cannot read"):
        safetensors.tensors(file)
    assert not safetensors.is_pickle(file)


def test_metadata_is_no_tensor(tmp_path):
    file = save(tmp_path / "a.safetensors", {"a": ARRAYS["a"]})
    length = int.from_bytes(file.read_bytes()[:8], "little")
    assert "__metadata__" in json.loads(file.read_bytes()[8 : 8 + length])
    assert list(safetensors.tensors(file)) == ["a"]
