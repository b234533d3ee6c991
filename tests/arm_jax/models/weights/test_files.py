"""Files and folders of weights; no JAX in here."""

import hashlib
import json

import numpy as np
import pytest

from arm_jax.errors import InputError
from arm_jax.models import weights
from arm_jax.models.weights import files
from tests.arm_jax.models.weights.state_dicts import save

ONE = {"a": np.ones(2, np.float32)}


def test_a_file_a_folder_and_what_is_beside_them(tmp_path):
    file = save(tmp_path / "model.safetensors", ONE)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    for path in (file, tmp_path):
        opened = files.opened(str(path))
        assert opened.files == (file,)
        assert list(opened.tensors) == ["a"]
        assert opened.beside == ({"model_type": "bert"}, {}, {})
        sha = hashlib.sha256(file.read_bytes()).hexdigest()
        assert files.digest(str(path)) == sha


def test_which_file_of_a_folder(tmp_path):
    one = save(tmp_path / "adapter.safetensors", ONE)
    assert files.find(str(tmp_path)) == (one,)
    save(tmp_path / "other.safetensors", ONE)
    with pytest.raises(InputError, match=r"several files .adapter.*: name one"):
        files.find(str(tmp_path))
    whole = save(tmp_path / "model.safetensors", ONE)
    assert files.find(str(tmp_path)) == (whole,)


def test_files_in_parts(tmp_path):
    first = save(tmp_path / "model-1.safetensors", ONE)
    second = save(tmp_path / "model-2.safetensors", {"b": np.zeros(3)})
    index = tmp_path / "model.safetensors.index.json"
    parts = {"a": first.name, "b": second.name}
    index.write_text(json.dumps({"weight_map": parts}))
    opened = files.opened(str(tmp_path))
    assert opened.files == (first, second)
    assert opened.tensors.keys() == {"a", "b"}
    both = files.digest(str(tmp_path))
    save(second, {"b": np.ones(3)})
    assert files.digest(str(tmp_path)) != both
    save(second, ONE)
    with pytest.raises(InputError, match="model-2.* has a a second time"):
        files.opened(str(tmp_path))
    second.unlink()
    with pytest.raises(InputError, match="names model-2.*, which is missing"):
        files.opened(str(tmp_path))
    for text in ("{}", '{"weight_map": {"a": "../a"}}', '{"weight_map": 3}'):
        index.write_text(text)
        with pytest.raises(InputError, match="has no weight_map"):
            files.opened(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pytorch_model.bin", b"PK\x03\x04", "but pytorch_model.bin: pickles"),
        ("model.pth", b"\x80\x02", "but model.pth: pickles can run any code"),
        ("tf_model.h5", b"\x89HDF", "has no .safetensors file"),
    ],
)
def test_folders_without(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        files.find(str(tmp_path))


def test_pickles_are_refused_whatever_their_name(tmp_path):
    for name in ("a.bin", "a.pt", "a.safetensors"):
        file = tmp_path / name
        file.write_bytes(b"PK\x03\x04" + bytes(100))
        with pytest.raises(InputError, match=r"is a pickle: .*save_file\("):
            files.find(str(file))


def test_what_cannot_be_found(tmp_path):
    with pytest.raises(InputError, match="there is no .*; nothing is down"):
        files.find(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="no home folder is known"):
        files.find("~nobody_of_that_name/model.safetensors")
    (tmp_path / "config.json").write_text("{")
    save(tmp_path / "model.safetensors", ONE)
    with pytest.raises(InputError, match=r"config.json is no JSON"):
        files.opened(str(tmp_path))


def test_digests_of_a_config(tmp_path):
    file = save(tmp_path / "model.safetensors", ONE)
    blocks = {"text": {"weights": str(tmp_path)}, "image": {}, "x": {"a": 1}}
    sha = hashlib.sha256(file.read_bytes()).hexdigest()
    found = weights.digests(blocks)
    assert found.keys() == {"text", "text (config.json)"}
    assert found["text"] == sha
    (tmp_path / "config.json").write_text('{"num_attention_heads": 4}')
    other = weights.digests(blocks)
    assert other.pop("text (config.json)") != found.pop("text (config.json)")
    assert other == found
    with pytest.raises(
        InputError, match="config model.encoders.text.weights: there is no"
    ):
        weights.digests({"text": {"weights": str(tmp_path / "no")}})
