import sys
import types

import pytest

from arm_jax import data
from arm_jax.errors import InputError


def test_names():
    assert set(data.names()) == {
        *("avdigits", "food101", "mfeat", "mosi", "npz", "watch"),
        *("cremad", "kinetics_sounds", "ucf"),
    }


def test_unknown_name():
    with pytest.raises(InputError, match="unknown data set 'wach'; known: "):
        data.load("wach", {})


def test_option_of_a_wrong_type():
    for name, options in (
        ("mosi", {"fold": "1"}),
        ("avdigits", {"held_out": True}),
        ("avdigits", {"protocol": ["speaker"]}),
        ("mfeat", {"path": 3}),
        ("watch", {"data_dir": None}),
    ):
        (option,) = options
        with pytest.raises(
            InputError, match=f"config data.options.{option} must be"
        ):
            data.load(name, options)


@pytest.fixture
def own(monkeypatch):
    """Makes a module `own.data` of a user with the function given."""

    def make(load):
        module = types.ModuleType("own.data")
        if load is not None:
            module.load = load
        monkeypatch.setitem(sys.modules, "own", types.ModuleType("own"))
        monkeypatch.setitem(sys.modules, "own.data", module)

    return make


def test_own_data_set_that_returns_something_else(own):
    own(lambda: {"train": 1})
    with pytest.raises(InputError, match="must return an arm_jax.data.Dataset"):
        data.load("own.data", {})


def test_own_module_without_load(own):
    own(None)
    with pytest.raises(InputError, match="'own.data' has no function `load`"):
        data.load("own.data", {})


def test_own_data_set_is_checked(own):
    own(lambda: data.Dataset("mine", ("a", "b"), {}))
    with pytest.raises(InputError, match="mine: the splits must be train"):
        data.load("own.data", {})


def test_required_option_of_an_own_data_set(own):
    def load(*, place: str):
        return place

    own(load)
    with pytest.raises(InputError, match="needs config data.options.place"):
        data.load("own.data", {})


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
