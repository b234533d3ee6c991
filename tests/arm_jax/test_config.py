import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pytest

from arm_jax.config import (
    Config,
    DataConfig,
    ModelConfig,
    check_options,
    from_mapping,
)
from arm_jax.errors import InputError


def test_nested_blocks_and_defaults():
    config = from_mapping(
        Config,
        {
            "data": {"name": "npz", "options": {"path": "a.npz"}},
            "model": {"hidden": [8, 4]},
            "optimizer": {"learning_rate": 1},
        },
    )
    assert config.data.options["path"] == "a.npz"
    assert config.model == ModelConfig(hidden=(8, 4))
    assert config.optimizer.learning_rate == 1.0
    assert isinstance(config.optimizer.learning_rate, float)


def test_modules_that_are_named_by_dotted_paths():
    data = {"name": "npz", "options": {"path": "a.npz"}}
    assert from_mapping(Config, {"data": data}).modules == ()
    config = from_mapping(
        Config,
        {
            "data": {"name": "mine.set"},
            "method": {"name": "mine.loss"},
            "model": {
                "encoder": "mine.any",
                "encoders": {"a": {"name": "mine.one"}, "b": {"hidden": ()}},
                "fusion": {"name": "mine.fusion"},
            },
        },
    )
    names = ("any", "fusion", "loss", "one", "set")
    assert config.modules == tuple(f"mine.{name}" for name in names)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"data": {"name": "x", "batchsize": 3}}, "did you mean 'batch_size'"),
        ({"data": {}}, "'data.name' is missing"),
        ({"data": {"name": 3}}, "data.name must be of type str, got 3"),
        ({"data": 3}, "data must be a block"),
        (
            {"data": {"name": "x"}, "train": {"epochs": 2.5}},
            "train.epochs must be of type int, got 2.5",
        ),
        (
            {"data": {"name": "x"}, "train": {"epochs": True}},
            "train.epochs must be of type int",
        ),
        ({"data": {"name": "x"}, "train": {"epochs": 0}}, "at least 1, got 0"),
        (
            {"data": {"name": "x"}, "train": {"seed": 2**32 - 1, "seeds": 2}},
            r"train\.seed must be at most 4294967294, .* got 4294967295",
        ),
        ({"data": {"name": "x"}, "model": {"dropout": 1.0}}, "dropout must be"),
        ({"data": {"name": "x"}, "model": {"hidden": (0,)}}, "positive widths"),
        (
            {"data": {"name": "x"}, "optimizer": {"learning_rate": -1.0}},
            "learning_rate must be at least 0",
        ),
        (
            {"data": {"name": "x"}, "optimizer": {"clip_norm": float("inf")}},
            r"optimizer\.clip_norm must be finite, got inf",
        ),
        (
            {"data": {"name": "x"}, "optimizer": {"clip_norm": float("nan")}},
            "clip_norm must be at least 0, got nan",
        ),
        ({"data": {"name": "x"}, "model": {"head": (-1,)}}, "head must hold"),
        (
            {"data": {"name": "x"}, "model": {"dtype": "float16"}},
            r"model\.dtype must be one of float32, bfloat16, got 'float16'",
        ),
        (
            {"data": {"name": "x"}, "model": {"encoders": {"a": (8,)}}},
            r"model\.encoders\.a must be a block, got \(8,\)",
        ),
        (
            {"data": {"name": "x"}, "model": {"encoders": "wide"}},
            r"model\.encoders must be a block, got 'wide'",
        ),
        (
            {"data": {"name": "x"}, "model": {"hidden": (8.0, 4)}},
            r"model\.hidden\[0\] must be of type int, got 8\.0",
        ),
        ({"data": {"name": "x", "batch_size": "y" * 500}}, r"yyy\.\.\.$"),
    ],
)
def test_what_is_wrong_is_named(mapping, message):
    with pytest.raises(InputError, match=message):
        from_mapping(Config, mapping)


def test_options_cannot_be_changed():
    config = DataConfig("x")
    with pytest.raises(AttributeError):
        config.name = "y"  # type: ignore[misc]


def load(
    *,
    path: str,
    names: Sequence[str] = (),
    rate: float = 0.5,
    seed: int = 0,
    limit: int | None = None,
    kind: Literal["a", "b"] = "a",
    where: str | os.PathLike = "",
    pairs: Mapping[str, tuple[int, int]] = {},  # noqa: B006
    flag=True,
    word="w",
    number=1,
    nothing=None,
    hook: Callable | None = None,
    text: "int" = 3,  # an annotation that stays text
    anything: Any = 0,
):
    raise NotImplementedError


PARAMETERS = inspect.signature(load).parameters


def check(**options):
    check_options("load", PARAMETERS, {"path": "p"} | options, "data.options")


@pytest.mark.parametrize(
    "options",
    [
        {"names": ("a", "b")},
        {"names": ["a"]},
        {"rate": 1},
        {"rate": np.float32(0.1)},
        {"seed": np.int64(3)},
        {"limit": None},
        {"limit": 3},
        {"kind": "b"},
        {"pairs": {"a": [1, 2]}},
        {"flag": False},
        {"number": 2.5},
        {"nothing": object()},
        {"hook": print},
        {"text": "any"},
        {"anything": "any"},
    ],
)
def test_options_of_their_types(options):
    check(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nmaes": ()}, "^load has no option 'nmaes'; did you mean 'names'"),
        ({"names": "a"}, r"^config data\.options\.names must be a tuple, got"),
        ({"names": (1,)}, r"names\[0\] must be of type str, got 1"),
        ({"rate": "big"}, "rate must be of type float, got 'big'"),
        ({"rate": True}, "rate must be of type float, got True"),
        ({"rate": None}, "rate must be of type float, got None"),
        ({"seed": 1.5}, "seed must be of type int, got 1.5"),
        ({"limit": "x"}, "limit must be of type int or NoneType, got 'x'"),
        ({"kind": "c"}, "kind must be one of 'a', 'b', got 'c'"),
        ({"pairs": 3}, "pairs must be a block, got 3"),
        ({"pairs": {"a": (1,)}}, r"pairs\.a must be a tuple of 2"),
        ({"flag": 1}, "flag must be of type bool, got 1"),
        ({"word": 1}, "word must be of type str, got 1"),
        ({"number": "x"}, "number must be of type float, got 'x'"),
        ({"word": ["x" * 99]}, r"got \['x{55}\.\.\.$"),
    ],
)
def test_options_of_other_types(options, message):
    with pytest.raises(InputError, match=message):
        check(**options)


def test_an_option_that_is_needed():
    with pytest.raises(
        InputError, match=r"^load needs config data\.options\.p"
    ):
        check_options("load", PARAMETERS, {}, "data.options")


def test_a_function_that_takes_any_option():
    def anything(*names, **options):
        raise NotImplementedError

    parameters = inspect.signature(anything).parameters
    check_options("anything", parameters, {"x": 1}, "data.options")
