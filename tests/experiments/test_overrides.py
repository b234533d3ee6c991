from pathlib import Path

import pytest

from arm_jax.config import Config, from_mapping
from arm_jax.errors import InputError
from configs import npz
from experiments import cli, overrides

ROOT = Path(__file__).parent.parent.parent
NPZ = str(ROOT / "configs" / "npz.py")


def overridden(*arguments, given=NPZ):
    others, found = overrides.split(["command", *arguments])
    assert others == ["command"]
    return cli.to_dict(overrides.load(given, found))


def at(config, key):
    for name in key.split("."):
        config = config[name]
    return config


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("train.epochs=5", 5),
        ("train.epochs=1_000", 1000),
        ("optimizer.learning_rate=1e-2", 0.01),
        ("optimizer.clip_norm=1", 1.0),
        ("optimizer.name=sgd", "sgd"),
        ("data.options.path=C:\\data=1.npz", "C:\\data=1.npz"),
        ("data.options.path=", ""),
        ("data.options.standardize=false", False),
        ("data.options.standardize=1", True),
        ("model.hidden=64,32", (64, 32)),
        ("model.hidden=(64, 32)", (64, 32)),
        ("model.hidden=[64]", (64,)),
        ("model.hidden=64", (64,)),
        ("model.hidden=", ()),
        ("model.hidden=()", ()),
        ("model.head=16", (16,)),
        ("data.options.modalities=image,text", ("image", "text")),
        ("data.options.modalities=(image, text)", ("image", "text")),
        ("data.options.modalities=('image','text')", ("image", "text")),
        ("data.options.modalities=image", ("image",)),
        ("model.encoders.audio.hidden=(8,4)", (8, 4)),
        ("model.encoders.audio.hidden=8,4", (8, 4)),
        ("model.encoders.audio.length=8", 8),
        ("model.encoders={'audio': {'length': 8}}", {"audio": {"length": 8}}),
        ("model.fusion.name=gated", "gated"),
        ("data.options.extra=1.5", 1.5),
        ("data.options.seed=0.5", 0.5),  # its annotation decides
    ],
)
def test_values_as_they_are_typed(argument, value):
    key = argument.partition("=")[0]
    found = at(overridden(f"--config.{argument}"), key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("arguments", "key", "value"),
    [
        (["--config.train.epochs", "5"], "train.epochs", 5),
        (["-config.train.epochs=5"], "train.epochs", 5),
        (["--config.optimizer.momentum", "-1"], "optimizer.momentum", -1.0),
        (["--config.train.seed=1", "--config.train.seed=2"], "train.seed", 2),
        (
            ["--noconfig.data.options.standardize"],
            "data.options.standardize",
            False,
        ),
    ],
)
def test_ways_to_write_an_override(arguments, key, value):
    assert at(overridden(*arguments), key) == value


def test_the_readme_types_them_so():
    given = ROOT / "configs" / "watch.py"
    config = overridden(
        "--config.train.epochs=5",
        "--config.method.options.balance=1.0",
        "--config.model.hidden=64,32",
        "--config.model.encoders.accel.length=16",
        given=f"{given}:arm",
    )
    config = from_mapping(Config, config)
    assert config.method.options["balance"] == 1.0
    assert config.model.encoders["accel"]["length"] == 16
    assert config.model.encoders["accel"]["stride"] == 10


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("trian.epochs=3", "unknown config key 'trian'; did you mean 'train'?"),
        ("train.epoch=3", r"'train\.epoch'; did you mean 'epochs'\?"),
        ("xyz=3", "unknown config key 'xyz'; there are: data, method, "),
        ("train.epochs=many", r"train\.epochs must be an integer, got 'many'"),
        ("train.epochs=1e1", r"be an integer, got '1e1': write 10$"),
        ("train.epochs=2.5", r"be an integer, got '2\.5'$"),
        ("train.epochs=True", "be an integer, got 'True'"),
        ("train.epochs=" + "9" * 5000, "be an integer, got '9{57}...'"),
        ("optimizer.momentum=much", r"momentum must be a number, got 'much'"),
        ("data.options.standardize=maybe", "must be true or false, got 'may"),
        ("model.hidden=wide", "be integers with commas, as in 64,64, got 'wi"),
        ("model.hidden=64,1.5", "be integers with commas"),
        ("model.hidden=(64,32", "be integers with commas"),
        ("train=3", r"train is a block: write --config\.train\.KEY=VALUE, or"),
        (
            "train.epochs.first=3",
            r"train\.epochs is a value and no block",
        ),
        ("=3", "names no key"),
        (".epochs=3", "unknown config key ''"),
        ("train..epochs=3", r"unknown config key 'train\.'"),
    ],
)
def test_overrides_that_cannot_be(argument, message):
    with pytest.raises(InputError, match=message) as caught:
        overridden(f"--config.{argument}")
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--config.train.epochs"],
            r"value; write --config\.train\.epochs=",
        ),
        (["--config.train.epochs", "--workdir=w"], "no value"),
        (["--config.model.hidden=8", "--config.model.hidden=4"], "given twice"),
    ],
)
def test_overrides_without_sense(arguments, message):
    with pytest.raises(InputError, match=message):
        overridden(*arguments)


