"""Every config loads, converts, and its run command is in its docstring."""

import importlib
import pkgutil

import pytest

import configs
from arm_jax import methods
from arm_jax.config import Config, from_mapping
from experiments import cli, quantify
from experiments.compare import plan

QUANTIFIED = ("avdigits", "mfeat", "mosi", "npz", "watch")
TRAINING = ("avdigits", "mfeat", "mosi", "npz", "watch")
COMPARISONS = (
    "compare_avdigits",
    "compare_mfeat",
    "compare_mosi",
    "compare_watch",
    "select_avdigits",
)


def test_every_config_has_its_command():
    for module in pkgutil.iter_modules(configs.__path__):
        config = importlib.import_module(f"configs.{module.name}")
        if hasattr(config, "get_config"):
            assert f"--config=configs/{module.name}.py" in config.__doc__


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("method", methods.names())
def test_training_configs_convert(name, method):
    module = importlib.import_module(f"configs.{name}")
    config = from_mapping(Config, cli.to_dict(module.get_config(method)))
    assert config.method.name == method
    assert config.method.options == methods.default_options(method)


@pytest.mark.parametrize("name", QUANTIFIED)
def test_quantifying_configs_convert(name):
    module = importlib.import_module(f"configs.quantify_{name}")
    config = from_mapping(quantify.Config, cli.to_dict(module.get_config()))
    assert config.data["name"] == name


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_complete(name):
    module = importlib.import_module(f"configs.{name}")
    runs = plan(cli.to_dict(module.get_config()))
    assert set(methods.names()) <= set(runs)
    for variants in runs.values():
        for config in variants.values():
            from_mapping(Config, config)
