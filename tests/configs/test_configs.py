"""Every config loads, converts, and its run command is in its docstring."""

import importlib
import inspect
import re
import shlex
from pathlib import Path

import pytest

from arm_jax import methods
from arm_jax.config import Config, from_mapping
from arm_jax.errors import InputError
from arm_jax.models import encoders
from arm_jax.studies import tuning
from arm_jax.studies.comparison import ComparisonConfig, plan
from arm_jax.studies.coverage import CoverageConfig
from arm_jax.studies.quantify import QuantifyConfig
from arm_jax.studies.recovery import RecoveryConfig
from arm_jax.studies.synergy import SynergyConfig
from configs import (
    avdigits,
    common,
    coverage,
    cremad,
    food101,
    kinetics_sounds,
    mfeat,
    mosi,
    npz,
    published,
    recovery,
    screening,
    synergy,
    truth,
    ucf51,
    watch,
)
from experiments import cli, overrides

# And how many modalities the data set has.
DATA_SETS = {avdigits: 2, mfeat: 6, mosi: 3, npz: 2, watch: 2}
# Data sets that are for training alone: they do not fit into memory.
MEDIA = {food101: 2, kinetics_sounds: 2, ucf51: 2, cremad: 2}
COMMANDS = {"train", "compare", "quantify", "coverage", "study", "synergy"}
STUDIES = (published, recovery, screening, truth)
# Methods that a comparison leaves out though they are defined for the data.
LEFT_OUT = {npz: {"arm_released"}}


def name(module):
    return module.__name__.rpartition(".")[2]


def by_name(modules):
    return pytest.mark.parametrize("module", modules, ids=name)


# Only the comparison of all has them.
NOT_COMPARED = {
    "amco",
    "arl",
    "arm_guided",
    "cggm",
    "cml",
    "g_blending",
    "greedy",
    "inforeg",
    "late_fusion",
    "lfm",
    "linear_probe",
    "mbsd",
    "mmcosine",
    "mmpareto",
    "modality_dropout",
    "modality_valuation",
    "opm",
    "reconboost",
    "relearning",
    "tcmax",
    "umt",
}


def counts(method):
    """The numbers of modalities that a method is defined for."""
    return methods.create(method, {}).modality_counts or range(1, 100)


@by_name([*DATA_SETS, *MEDIA, *STUDIES, coverage, synergy])
def test_every_command_is_in_the_docstring(module):
    functions = COMMANDS & vars(module).keys()
    if hasattr(module, "get_config"):
        functions.add("train")
    assert functions
    for command in functions:
        line = f"experiments.{command} --config=configs/{name(module)}.py"
        assert line in module.__doc__


@by_name(STUDIES)
def test_studies_are_what_the_command_runs(module):
    config = cli.to_dict(module.study())
    study = config.pop("study")
    run = importlib.import_module(f"arm_jax.studies.{study}")
    assert callable(getattr(run, study))
    report = importlib.import_module(f"arm_jax.reports.{study}")
    assert callable(report.markdown)
    from_mapping(getattr(run, f"{study.title()}Config"), config)


@by_name([*DATA_SETS, *MEDIA])
@pytest.mark.parametrize("method", methods.names())
def test_training_configs_convert(module, method):
    config = from_mapping(Config, cli.to_dict(module.get_config(method)))
    assert config.method.name == method
    chosen = getattr(module, "ARM", {}) if method == "arm" else {}
    assert config.method.options == methods.default_options(method) | chosen


def test_the_page_on_encoders_replaces_a_block():
    page = (Path(__file__).parents[2] / "docs" / "encoders.md").read_text()
    command = re.search(r"```bash\n(python .*?)```", page, re.DOTALL)[1]
    arguments, given = overrides.split(shlex.split(command))
    file = next(x for x in arguments if x.startswith("--config="))
    config = overrides.load(file.partition("=")[2], given, "train")
    block = config.model.encoders.text.to_dict()
    assert block.pop("weights").startswith("~/models/")
    # It has no option that is the other encoder's.
    encoders.create("model.encoders.text", block, {})


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


