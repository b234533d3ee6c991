import pytest

from arm_jax.config import Config, DataConfig, ModelConfig, from_mapping
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
        ({"data": {"name": "x"}, "model": {"dropout": 1.0}}, "dropout must be"),
        ({"data": {"name": "x"}, "model": {"hidden": (0,)}}, "positive widths"),
        (
            {"data": {"name": "x"}, "optimizer": {"learning_rate": -1.0}},
            "learning_rate must be at least 0",
        ),
    ],
)
def test_what_is_wrong_is_named(mapping, message):
    with pytest.raises(InputError, match=message):
        from_mapping(Config, mapping)


def test_options_cannot_be_changed():
    config = DataConfig("x")
    with pytest.raises(AttributeError):
        config.name = "y"  # type: ignore[misc]
