"""Every config loads, converts, and its run command is in its docstring."""

import importlib
import pkgutil

import pytest

import configs
from arm_jax import methods
from arm_jax.config import Config, from_mapping
from configs import compare_mosi, mosi, select_mosi
from experiments import cli, quantify
from experiments.compare import plan

QUANTIFIED = ("avdigits", "mfeat", "mosi", "npz", "watch")
TRAINING = ("avdigits", "mfeat", "mosi", "npz", "watch")
# And how many modalities the data set has.
COMPARISONS = {
    "compare_avdigits": 2,
    "compare_mfeat": 6,
    "compare_mosi": 3,
    "compare_watch": 2,
    "select_avdigits": 2,
}


# They have no rows in docs/comparison.md yet.
NOT_COMPARED = {"mmpareto", "relearning"}


def counts(method):
    """The numbers of modalities that a method is defined for."""
    return methods.create(method, {}).modality_counts or range(1, 100)


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
    chosen = getattr(module, "ARM", {}) if method == "arm" else {}
    assert config.method.options == methods.default_options(method) | chosen


def test_what_a_data_set_chose_for_arm_is_in_its_comparison():
    runs = compare_mosi.get_config().runs
    arm = methods.default_options("arm") | mosi.ARM
    assert runs["arm"].options.to_dict() == arm
    # It has no re-sampling to be stripped of.
    assert "arm_no_resampling" not in runs
    assert runs["arm_resampling"].options.replay == 0.5
    assert runs["arm_unimodal_half"].options.unimodal == arm["unimodal"] / 2


@pytest.mark.parametrize("name", QUANTIFIED)
def test_quantifying_configs_convert(name):
    module = importlib.import_module(f"configs.quantify_{name}")
    config = from_mapping(quantify.Config, cli.to_dict(module.get_config()))
    assert config.data["name"] == name


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_complete(name):
    module = importlib.import_module(f"configs.{name}")
    runs = plan(cli.to_dict(module.get_config()))
    defined = {
        method
        for method in methods.names()
        if COMPARISONS[name] in counts(method)
    } - NOT_COMPARED
    found = {
        config["method"]["name"] for v in runs.values() for config in v.values()
    }
    assert found == defined
    _all_convert(runs)


def test_choosing_on_mosi_is_on_validation():
    config = cli.to_dict(select_mosi.get_config())
    assert config["split"] == "validation"
    _all_convert(plan(config))


def _all_convert(runs):
    for variants in runs.values():
        for config in variants.values():
            from_mapping(Config, config)