@pytest.mark.parametrize("module", [kinetics_sounds, cremad, ucf51], ids=name)
def test_clips_without_sound_are_an_argument(module):
    config = module.get_config("joint,video")
    assert config.data.options.modalities == ("video",)
    assert set(config.model.encoders) == {"video"}
    assert module.get_config("").method.name == "joint"


def test_modalities_of_ucf_are_an_argument():
    config = ucf51.get_config("arm,audio,video")
    assert config.method.name == "arm"
    assert config.data.options.modalities == ("audio", "video")
    assert set(config.model.encoders) == {"audio", "video"}
    three = ucf51.compare("audio,flow,video")
    assert len(three.training.model.encoders) == 3
    # All of them are defined for so many.
    for variants in _planned(three).values():
        for one in variants.values():
            assert 3 in counts(one["method"]["name"])
    assert set(ucf51.compare().runs) - set(three.runs) == {"arm_released"}


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


@by_name(DATA_SETS)
def test_tuned_comparisons_have_every_method(module):
    config = module.compare("tuned,sgd")
    assert config.training.optimizer.name == "sgd"
    runs = _planned(config)
    # A rhythm that fits: the data set has the epochs for all of them.
    for name, variants in runs.items():
        one = from_mapping(Config, next(iter(variants.values())))
        method = methods.create(one.method.name, one.method.options)
        assert method.starts() < one.train.epochs
        assert method.least_epochs(DATA_SETS[module]) <= one.train.epochs
        assert 1 <= len(tuning.points(variants[next(iter(variants))])) <= 6
        assert one.method.name == name
    assert runs.keys() == {
        name for name in methods.names() if DATA_SETS[module] in counts(name)
    } - LEFT_OUT.get(module, set())
    untuned = module.compare("all")
    assert not untuned.tuned
    assert set(untuned.runs) == set(runs)


def test_words_of_a_comparison():
    known = ("speaker", "official")
    plain = {"every": False, "tuned": False, "optimizer": "adamw"}
    assert common.words("", known) == ("speaker", plain)
    assert common.words("official,tuned,sgd", known) == (
        "official",
        {"every": False, "tuned": True, "optimizer": "sgd"},
    )
    assert common.words("") == ("", plain)
    with pytest.raises(
        InputError, match="must be one of all, tuned, adamw, sgd"
    ):
        common.words("tuned,adam")


@pytest.mark.parametrize("argument", ["official,speaker", "sgd,all,adamw"])
def test_words_of_a_comparison_that_clash(argument):
    with pytest.raises(
        InputError, match=f"'{argument}' after .* not go togeth"
    ):
        common.words(argument, ("speaker", "official"))


@pytest.mark.parametrize("module", [mosi, avdigits])
def test_choosing_options_takes_no_other_words(module):
    with pytest.raises(
        InputError, match="'select,sgd' after .* not go together"
    ):
        module.compare("select,sgd")


def test_choosing_on_mosi_is_on_validation():
    config = mosi.compare("select")
    assert config.split == "validation"
    _planned(config)


def test_studies_convert():
    for argument in ("drawn", "golden"):
        config = cli.to_dict(coverage.coverage(argument))
        assert from_mapping(CoverageConfig, config).tables == argument
    for argument in ("exact", "fitted"):
        config = cli.to_dict(recovery.study(argument))
        assert config.pop("study") == "recovery"
        assert from_mapping(RecoveryConfig, config).posteriors == argument
    for argument in ("random", "logic"):
        config = cli.to_dict(synergy.synergy(argument))
        assert from_mapping(SynergyConfig, config).kind == argument


def _planned(config):
    runs = plan(from_mapping(ComparisonConfig, cli.to_dict(config)))
    for variants in runs.values():
        for one in variants.values():
            from_mapping(Config, one)
    return runs
