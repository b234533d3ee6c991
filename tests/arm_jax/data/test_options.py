from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from arm_jax.data import options
from arm_jax.errors import InputError


def load(
    *,
    path: str,
    fold: int = 0,
    rate: float = 0.5,
    whole: bool = True,
    names: Sequence[str] = (),
    other: tuple = (),
    free=None,
):
    return {"path": path, "fold": fold, "rate": rate, "names": names}


def checked(**given):
    return options.checked("data set 'mine'", load, {"path": "x"} | given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"path": Path("a") / "b"}, str(Path("a") / "b")),
        ({"fold": np.int64(3)}, 3),
        ({"rate": 1}, 1.0),
        ({"rate": np.float32(0.25)}, 0.25),
        ({"whole": np.bool_(False)}, False),
        ({"names": "a"}, ("a",)),
        ({"names": ["a", "b"]}, ("a", "b")),
        ({"names": np.array(["a"])}, ("a",)),
        ({"names": np.array("a")}, ("a",)),
        ({"other": [1]}, [1]),
        ({"free": 1j}, 1j),
    ],
)
def test_values_take_the_type_of_the_signature(given, expected):
    (name,) = given
    found = checked(**given)[name]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": None}, "data.options.path must be of type str, got None"),
        ({"path": b"x"}, "data.options.path must be of type str, got b'x'"),
        ({"fold": "1"}, "data.options.fold must be of type int, got '1'"),
        ({"fold": 1.0}, "data.options.fold must be of type int, got 1.0"),
        ({"fold": True}, "data.options.fold must be of type int, got True"),
        ({"rate": "0.5"}, "data.options.rate must be of type float, got '0"),
        ({"rate": False}, "data.options.rate must be of type float, got Fa"),
        ({"whole": "false"}, "data.options.whole must be of type bool, got 'f"),
        ({"whole": 1}, "data.options.whole must be of type bool, got 1"),
        ({"names": 5}, "data.options.names must be a tuple, got 5"),
        ({"names": ["a", 5]}, r"names\[1\] must be of type str, got 5"),
        ({"fold": "x" * 999}, r"got 'x{56}\.\.\.$"),
        ({"pth": 1}, "no option 'pth'; did you mean 'path'"),
    ],
)
def test_wrong_values_are_named(given, message):
    with pytest.raises(InputError, match=message):
        checked(**given)


def test_missing_option():
    with pytest.raises(InputError, match="'mine' needs config data.opt"):
        options.checked("data set 'mine'", load, {})


def test_typed_function_checks_itself():
    typed = options.typed(load)
    assert typed(path=Path("x"), fold=np.int8(1))["fold"] == 1
    with pytest.raises(InputError, match="fold must be of type int"):
        typed(path="x", fold="1")


def test_types_that_are_not_imported_are_not_checked():
    def load(*, path: "Unknown", fold: int = 0):  # noqa: F821
        return path

    assert options.checked("x", load, {"path": 3, "fold": 1})["path"] == 3


def test_any_option_of_a_catch_all():
    def load(**settings):
        return settings

    assert options.checked("x", load, {"a": 1}) == {"a": 1}
