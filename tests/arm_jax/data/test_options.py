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
        ({"path": None}, "option 'path' must be text, got None"),
        ({"path": b"x"}, "option 'path' must be text, got b'x'"),
        ({"fold": "1"}, "option 'fold' must be an integer, got '1'"),
        ({"fold": 1.0}, "option 'fold' must be an integer, got 1.0"),
        ({"fold": True}, "option 'fold' must be an integer, got True"),
        ({"rate": "0.5"}, "option 'rate' must be a number, got '0.5'"),
        ({"rate": False}, "option 'rate' must be a number, got False"),
        ({"whole": "false"}, "'whole' must be True or False, got 'false'"),
        ({"whole": 1}, "'whole' must be True or False, got 1"),
        ({"names": 5}, "option 'names' must be names, got 5"),
        ({"names": ["a", 5]}, r"'names' must be names, got \['a', 5\]"),
        ({"fold": "x" * 999}, r"got 'x{56}\.\.\.$"),
        ({"pth": 1}, "no option 'pth'; did you mean 'path'"),
    ],
)
def test_wrong_values_are_named(given, message):
    with pytest.raises(InputError, match=f"data set 'mine'.*{message}"):
        checked(**given)


def test_missing_option():
    with pytest.raises(InputError, match="data set 'mine' needs the option 'p"):
        options.checked("data set 'mine'", load, {})


def test_typed_function_checks_itself():
    typed = options.typed(load)
    assert typed(path=Path("x"), fold=np.int8(1))["fold"] == 1
    with pytest.raises(InputError, match="'fold' must be an integer"):
        typed(path="x", fold="1")


def test_types_that_are_not_imported_are_not_checked():
    def load(*, path: "Unknown", fold: int = 0):  # noqa: F821
        return path

    assert options.checked("x", load, {"path": 3, "fold": "1"})["fold"] == "1"


def test_any_option_of_a_catch_all():
    def load(**settings):
        return settings

    assert options.checked("x", load, {"a": 1}) == {"a": 1}
