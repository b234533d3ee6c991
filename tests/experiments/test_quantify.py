import json

import numpy as np
import pytest

from arm_jax.errors import InputError
from configs import quantify_npz
from experiments import cli, quantify_report
from experiments.quantify import run


def small_config(npz_file, **changes):
    config = quantify_npz.get_config()
    config.data.path = str(npz_file)
    config.folds = 3
    config.symbols.number = config.symbols.most = 2
    config.symbols.sensitivity = (2,)
    config.resampling.replicates = 20
    config.resampling.permutations = 10
    config.resampling.interval_replicates = 5
    for key, value in changes.items():
        config[key] = value
    return cli.to_dict(config)


@pytest.fixture(scope="module")
def finished(npz_file, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "small"
    return run(small_config(npz_file), workdir, progress=False), workdir


def test_what_a_report_leaves(finished):
    results, workdir = finished
    names = sorted(p.name for p in workdir.iterdir())
    assert names == [
        "config.json", "report.html", "report.md", "results.json",
        "versions.json",
    ]  # fmt: skip
    assert json.loads((workdir / "results.json").read_text()) == results
    pair = results["pairs"]["loud & quiet"]
    assert pair["interactions"]["size"] == 240
    first = pair["interactions"]["estimates"]["information1"]
    assert first["lower"] > 0.2
    assert results["models"]["loud"]["logistic"]["accuracy"] > 0.6
    assert pair["recommendation"]["text"] in (workdir / "report.md").read_text()


def test_page_needs_no_network(finished):
    page = (finished[1] / "report.html").read_text()
    assert page.count("<svg") == 4
    for outside in ("src=", "<link", "@import", "url(http", "<script"):
        assert outside not in page
    assert 'name="viewport"' in page
    header, rows = quantify_report.table(finished[0])
    for name in (*header, *map(str, rows[0])):
        assert name.replace("&", "&amp;") in page


def test_finished_report_is_read_back(finished, npz_file):
    results, workdir = finished
    stamp = (workdir / "report.md").stat().st_mtime_ns
    assert run(small_config(npz_file), workdir, progress=False) == results
    assert (workdir / "report.md").stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match="margin"):
        run(small_config(npz_file, margin=0.1), workdir, progress=False)


def saved(tmp_path, npz_arrays, **changes):
    path = tmp_path / "bad.npz"
    np.savez(path, **{**npz_arrays, **changes})
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"loud": np.ones((240, 2))}, "modality 'loud' is constant"),
        (
            lambda a: {"loud": np.where(np.eye(240, 5) > 0, np.nan, a["loud"])},
            r"loud\[0, 0\] is nan",
        ),
        (lambda a: {"quiet": a["quiet"][:-1]}, "'quiet' has shape"),
        (
            lambda a: {"label": np.r_[3, a["label"][1:]]},
            "class 3 has one sample",
        ),
    ],
)
def test_bad_data_are_named_and_leave_nothing(
    npz_arrays, tmp_path, change, message
):
    path = saved(tmp_path, npz_arrays, **change(npz_arrays))
    workdir = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        run(small_config(path), workdir, progress=False)
    assert not workdir.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 1}, "folds must be 0 or at least 2, got 1"),
        ({"folds": 100}, "class 0 has 80 samples, fewer than 100 folds"),
        ({"units": "subject"}, "no group 'subject'; it has: none"),
        ({"knowledge": "all"}, "knowledge must be one of labelled, unimodal"),
        ({"modalities": ("loud", "smell")}, "no modality 'smell'"),
        ({"modalities": ("loud",)}, "two modalities or more"),
        ({"margin": 0.0}, "margin must be positive"),
    ],
)
def test_bad_configuration_is_named(npz_file, tmp_path, changes, message):
    workdir = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        run(small_config(npz_file, **changes), workdir, progress=False)
    assert not workdir.exists()


def test_more_symbols_than_distinct_points_is_named(npz_arrays, tmp_path):
    path = saved(tmp_path, npz_arrays, loud=(np.arange(240) % 2)[:, None] * 1.0)
    config = small_config(path)
    config["symbols"] |= {"number": 4, "kind": "kmeans"}
    with pytest.raises(
        InputError, match="modality 'loud': x has 2 distinct rows"
    ):
        run(config, tmp_path / "run", progress=False)


def test_missing_file_is_named(tmp_path):
    config = small_config(tmp_path / "nowhere.npz")
    with pytest.raises(InputError, match=r"no file .*nowhere\.npz"):
        run(config, tmp_path / "run", progress=False)
