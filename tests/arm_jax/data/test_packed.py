import numpy as np
import pytest

from arm_jax.data import packed
from arm_jax.errors import InputError


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / "some.npz", a=np.arange(3), b=np.ones((3, 2)))
    return tmp_path


def test_path_comes_first(folder, monkeypatch):
    monkeypatch.setenv(packed.FOLDER_VARIABLE, "/nowhere")
    file = packed.find("other", str(folder / "some.npz"), "")
    assert file == folder / "some.npz"


def test_folder_of_the_variable(folder, monkeypatch):
    monkeypatch.setenv(packed.FOLDER_VARIABLE, str(folder))
    assert packed.find("some", "", "") == folder / "some.npz"


def test_folder_beside_the_checkout(folder, monkeypatch):
    monkeypatch.delenv(packed.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(packed, "_DEFAULT_FOLDER", folder)
    assert packed.find("some", "", "") == folder / "some.npz"


def test_missing_file_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setenv(packed.FOLDER_VARIABLE, str(folder))
    with pytest.raises(
        InputError, match=r"no file .*other\.npz.* ARM_JAX_DATA\. Ask us"
    ):
        packed.find("other", "", "Ask us")


def test_only_the_named_arrays_are_read(folder):
    assert list(packed.read(folder / "some.npz", ("b",))) == ["b"]
    assert list(packed.read(folder / "some.npz")) == ["a", "b"]


def test_missing_array(folder):
    with pytest.raises(InputError, match=r"some\.npz has no array 'c'"):
        packed.read(folder / "some.npz", ("a", "c"))


def test_arrays_that_would_not_fit(folder, monkeypatch):
    path = folder / "some.npz"
    needed = sum(x.nbytes for x in packed.read(path).values())
    monkeypatch.setattr(packed, "physical_memory", lambda: needed)
    with pytest.raises(InputError, match="unpacks to .* more than half"):
        packed.read(path)


def test_digest_tells_contents_and_names(tmp_path):
    (tmp_path / "x").mkdir()
    first = tmp_path / "x" / "a.wav"
    first.write_bytes(b"12")
    digests = [packed.digest(first), packed.digest(tmp_path)]
    first.write_bytes(b"13")
    digests += [packed.digest(first), packed.digest(tmp_path)]
    first.rename(tmp_path / "x" / "b.wav")
    digests += [packed.digest(tmp_path)]
    assert len(set(digests)) == 5
    assert digests[-1] == packed.digest(tmp_path)