def test_other_arguments_are_left_alone():
    argv = ["x", "--workdir=w", "--config=a.py", "--", "--config.b=1"]
    assert overrides.split(argv) == (argv, [])


FILES = {
    "plain.txt": "",
    "config.json": "{}",
    "empty.py": "",
    "number.py": "def get_config():\n    return 3\n",
    "bare.py": "def get_config():\n    from ml_collections import ConfigDict"
    "\n    return ConfigDict({'a': 1})\n",
    "cut.py": "def get_config(:\n",
    "null.py": "x = 1\n\0\n",
    "refused.py": "from arm_jax.errors import InputError\n"
    "def get_config():\n    raise InputError('not so')\n",
}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere/a.py", "no config file .*: there is no folder"),
        ("bear.py", r"no config file .*bear\.py; did you mean 'bare\.py'\?"),
        ("plain.txt", "is no Python file; a config is a .py file"),
        ("config.json", "is no Python file"),
        ("", "is a folder; a config is a .py file"),
        ("empty.py", r"empty\.py has no function train or get_config"),
        ("number.py", "must return a ConfigDict, got int"),
        ("bare.py:arm", r"get_config\(\) does not fit .* colon, 'arm'"),
        ("cut.py", r"cut\.py is no Python: .*line 1"),
        ("null.py", r"null\.py is no Python: .*null"),
        ("refused.py", "^not so$"),
    ],
)
def test_config_files_that_are_none(given, message, tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        overrides.load(f"{tmp_path / given}")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("def get_config():\n    return 1 / 0\n", ZeroDivisionError),
        ("def get_config():\n    raise ValueError('mine')\n", ValueError),
        ("import nothing_of_the_kind\n", ModuleNotFoundError),
    ],
)
def test_a_defect_of_a_config_file_keeps_its_name(text, kind, tmp_path):
    file = tmp_path / "broken.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(kind) as caught:
        overrides.load(str(file))
    assert not isinstance(caught.value, InputError)


def test_references_follow_an_override(tmp_path):
    file = tmp_path / "reference.py"
    file.write_text(
        "from ml_collections import ConfigDict\n"
        "def get_config():\n"
        "    c = ConfigDict({'a': 1})\n"
        "    c.b = c.get_ref('a') * 2\n"
        "    return c\n",
        encoding="utf-8",
    )
    config = overridden("--config.a=5", given=str(file))
    assert config == {"a": 5, "b": 10}


def test_a_file_is_read_anew(npz_file):
    # What one command overrides must not be in the next one's defaults.
    overridden("--config.model.hidden=8", "--config.model.encoders.a.length=2")
    config = overridden()
    assert config["model"] == cli.to_dict(npz.get_config())["model"]


def test_configs_of_the_package_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = overrides.load("npz:arm", [("train.epochs", "3")])
    assert config.method.name == "arm"
    assert config.train.epochs == 3
    # The file of the same name is another one.
    (tmp_path / "npz.py").write_text(
        "from ml_collections import ConfigDict\n"
        "def get_config():\n    return ConfigDict({'mine': 1})\n"
    )
    assert overrides.load("npz.py").to_dict() == {"mine": 1}
    assert overrides.load("npz").method.name == "joint"
    with pytest.raises(InputError, match=r"npy\.py; did you mean"):
        overrides.load("npy")


def test_the_function_is_the_commands(tmp_path):
    assert "symbols" in overrides.load("npz", command="quantify")
    assert "groups" in overrides.load("npz", command="compare")
    # In a config of the package get_config is for training alone.
    with pytest.raises(
        InputError, match=r"npz\.py has no function synergy\(\)"
    ):
        overrides.load("npz", command="synergy")
    file = tmp_path / "mine.py"
    file.write_text(
        "from ml_collections import ConfigDict\n"
        "def get_config():\n    return ConfigDict({'any': 1})\n"
        "def compare():\n    return ConfigDict({'compared': 1})\n"
    )
    assert "any" in overrides.load(str(file), command="quantify")
    assert "compared" in overrides.load(str(file), command="compare")
