"""Every config loads, converts, and its run command is in its docstring."""

import importlib
import inspect

import pytest

from arm_jax import methods
from arm_jax.config import Config, from_mapping
from arm_jax.studies.comparison import ComparisonConfig, plan
from arm_jax.studies.coverage import CoverageConfig
from arm_jax.studies.quantify import QuantifyConfig
from arm_jax.studies.synergy import SynergyConfig
from configs import (
    avdigits,
    coverage,
    cremad,
    food101,
    kinetics_sounds,
    mfeat,
    mosi,
    npz,
    synergy,
    ucf51,
    watch,
)
from experiments import cli

# And how many modalities the data set has.
DATA_SETS = {avdigits: 2, mfeat: 6, mosi: 3, npz: 2, watch: 2}
# Data sets that are for training alone: they do not fit into memory.
MEDIA = {food101: 2, kinetics_sounds: 2, ucf51: 2, cremad: 2}
COMMANDS = {"train", "compare", "quantify", "coverage", "synergy"}
# Methods that a comparison leaves out though they are defined for the data.
LEFT_OUT = {npz: {"arm_released"}}


def name(module):
    return module.__name__.rpartition(".")[2]


def by_name(modules):
    return pytest.mark.parametrize("module", modules, ids=name)


# They have no rows in docs/comparison.md yet.
NOT_COMPARED = {"mmpareto", "relearning"}


def counts(method):
    """The numbers of modalities that a method is defined for."""
    return methods.create(method, {}).modality_counts or range(1, 100)


@by_name([*DATA_SETS, *MEDIA, coverage, synergy])
def test_every_command_is_in_the_docstring(module):
    functions = COMMANDS & vars(module).keys()
    if hasattr(module, "get_config"):
        functions.add("train")
    assert functions
    for command in functions:
        line = f"experiments.{command} --config=configs/{name(module)}.py"
        assert line in module.__doc__


@by_name([*DATA_SETS, *MEDIA])
@pytest.mark.parametrize("method", methods.names())
def test_training_configs_convert(module, method):
    config = from_mapping(Config, cli.to_dict(module.get_config(method)))
    assert config.method.name == method
    chosen = getattr(module, "ARM", {}) if method == "arm" else {}
    assert config.method.options == methods.default_options(method) | chosen


def test_what_a_data_set_chose_for_arm_is_in_its_comparison():
    runs = mosi.compare().runs
    arm = methods.default_options("arm") | mosi.ARM
    assert runs["arm"].options.to_dict() == arm
    # It has no re-sampling to be stripped of.
    assert "arm_no_resampling" not in runs
    assert runs["arm_resampling"].options.replay == 0.5
    assert runs["arm_unimodal_half"].options.unimodal == arm["unimodal"] / 2


@by_name(MEDIA)
def test_media_are_prepared_with_the_options_of_the_config(module):
    line = f"experiments.prepare --config=configs/{name(module)}.py"
    assert line in module.__doc__
    config = module.get_config()
    load = importlib.import_module(f"arm_jax.data.{config.data.name}").load
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(load).parameters.items()
    }
    assert defaults == module.OPTIONS
    own = {"audio", "flow", "video"} & set(config.model.encoders)
    assert own == set(config.data.options.get("modalities", ()))


def test_modalities_of_ucf_are_an_argument():
    config = ucf51.get_config("arm,audio,video")
    assert config.method.name == "arm"
    assert config.data.options.modalities == ("audio", "video")
    assert set(config.model.encoders) == {"audio", "video"}
    training = ucf51.compare("audio,flow,video").training
    assert len(training.model.encoders) == 3


@by_name(DATA_SETS)
def test_quantifying_configs_convert(module):
    config = from_mapping(QuantifyConfig, cli.to_dict(module.quantify()))
    assert config.data.name == name(module)


@pytest.mark.parametrize(
    ("module", "arguments"),
    [*((module, ()) for module in DATA_SETS | MEDIA), (avdigits, ("select",))],
    ids=lambda x: name(x) if hasattr(x, "__name__") else "".join(x),
)
def test_comparisons_are_complete(module, arguments):
    runs = _planned(module.compare(*arguments))
    defined = {
        method
        for method in methods.names()
        if (DATA_SETS | MEDIA)[module] in counts(method)
    } - NOT_COMPARED
    compared = {
        config["method"]["name"] for v in runs.values() for config in v.values()
    }
    assert compared == defined - LEFT_OUT.get(module, set())


def test_choosing_on_mosi_is_on_validation():
    config = mosi.compare("select")
    assert config.split == "validation"
    _planned(config)


def test_studies_convert():
    for argument in ("drawn", "golden"):
        config = cli.to_dict(coverage.coverage(argument))
        assert from_mapping(CoverageConfig, config).tables == argument
    for argument in ("random", "logic"):
        config = cli.to_dict(synergy.synergy(argument))
        assert from_mapping(SynergyConfig, config).kind == argument


def _planned(config):
    runs = plan(from_mapping(ComparisonConfig, cli.to_dict(config)))
    for variants in runs.values():
        for one in variants.values():
            from_mapping(Config, one)
    return runs
