import runpy
import sys
import tomllib
from pathlib import Path

import pytest

from experiments import main

ROOT = Path(__file__).parents[2]


def test_commands_are_files_with_a_line_each(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["arm-jax", "--help"])
    main.main()
    text = capsys.readouterr().out
    for name, what in main.COMMANDS.items():
        assert (ROOT / "experiments" / f"{name}.py").exists()
        assert f"{name}  " in text
        assert what in text


def test_a_command_is_run_as_if_it_were_started(monkeypatch):
    started = []
    monkeypatch.setattr(
        runpy, "run_module", lambda *x, **y: started.append((x, y, sys.argv))
    )
    monkeypatch.setattr(sys, "argv", ["arm-jax", "train", "--workdir=w"])
    main.main()
    assert started == [
        (
            ("experiments.train",),
            {"run_name": "__main__"},
            ["arm-jax train", "--workdir=w"],
        )
    ]


def test_a_light_install_says_what_commands_need(capsys, monkeypatch):
    error = ModuleNotFoundError("no", name="flax.linen")
    monkeypatch.setattr(runpy, "run_module", Raises(error))
    monkeypatch.setattr(sys, "argv", ["arm-jax", "train"])
    with pytest.raises(SystemExit) as stopped:
        main.main()
    assert stopped.value.code == 2
    assert "pip install 'arm-jax[train]'" in capsys.readouterr().err
    # What else is missing is a defect.
    error = ModuleNotFoundError("no", name="arm_jax.gone")
    monkeypatch.setattr(runpy, "run_module", Raises(error))
    monkeypatch.setattr(sys, "argv", ["arm-jax", "train"])
    with pytest.raises(ModuleNotFoundError):
        main.main()


class Raises:
    def __init__(self, error):
        self.error = error

    def __call__(self, *arguments, **options):
        raise self.error


def test_unknown_commands_are_named(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["arm-jax", "trian"])
    with pytest.raises(SystemExit) as stopped:
        main.main()
    assert stopped.value.code == 2
    assert "unknown command 'trian'; known: train" in capsys.readouterr().err


def test_the_wheel_has_every_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    setuptools = project["tool"]["setuptools"]
    moved = {v: k for k, v in setuptools["package-dir"].items()}
    there = set()
    for top in ("arm_jax", "bounds", "configs", "experiments"):
        for file in (ROOT / top).rglob("__init__.py"):
            name = ".".join(file.parent.relative_to(ROOT).parts)
            there.add(moved.get(name, name))
    assert there == set(setuptools["packages"])
