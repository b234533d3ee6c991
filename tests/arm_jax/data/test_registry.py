import pytest

from arm_jax import data
from arm_jax.errors import InputError


def test_names():
    assert {"avdigits", "mfeat", "mosi", "npz", "watch"} == set(data.names())


def test_unknown_name():
    with pytest.raises(InputError, match="unknown data set 'wach'; known: "):
        data.load("wach", {})


def test_unknown_option():
    with pytest.raises(
        InputError, match="no option 'pth'; did you mean 'path'"
    ):
        data.load("npz", {"pth": "x"})


def test_unknown_module():
    with pytest.raises(InputError, match=r"no module 'nowhere\.at_all'"):
        data.load("nowhere.at_all", {})


def test_dotted_path(npz_file):
    dataset = data.load("arm_jax.data.npz", {"path": str(npz_file)})
    assert len(dataset.splits["train"]) == 140
