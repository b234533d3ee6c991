"""Commands take the workdir's "~" for the home, as the library does."""

import types
from pathlib import Path

import pytest

from arm_jax.errors import InputError
from arm_jax.studies import truth
from experiments import cli, compare, demo, study


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(cli, "required", lambda flag: "~/mine")
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def test_the_table_of_a_comparison(home, monkeypatch, capsys):
    def done(config, workdir, **others):
        (Path(workdir).expanduser() / "table.md").write_text("the table")
        return {}

    nothing = types.SimpleNamespace(value=None)
    monkeypatch.setattr(cli, "config", lambda command: {})
    monkeypatch.setattr(cli, "ALLOW", nothing)
    monkeypatch.setattr(compare, "_ONLY", nothing)
    monkeypatch.setattr(compare, "compare", done)
    assert compare.main([]) == 0
    assert "the table" in capsys.readouterr().out


def test_the_report_of_a_study(home, monkeypatch, capsys):
    row = {
        "problem": "and", "method": "batch", "truth": [0.0] * 4,
        "estimates": [[0.0] * 4], "seconds": [1.0], "megabytes": 1.0,
    }  # fmt: skip
    results = {"samples": 2, "draws": 1, "rows": [row]}
    monkeypatch.setattr(cli, "config", lambda command: {"study": "truth"})
    monkeypatch.setattr(truth, "truth", lambda config, workdir: results)
    assert study.main([]) == 0
    assert (home / "report.html").exists()
    assert f"report: {home / 'report.html'}" in capsys.readouterr().out


def test_a_study_that_goes_on_takes_what_is_allowed(home, monkeypatch):
    taken = []

    def goes_on(config, workdir, *, allow=()):
        taken.append(allow)
        raise InputError("enough")

    monkeypatch.setattr(cli, "config", lambda command: {"study": "truth"})
    monkeypatch.setattr(truth, "truth", goes_on)
    monkeypatch.setattr(cli, "ALLOW", types.SimpleNamespace(value=["sources"]))
    with pytest.raises(InputError, match="enough"):
        study.main([])
    assert taken == [["sources"]]


def test_the_demo_takes_what_is_allowed(home, monkeypatch):
    taken = []

    def fit(config, workdir, *, allow=()):
        taken.append(allow)

    value = lambda x: types.SimpleNamespace(value=x)
    monkeypatch.setattr(cli, "ALLOW", value(["sources"]))
    monkeypatch.setattr(demo, "_SEEDS", value(1))
    monkeypatch.setattr(demo, "_EPOCHS", value(0))
    monkeypatch.setattr(demo, "fit", fit)
    assert demo.main([]) == 130
    assert taken == [["sources"]]
