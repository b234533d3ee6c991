import errno
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from arm_jax import lock, record
from arm_jax.analysis import interactions
from arm_jax.errors import InputError
from arm_jax.reports import demo
from arm_jax.reports import training as training_report
from arm_jax.reports.training import interactions_table, results_table
from arm_jax.studies.training import fit
from arm_jax.workdir import read_results, write_json
from configs import npz
from experiments import cli
from tests import commands

ROOT = Path(__file__).parents[3]


def small_config(npz_file):
    config = npz.get_config("joint")
    config.data.options.path = str(npz_file)
    config.data.batch_size = 20
    config.train.epochs = 2
    config.train.seeds = 2
    return cli.to_dict(config)


@pytest.fixture(scope="module")
def finished(npz_file, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "small"
    return fit(small_config(npz_file), workdir, progress=False), workdir


def test_what_a_run_leaves(finished):
    results, workdir = finished
    for name in (
        "config.json", "record.jsonl", "metrics.jsonl", "results.json",
        "report.md", "report.html", "figures/loss.svg",
        "figures/interactions.svg",
    ):  # fmt: skip
        assert (workdir / name).stat().st_size > 0, name
    assert read_results(workdir / "results.json") == results
    assert len(results["runs"]) == 2
    assert results["runs"][1]["test"]["last"]["accuracy"] > 0.5
    pid = results["interactions"]["loud + quiet"]
    alone = sum(pid[k] for k in ("redundancy", "unique1", "unique2"))
    assert 0 < alone <= np.log2(3)
    assert pid["samples"] == 50
    report = (workdir / "report.md").read_text()
    assert results_table(results) in report
    assert interactions_table(results["interactions"]) in report


LOSS = """
from arm_jax.methods import create


def loss(forward, batch):
    return create("joint", {}).loss(forward, batch)
"""


def test_a_loss_of_ones_own_may_not_change(npz_file, tmp_path, monkeypatch):
    module = tmp_path / "mine_of_training" / "loss.py"
    module.parent.mkdir()
    module.write_text(LOSS)
    monkeypatch.syspath_prepend(tmp_path)
    config = small_config(npz_file)
    config["method"] = {"name": "mine_of_training.loss"}
    run = functools.partial(fit, config, tmp_path / "run", progress=False)
    assert run(stop_after=1) is None
    config["data"]["threads"] = 3
    module.write_text(LOSS + "# Another one.\n")
    with pytest.raises(InputError, match="sources of mine_of_training.loss"):
        run(stop_after=1)
    assert run(allow=["sources"])["method"] == "mine_of_training.loss"


def test_finished_run_is_read_back(finished, npz_file):
    results, workdir = finished
    stamp = (workdir / "report.md").stat().st_mtime_ns
    assert fit(small_config(npz_file), workdir, progress=False) == results
    # By other processes, as a run that ran out of memory goes on.
    for key in ("processes", "threads"):
        config = small_config(npz_file)
        config["data"][key] = 2
        assert fit(config, workdir, progress=False) == results
    assert (workdir / "report.md").stat().st_mtime_ns == stamp


def test_a_report_is_whole_or_made_again(finished, tmp_path, monkeypatch):
    results, _ = finished
    results = results | {"interactions": {}}

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        training_report.write(tmp_path, results)
    # What is there would not be made again.
    assert not (tmp_path / "report.md").exists()
    assert not (tmp_path / "report.html").exists()


def test_reading_stamps_nothing(finished, npz_file):
    _, workdir = finished
    before = {f: f.read_bytes() for f in workdir.rglob("*") if f.is_file()}
    fit(small_config(npz_file), workdir, progress=False)
    after = {f: f.read_bytes() for f in workdir.rglob("*") if f.is_file()}
    assert after == before
    events = [r["event"] for r in record.read(workdir)]
    assert events == ["begin", "finish"]


def test_finished_run_says_so(finished, npz_file, caplog):
    _, workdir = finished
    with caplog.at_level("INFO"):
        fit(small_config(npz_file), workdir, progress=False)
    when = record.finished(workdir)
    assert f"finished on {when}; nothing was trained" in caplog.text


def test_finished_run_of_other_data_is_not_read(finished, npz_file, npz_arrays):
    before = npz_file.read_bytes()
    try:
        np.savez(npz_file, **npz_arrays | {"loud": -npz_arrays["loud"]})
        with pytest.raises(InputError, match="made with other data .digest"):
            fit(small_config(npz_file), finished[1], progress=False)
    finally:
        npz_file.write_bytes(before)


def test_report_is_made_again_from_the_results(
    finished, npz_file, tmp_path, monkeypatch
):
    results, workdir = finished
    folder = shutil.copytree(workdir, tmp_path / "copy")
    report = (folder / "report.md").read_text()
    (folder / "report.md").unlink()
    shutil.rmtree(folder / "figures")
    again = functools.partial(
        fit, small_config(npz_file), folder, progress=False
    )
    assert again(report=False) == results
    assert not (folder / "report.md").exists()
    assert again() == results
    assert (folder / "report.md").read_text() == report
    assert (folder / "figures" / "interactions.svg").exists()

    # A part that cannot be made is a sentence; the rest is there.
    def fail(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(training_report, "_learning_curves", fail)
    (folder / "report.md").unlink()
    fit(small_config(npz_file), folder, progress=False)
    text = (folder / "report.md").read_text()
    assert (
        "The learning curves could not be made (RuntimeError: no ink)" in text
    )
    assert interactions_table(results["interactions"]) in text


def test_interactions_that_fail_lose_nothing(
    finished, npz_file, tmp_path, monkeypatch
):
    results, workdir = finished
    folder = shutil.copytree(workdir, tmp_path / "copy")
    plain = {k: v for k, v in results.items() if k != "interactions"}
    write_json(folder / "results.json", plain)

    def fail(*_):
        raise RuntimeError("no posteriors")

    with monkeypatch.context() as patch:
        patch.setattr(interactions, "of_predictions", fail)
        assert fit(small_config(npz_file), folder, progress=False) == plain
    assert "RuntimeError: no posteriors" in (folder / "report.md").read_text()
    # The next call makes them.
    assert fit(small_config(npz_file), folder, progress=False) == results


def test_workdir_in_use(npz_file, tmp_path):
    with (
        lock.hold(tmp_path),
        pytest.raises(InputError, match=f"in use by process {os.getpid()}"),
    ):
        fit(small_config(npz_file), tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_another_configuration_in_the_same_workdir(finished, npz_file):
    other = small_config(npz_file)
    other["train"]["epochs"] = 3
    with pytest.raises(InputError, match=r"train\.epochs: 2 there, 3 now"):
        fit(other, finished[1], progress=False)


def test_bad_input_leaves_no_workdir(npz_file, tmp_path):
    config = small_config(npz_file)
    config["data"]["batch_size"] = 21
    with pytest.raises(InputError):
        fit(config, tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()


def test_demo_table_is_side_by_side(finished):
    results, _ = finished
    table = demo.comparison_table({"joint": results, "arm": results})
    lines = table.splitlines()
    assert lines[0].split() == (
        ["|", "epoch", "|", "prediction", "|", "joint", "|", "arm", "|"]
    )
    found = [100 * r["test"]["last"]["accuracy"] for r in results["runs"]]
    cell = f"{np.mean(found):.1f} +- {np.std(found, ddof=1):.1f}"
    assert lines[2].count(cell) == 2
    assert len(lines) == 2 + 2 * 3


@pytest.fixture(scope="module")
def run():
    with commands.sharing("arm_jax.studies.training", "configs.npz") as run:
        yield functools.partial(run, "experiments.train")


def started(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train", *arguments],
        cwd=ROOT,
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--config.trian.epochs=3", "trian"),
        ("--config.train.epochs=many", "many"),
        ("--config=configs/npz.py:amr", "unknown method 'amr'"),
        ("--config=configs/nowhere.py", "nowhere.py"),
        ("--config.data.options.path=nowhere.npz", "no file nowhere.npz"),
        ("nonsense", "unknown argument 'nonsense'"),
    ],
)
def test_mistakes_are_named_in_one_line(argument, message, run, tmp_path):
    workdir = tmp_path / "run"
    status, _, stderr = run(
        "--config=configs/npz.py", f"--workdir={workdir}", argument
    )
    assert status == 2
    (line,) = [x for x in stderr.splitlines() if x.startswith("error: ")]
    assert message in line
    assert "Traceback" not in stderr
    assert not workdir.exists()


def test_command_trains_and_prints_the_table(npz_file, tmp_path):
    status, stdout, stderr = started(
        "--config=configs/npz.py:arm",
        f"--config.data.options.path={npz_file}",
        "--config.data.batch_size=20",
        "--config.train.epochs=2",
        "--config.method.options.warmup=1",
        f"--workdir={tmp_path / 'run'}",
    )
    assert status == 0, stderr
    assert "| epoch    | fused | loud alone | quiet alone |" in stdout
    assert "| loud + quiet |" in stdout
